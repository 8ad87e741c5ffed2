"""Losses against the authors' code on seeded weights, automatic differentiation and plain loops."""

import importlib.util

import numpy as np
import pytest
import torch

import models
from baselines.losses import RandomWarp, equivariance_jacobian, equivariance_value, pyramid_gradient, pyramid_l1


@pytest.mark.parametrize("align_corners", [True, False])
def test_equivariance_is_that_of_the_authors_code(shared, align_corners):
    spec = importlib.util.spec_from_file_location("seeded_weights", shared / "goldens" / "seeded_weights.py")
    seeded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(seeded)
    stored = np.load(shared / "goldens" / f"losses_fomm_ac{int(align_corners)}.npz")
    detector = models.create("fomm")["kp_detector"].eval()
    seeded.fill(detector)
    driving = seeded.image("driving", (1, 3, 256, 256))
    warp = RandomWarp(
        torch.from_numpy(stored["in_transform_theta"]), torch.from_numpy(stored["in_transform_control_params"])[:, 0]
    )
    with torch.no_grad():
        warped = warp.images(driving, align_corners=align_corners)
        kp, kp_warped = detector(driving), detector(warped)
        value = 10 * equivariance_value(kp["value"], kp_warped["value"], warp)
        jacobian = 10 * equivariance_jacobian(kp["jacobian"], kp_warped["value"], kp_warped["jacobian"], warp)
    np.testing.assert_allclose(warped[..., ::4, ::4], stored["transformed_frame"], atol=1e-4)
    np.testing.assert_allclose(warp.points(kp_warped["value"]), stored["warped_kp"], atol=1e-4)
    np.testing.assert_allclose(warp.jacobian(kp_warped["value"]), stored["warp_jacobian_at_kp"], atol=1e-4)
    np.testing.assert_allclose(value, stored["loss_equivariance_value"][0], atol=1e-4)
    np.testing.assert_allclose(jacobian, stored["loss_equivariance_jacobian"][0], atol=1e-4)


def test_the_jacobian_of_a_warp_is_its_derivative():
    warp = RandomWarp.sample(2, torch.Generator().manual_seed(0), sigma_affine=0.3, sigma_tps=0.1)
    points = torch.rand(2, 4, 2) * 1.8 - 0.9
    found = warp.jacobian(points)
    for b in range(2):
        one = RandomWarp(warp.theta[b : b + 1], warp.control[b : b + 1])
        for n in range(4):
            expected = torch.autograd.functional.jacobian(
                lambda p, one=one: one.points(p[None, None])[0, 0], points[b, n]
            )
            torch.testing.assert_close(found[b, n], expected, atol=1e-5, rtol=0)


def test_an_affine_warp_moves_pictures_and_points_together():
    theta = torch.tensor([[[1.0, 0.0, 0.25], [0.0, 1.0, -0.5]]])
    warp = RandomWarp(theta, torch.zeros(1, 25))
    image = torch.zeros(1, 3, 17, 17)
    image[..., 4, 10] = 1  # at (0.25, -0.5)
    moved = warp.images(image, align_corners=True)
    assert moved[0, 0, 8, 8] == 1  # what was at w(0, 0) is now at (0, 0)
    torch.testing.assert_close(warp.points(torch.zeros(1, 1, 2)), torch.tensor([[[0.25, -0.5]]]))


def test_equivariance_is_zero_for_keypoints_that_obey_the_warp():
    warp = RandomWarp.sample(2, torch.Generator().manual_seed(1))
    warped_value = torch.rand(2, 5, 2) - 0.5
    warped_jacobian = torch.eye(2) + 0.1 * torch.rand(2, 5, 2, 2)
    value, jacobian = warp.points(warped_value), warp.jacobian(warped_value) @ warped_jacobian
    assert equivariance_value(value, warped_value, warp) == 0
    assert equivariance_jacobian(jacobian, warped_value, warped_jacobian, warp) < 1e-6
    assert equivariance_value(value + 0.5, warped_value, warp) == pytest.approx(0.5)


def test_pyramids_against_plain_loops():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 2, 3, 8, 8, generator=generator)
    pixels = gradients = 0.0
    for size in (8, 4):
        f = 8 // size
        x, y = (t.numpy().reshape(2, 3, size, f, size, f).mean((3, 5)) for t in (a, b))
        pixels += np.abs(x - y).mean()
        gradients += np.abs((x[..., 1:] - x[..., :-1]) - (y[..., 1:] - y[..., :-1])).mean()
        gradients += np.abs((x[..., 1:, :] - x[..., :-1, :]) - (y[..., 1:, :] - y[..., :-1, :])).mean()
    assert float(pyramid_l1(a, b, levels=2)) == pytest.approx(float(pixels), rel=1e-5)
    assert float(pyramid_gradient(a, b, levels=2)) == pytest.approx(float(gradients), rel=1e-5)
    assert pyramid_gradient(a, (a + 0.25), levels=2) < 1e-6  # a constant offset has no gradient
