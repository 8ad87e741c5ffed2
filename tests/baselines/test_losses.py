"""Losses against the authors' code on seeded weights, automatic differentiation and plain loops."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import models
from baselines import losses
from baselines.losses import RandomWarp, equivariance_jacobian, equivariance_value, pyramid_gradient, pyramid_l1
from baselines.losses.flows import landmark_flow_of_two
from baselines.losses.perceptual import FOMM_SCALES, shrink
from models.pose import bin_degrees, degrees
from models.vgg import VGG19, VGGFace


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def vgg19(seeded):
    network = VGG19().eval().requires_grad_(False)
    seeded.fill(network)
    return network


@pytest.mark.parametrize("align_corners", [True, False])
def test_the_losses_of_fomm_are_those_of_the_authors_code(golden, seeded, vgg19, align_corners):
    stored = golden(f"losses_fomm_ac{int(align_corners)}")
    networks = models.create("fomm", align_corners=align_corners)
    for network in networks.values():
        seeded.fill(network.eval())
    source, driving = (seeded.image(name, (1, 3, 256, 256)) for name in ("source", "driving"))
    theta, control = (torch.from_numpy(stored.stored[f"in_transform_{name}"]) for name in ("theta", "control_params"))
    warp = RandomWarp(theta, control[:, 0])
    detector, discriminator = networks["kp_detector"], networks["discriminator"]
    with torch.no_grad():
        warped = warp.images(driving, align_corners=align_corners)
        kp, kp_warped = detector(driving), detector(warped)
        made = networks["generator"](source, kp_driving=kp, kp_source=detector(source))["prediction"]
        (real_maps, real), (fake_maps, fake) = discriminator(driving), discriminator(made)
        found = {
            "transformed_frame": warped,
            "transformed_kp_value": kp_warped["value"],
            "transformed_kp_jacobian": kp_warped["jacobian"],
            "warped_kp": warp.points(kp_warped["value"]),
            "warp_jacobian_at_kp": warp.jacobian(kp_warped["value"]),
            "disc_map_generated": fake,
            **{f"disc_feature_{i}": feature for i, feature in enumerate(fake_maps)},
            **{f"pyramid_driving_{scale}": shrink(driving, scale) for scale in FOMM_SCALES[1:]},
        }
        scalars = {
            "loss_perceptual": 10 * losses.perceptual(vgg19, made, driving, scales=FOMM_SCALES),
            "loss_gen_gan": losses.least_squares_generator(fake),
            "loss_disc_gan": losses.least_squares_discriminator(real, fake),
            "loss_feature_matching": 10 * losses.feature_matching(real_maps, fake_maps),
            "loss_equivariance_value": 10 * equivariance_value(kp["value"], kp_warped["value"], warp),
            "loss_equivariance_jacobian": 10
            * equivariance_jacobian(kp["jacobian"], kp_warped["value"], kp_warped["jacobian"], warp),
        }
        for i, (a, b) in enumerate(zip(vgg19(source), vgg19(driving), strict=True)):
            scalars[f"vgg_l1_source_driving_layer{i}"] = F.l1_loss(a, b)
    found |= {name: value[None] for name, value in scalars.items()}
    assert set(found) == stored.names
    for name, value in found.items():
        if name.startswith("disc_") and not align_corners:  # amplifies what is undetermined at the warped border
            stored.about["outputs"][name]["float32_vs_float64_max_abs"] = 2e-4
        stored.check(name, value)


def test_the_keypoint_losses_of_osfv_are_those_of_public_code(golden):
    stored = golden("losses_osfv_ac1")
    arrays = {name: torch.from_numpy(stored.stored[name]) for name in stored.names}
    warp = RandomWarp(*(torch.from_numpy(stored.stored[f"in_transform_{n}"]) for n in ("theta", "control_params")))
    warp = RandomWarp(warp.theta, warp.control[:, 0])
    driving, moved = arrays["kp_driving_value"], arrays["transformed_kp_value"]
    itself = 0.1 * driving.shape[1]  # public code counts every point's distance to itself
    pose = arrays["he_driving_degrees"][None]
    stored.check("loss_keypoint", 10 * (losses.keypoint_prior(driving) + itself)[None])
    stored.check("loss_equivariance_value", 10 * equivariance_value(driving[..., :2], moved[..., :2], warp)[None])
    for suffix, name in (("antialias", "loss_headpose"), ("no_antialias", "loss_headpose_no_antialias")):
        judged = arrays[f"hopenet_degrees_{suffix}"][None]
        stored.check(name, 20 * losses.head_pose(pose, judged)[None])


def test_bins_of_head_pose_against_a_plain_loop():
    logits, target = 4 * noise(2, 3, 66), 60 * noise(2, 3, seed=1) - 30
    bins = bin_degrees()
    expected = 0.0
    for row in range(2):
        for angle in range(3):
            wanted = [math.exp(-((float(target[row, angle]) - (3 * i - 99)) ** 2) / 72) for i in range(66)]
            scores = logits[row, angle].double().exp()
            for i in range(66):
                expected -= wanted[i] / sum(wanted) * math.log(float(scores[i] / scores.sum())) / 2
    assert float(losses.head_pose_bins(logits, target, bins)) == pytest.approx(expected, rel=1e-5)


def test_bins_of_head_pose_are_least_at_the_angles():
    target = torch.tensor([[30.0, -12.5, 4.0]])
    best = (-(target[..., None] - bin_degrees()).square() / 72).requires_grad_()
    losses.head_pose_bins(best, target, bin_degrees()).backward()
    torch.testing.assert_close(best.grad, torch.zeros_like(best), atol=1e-6, rtol=0)
    torch.testing.assert_close(degrees(best.detach()), target, atol=0.01, rtol=0)


def test_adversarial_losses_against_plain_formulas():
    real, fake = 3 * noise(2, 1, 4, 4) - 1.5, 3 * noise(2, 1, 4, 4, seed=1) - 1.5
    r, f = real.double().numpy(), fake.double().numpy()
    expected = {
        "hinge_generator": -f.mean(),
        "hinge_discriminator": np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean(),
        "least_squares_generator": ((1 - f) ** 2).mean(),
        "least_squares_discriminator": ((1 - r) ** 2).mean() + (f**2).mean(),
        "relativistic_generator": -np.log(1 / (1 + np.exp(r - f))).mean(),
        "relativistic_discriminator": -np.log(1 / (1 + np.exp(f - r))).mean(),
    }
    for name, value in expected.items():
        both = (fake,) if name in ("hinge_generator", "least_squares_generator") else (real, fake)
        assert float(getattr(losses, name)(*both)) == pytest.approx(value, rel=1e-5), name


def test_nothing_is_learnt_through_real_features():
    real, fake = noise(2, 3, 4, 4).requires_grad_(), noise(2, 3, 4, 4, seed=1).requires_grad_()
    losses.feature_matching([real], [fake]).backward()
    assert real.grad is None
    assert fake.grad.abs().sum() > 0


def test_the_keypoint_prior_against_a_loop():
    points = noise(3, 5, 3)
    expected = 0.0
    for row in points.numpy():
        for i in range(5):
            for j in range(5):
                if i != j:
                    expected += max(0.0, 0.1 - ((row[i] - row[j]) ** 2).sum()) / 3
        expected += abs(row[:, 2].mean() - 0.33) / 3
    assert float(losses.keypoint_prior(points)) == pytest.approx(expected, rel=1e-5)
    spread = torch.tensor([[[0.0, 0, 0.33], [1, 0, 0.33], [0, 1, 0.33]]])
    assert losses.keypoint_prior(spread) == 0
    assert float(losses.deformation_prior(points)) == pytest.approx(float(points.sum() / 3), rel=1e-5)


def test_perceptual_losses_weigh_layers_and_learn_from_the_prediction_alone():
    torch.manual_seed(0)
    trunk = VGGFace().requires_grad_(False)
    prediction, target = noise(1, 3, 32, 32).requires_grad_(), noise(1, 3, 32, 32, seed=1).requires_grad_()
    weights = (0.5, 0, 0, 0, 2)
    found = losses.perceptual(trunk, prediction, target, layers=weights)
    a, b = trunk(prediction), trunk(target)
    assert [tuple(m.shape[1:]) for m in a] == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (512, 2, 2)]
    torch.testing.assert_close(found, 0.5 * (a[0] - b[0]).abs().mean() + 2 * (a[4] - b[4]).abs().mean())
    found.backward()
    assert target.grad is None
    assert prediction.grad.abs().sum() > 0
    assert losses.perceptual(trunk, prediction, prediction) == 0
    assert "conv3_3.weight" in trunk.state_dict()


def test_masks_and_warps_against_plain_formulas():
    probability, mask = noise(2, 1, 4, 4), (noise(2, 1, 4, 4, seed=1) > 0.5).float()
    expected = F.binary_cross_entropy(probability, mask)
    torch.testing.assert_close(losses.segmentation(probability, mask), expected)
    assert losses.segmentation(mask, mask) < 1e-5
    a, b = noise(2, 3, 4, 4), noise(2, 3, 4, 4, seed=1)
    assert losses.warp(a, b) == (a - b).abs().mean()
    half = torch.zeros(2, 1, 4, 4)
    half[..., :2] = 1
    torch.testing.assert_close(losses.warp(a, b, half), (a - b).abs()[..., :2].mean())
    assert losses.warp(a, b, torch.zeros(2, 1, 4, 4)) == 0


def test_vectors_against_plain_formulas():
    a, b = noise(3, 8) - 0.5, noise(3, 8, seed=1) - 0.5
    cosines = [float(x @ y / (x.norm() * y.norm())) for x, y in zip(a, b, strict=True)]
    assert float(losses.identity(a, b)) == pytest.approx(1 - np.mean(cosines), rel=1e-5)
    assert abs(float(losses.identity(a, 3 * a))) < 1e-6
    styles, average = noise(2, 4, 8), noise(8)
    lengths = [float((style - average).square().sum() ** 0.5) for style in styles]
    assert float(losses.w_norm(styles, average)) == pytest.approx(np.mean(lengths), rel=1e-5)


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


def test_two_flows_lead_one_after_the_other():
    """The first moves the right half alone, the second what is above the middle: a point meets what is where it is."""
    x = torch.linspace(-1, 1, 9).expand(1, 9, 9)
    first = torch.stack([0.5 * (x > 0.1), torch.zeros_like(x) - 0.75 * (x > 0.1)], dim=1)
    second = torch.stack([torch.zeros_like(x), 0.25 * (x.mT < -0.1)], dim=1)
    points = torch.tensor([[[-0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]])
    there = torch.tensor([[[-0.5, -0.25], [1.0, 0.0], [-0.5, 0.5]]])
    assert float(landmark_flow_of_two(first, second, points, there)) == pytest.approx(0, abs=1e-6)
    assert float(landmark_flow_of_two(first, second, points, there + 0.1)) == pytest.approx(0.1, abs=1e-6)
