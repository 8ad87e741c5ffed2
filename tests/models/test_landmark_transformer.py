"""The landmark transformer's geometry and its formulas."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

import models
from models.errors import InputError
from models.landmark_transformer import GROUPS, PRESETS, RIGID, ImageEncoder, Pose, orthographic_fit, rigid_fit

TINY = {"hidden": 16, "shape_basis": 6}
WITH_IMAGE = {"image": True, "image_side": 32, "image_width": 4, "image_blocks": (1, 1)}


def some_face(seed=0):
    """[68, 3] of no particular face, with the fixed points normalised."""
    face = torch.rand(68, 3, generator=torch.Generator().manual_seed(seed)) - 0.5
    face = face - face[list(RIGID)].mean(0)
    return face / face[list(RIGID)].square().sum(-1).mean().sqrt()


@pytest.fixture
def transformer():
    torch.manual_seed(0)
    made = models.create("landmark-transformer", "mini", **TINY)["transformer"].eval()
    made.mean.copy_(some_face())
    made.basis.copy_(torch.randn_like(made.basis) * 0.01)
    made.shape_basis.copy_(torch.linalg.qr(torch.randn(204, 6))[0].T.reshape(6, 68, 3))
    made.shape_spread.fill_(0.2)
    return made


def turns(count):
    return torch.from_numpy(Rotation.random(count, random_state=1).as_matrix()).float()


def test_normalised_landmarks_have_no_pose_left(transformer):
    face = transformer.mean + 0.02 * torch.randn(68, 3)
    scale, shift = torch.tensor([0.3, 1.0, 90.0]), 100 * torch.randn(3, 1, 3)
    seen = scale[:, None, None] * (face @ turns(3).mT) + shift
    normal, pose = transformer.normalise(seen)
    torch.testing.assert_close(normal, normal[:1].expand(3, -1, -1), atol=1e-4, rtol=0)
    torch.testing.assert_close(pose.place(normal), seen, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(torch.det(pose.rotation), torch.ones(3))


def test_the_rotation_is_that_of_kabsch():
    generator = torch.Generator().manual_seed(3)
    face, seen = some_face(), torch.randn(4, 68, 3, generator=generator)
    pose = rigid_fit(face, seen)
    for i in range(4):
        model, given = face[list(RIGID)].double().numpy(), seen[i, list(RIGID)].double().numpy()
        expected, _ = Rotation.align_vectors(given - given.mean(0), model - model.mean(0))
        np.testing.assert_allclose(pose.rotation[i], expected.as_matrix(), atol=1e-4)

        # the scale is the least squares' one: no nearby one is better
        def rest(factor, i=i, model=model, given=given):
            placed = factor * float(pose.scale[i]) * model @ pose.rotation[i].double().numpy().T
            return (((given - given.mean(0)) - (placed - placed.mean(0))) ** 2).sum()

        assert rest(1.0) < min(rest(0.99), rest(1.01))


def test_a_shape_of_the_basis_is_lifted_from_its_picture(transformer):
    transformer.noise.fill_(1e-4)
    coefficients = 0.1 * torch.randn(5, 6)
    shape = transformer.mean + torch.einsum("nk,kpd->npd", coefficients, transformer.shape_basis)
    expected, _ = transformer.normalise(shape)
    turned = torch.from_numpy(Rotation.from_euler("yxz", np.linspace(-20, 20, 15).reshape(5, 3), degrees=True)
                              .as_matrix()).float()  # fmt: skip
    camera = Pose(torch.full((5,), 40.0), turned, torch.tensor([60.0, 70.0, 0.0]).expand(5, -1))
    picture = camera.project(shape)
    lifted, pose = transformer.lift(picture)
    assert (lifted - expected).abs().max() < 0.25 * (transformer.mean - expected).abs().max()
    torch.testing.assert_close(pose.project(lifted), picture, atol=0.5, rtol=0)


def test_what_is_farther_is_smaller(transformer):
    camera = Pose(torch.full((1,), 40.0), torch.eye(3)[None], torch.zeros(1, 3))
    points = torch.tensor([1.0, 2.0, 0.0]) + torch.linspace(-1, 1, 68)[:, None] * torch.tensor([0.0, 0.0, 1.0])
    expected = 40 * points[:, :2] * 14 / (14 + points[:, 2:])  # a camera 1 / 0.07 radii away: about 14
    torch.testing.assert_close(camera.project(points[None])[0], expected, atol=0.2, rtol=0)


def test_the_orthographic_camera_is_found(transformer):
    shape = transformer.mean.expand(4, -1, -1)
    rotation = turns(4)
    picture = (30 * shape @ rotation.mT)[..., :2] + torch.tensor([5.0, 6.0])
    pose = orthographic_fit(shape, picture)
    torch.testing.assert_close(pose.rotation, rotation, atol=1e-4, rtol=0)
    torch.testing.assert_close(pose.scale, torch.full((4,), 30.0), atol=1e-3, rtol=0)
    torch.testing.assert_close(pose.place(shape)[..., :2], picture, atol=1e-3, rtol=0)


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_transfer_is_the_papers_sum(scale):
    torch.manual_seed(0)
    made = models.create("landmark-transformer", "mini", **TINY, expression_scale=scale)["transformer"].eval()
    made.mean.copy_(some_face())
    made.basis.copy_(torch.randn_like(made.basis))
    target, driver = torch.randn(3, 68, 3), torch.randn(2, 68, 3)
    with torch.no_grad():
        alpha = {"target": made.alpha(target), "driver": made.alpha(driver)}
        found = made.transfer(made.identity(target), driver)
    expression = {
        who: scale * sum(a[:, k, None, None] * made.basis[k] for k in range(len(made.basis)))
        for who, a in alpha.items()
    }
    identity = sum(target[i] - made.mean - expression["target"][i] for i in range(3)) / 3
    torch.testing.assert_close(found, made.mean + identity + expression["driver"], atol=1e-4, rtol=1e-4)


def test_groups_share_out_all_points():
    assert sorted(point for points in GROUPS.values() for point in points) == list(range(68))


def test_the_paper_preset_sees_images_by_a_resnet_50():
    with torch.device("meta"):
        encoder = ImageEncoder(PRESETS["paper"])
    assert sum(p.numel() for p in encoder.parameters()) == 23_508_032
    assert encoder.out_channels == 2048


def test_images_count_where_they_are_seen(transformer):
    seeing = models.create("landmark-transformer", "mini", **TINY, **WITH_IMAGE)["transformer"].eval()
    landmarks, images = torch.randn(2, 68, 3), torch.rand(2, 3, 48, 48)
    with torch.no_grad():
        one, other = seeing.alpha(landmarks, images), seeing.alpha(landmarks, images.flip(0))
    assert one.shape == (2, 48)
    assert (one - other).abs().max() > 1e-6
    with pytest.raises(InputError, match="images: this landmark transformer takes images"):
        seeing.alpha(landmarks)
    with pytest.raises(InputError, match="images: this landmark transformer takes no images"):
        transformer.alpha(landmarks, images)


def test_gradients_reach_every_parameter():
    seeing = models.create("landmark-transformer", "mini", **TINY, **WITH_IMAGE)["transformer"]
    seeing.alpha(torch.randn(4, 68, 3), torch.rand(4, 3, 32, 32)).square().sum().backward()
    for name, parameter in seeing.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_wrong_input_is_named(transformer):
    with pytest.raises(InputError, match=r"landmarks: expected shape \[any, 68, 3\], got \[1, 68, 2\]"):
        transformer.normalise(torch.rand(1, 68, 2))
    with pytest.raises(InputError, match=r"points: expected shape \[any, 68, 2\], got \[68, 2\]"):
        transformer.lift(torch.rand(68, 2))
    with pytest.raises(ValueError, match="basis: expected a number for each of left_eye"):
        models.create("landmark-transformer", "mini", basis=(1, 2))
