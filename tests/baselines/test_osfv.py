"""How OSFV is driven: motion modes, free view, redirection, transmitted motion, the public weights' convention."""

import numpy as np
import pytest
import torch

import baselines
import baselines.osfv
import models
import models.osfv
import models.osfv_community
from baselines.checkpoint import save
from baselines.osfv import Osfv
from baselines.osfv_direct import OsfvDirect
from curate import angles
from models.errors import InputError
from models.pose import hopenet_to_camera, rotation
from tests.baselines.osfv_tiny import TINY

SIDE = 32


def frames(count, seed=0):
    smooth = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(smooth, size=(SIDE, SIDE), mode="bilinear")


def lively(networks):
    """Random weights under which frames differ, in picture, pose and expression."""
    for network in networks.values():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.Conv3d) and not hasattr(module, "weight_orig"):
                torch.nn.init.kaiming_normal_(module.weight)
    return networks


@pytest.fixture
def make(monkeypatch, tmp_path):
    """`make(Osfv, warp="2d")`: a tiny model from a file; and its networks as they were before folding."""
    monkeypatch.setitem(models.osfv.PRESETS, "mini", models.osfv.Config(**TINY))
    monkeypatch.setitem(baselines.osfv.RESOLUTION, "mini", SIDE)

    def made(cls=Osfv, architecture="osfv", **switches):
        torch.manual_seed(0)
        networks = lively(models.create(architecture, "mini", **switches))
        kept = {part: networks[part].eval() for part in cls.parts}
        path = tmp_path / "made.safetensors"
        save(path, kept, model=architecture, preset="mini", steps=1, switches=switches)
        monkeypatch.setattr(cls, "architecture", architecture)
        return cls("mini", path), kept

    return made


def plain(networks, source, driving):
    """The prediction without caching or folding."""
    with torch.no_grad():
        canonical = networks["kp_detector"](source)
        kp_source, kp_driving = (
            networks["he_estimator"].motion(image).keypoints(canonical) for image in (source, driving)
        )
        count = len(driving)
        return networks["generator"](
            source.expand(count, -1, -1, -1), kp_driving=kp_driving, kp_source=kp_source.expand(count, -1, -1)
        )["prediction"]


@pytest.mark.parametrize("switches", [{}, {"warp": "2d"}, {"num_kp": 7}, {"spectral_norm": True}, {"motion_down": 2}])
def test_frames_are_those_of_the_plain_path(make, switches):
    model, networks = make(**switches)
    source, driving = frames(1), frames(6, 1)
    found = model.reenact(model.encode_source(source, {}), driving, {})
    assert found.shape == driving.shape
    torch.testing.assert_close(found, plain(networks, source, driving), atol=1e-4, rtol=0)
    assert not torch.equal(found[0], found[1])


def test_transmitted_motion_renders_the_same_frames(make):
    model, _ = make()
    source, driving = model.encode_source(frames(1), {}), frames(6, 1)
    motion = model.motion(driving)
    assert {name: tuple(value.shape) for name, value in motion.items()} == {
        **dict.fromkeys(("yaw", "pitch", "roll"), (6,)),
        "t": (6, 3),
        "delta": (6, 4, 3),
    }
    torch.testing.assert_close(model.render(source, motion), model.reenact(source, driving, {}), atol=1e-5, rtol=0)
    with pytest.raises(InputError, match=r"motion\['delta'\]: expected shape \[6, 4, 3\], got \[6, 3, 3\]"):
        model.render(source, {**motion, "delta": motion["delta"][:, :3]})


def test_relative_motion_from_the_initial_frame_itself_is_the_source_reconstructed(make):
    model, _ = make()
    image = frames(1)
    source, initial = model.encode_source(image, {}), frames(1, 1)
    found = model.reenact(source, initial, {}, relative_to=initial)
    torch.testing.assert_close(found, model.reenact(source, image, {}), atol=1e-5, rtol=0)
    absolute = model.reenact(source, initial, {})
    assert (found - absolute).abs().max() > 1e-3
    torch.testing.assert_close(model.reenact(source, initial, {}, relative_to=image), absolute, atol=1e-5, rtol=0)


def test_a_view_that_is_not_changed_is_the_driving_frames(make):
    model, _ = make()
    source, driving = model.encode_source(frames(1), {}), frames(2, 1)
    identity, still = torch.eye(3).expand(2, -1, -1), torch.zeros(2, 3)
    expected = model.reenact(source, driving, {})
    torch.testing.assert_close(model.free_view(source, driving, identity, still), expected, atol=1e-5, rtol=0)
    turned = rotation(torch.tensor([[30.0, 0, 0]])).expand(2, -1, -1)
    assert (model.free_view(source, driving, turned, still) - expected).abs().max() > 1e-3
    with pytest.raises(InputError, match=r"translation_u: expected shape \[2, 3\], got \[1, 3\]"):
        model.free_view(source, driving, identity, still[:1])


def captured(model, monkeypatch):
    """Where `drive` is asked to bring the keypoints."""
    seen = []
    monkeypatch.setattr(model, "drive", lambda source, moved: seen.append(moved) or torch.zeros(1))
    return seen


def test_redirection_means_what_the_projects_angles_mean(make, monkeypatch):
    """Each angle alone and all together, so that no swap of sign, order or angle goes unseen."""
    model, _ = make()
    source = model.encode_source(frames(1), {})
    wanted = np.array([[25.0, 0, 0], [0, 15, 0], [0, 0, 20], [-30, 12, 7]])
    seen = captured(model, monkeypatch)
    model.redirect(source, *torch.from_numpy(wanted).float().unbind(1))
    np.testing.assert_allclose(seen[0].rotation, angles.rotation(wanted), atol=1e-6)
    own = source.state["motion"]
    assert torch.equal(seen[0].translation, own.translation)
    assert torch.equal(seen[0].deformation, own.deformation)


@pytest.mark.parametrize("switches", [{}, {"beta": True}, {"generator": "spade"}])
def test_public_weights_are_told_hopenets_angles(make, monkeypatch, switches):
    tiny = models.osfv_community.Config(**TINY | {"down_blocks": 2}, spade_hidden=4)
    monkeypatch.setitem(models.osfv_community.PRESETS, "mini", tiny)
    model, networks = make(architecture="osfv-community", **switches)
    image, driving = frames(1), frames(3, 1)
    source = model.encode_source(image, {})
    torch.testing.assert_close(model.reenact(source, driving, {}), plain(networks, image, driving), atol=1e-4, rtol=0)
    wanted = torch.tensor([[25.0, 0, 0], [0, 15, 0], [0, 0, 20], [-30, 12, 7]])
    seen = captured(model, monkeypatch)
    model.redirect(source, *wanted.unbind(1))
    found = seen[0].angles
    torch.testing.assert_close(hopenet_to_camera(found), wanted, atol=1e-3, rtol=0)
    single = torch.tensor([[-25.0, 0, 0], [0, 15, 0], [0, 0, 20]])  # its yaw is positive to the image's left
    torch.testing.assert_close(found[:3], single, atol=1e-3, rtol=0)
    order = "public-beta" if "beta" in switches else "public"
    torch.testing.assert_close(seen[0].rotation, rotation(found, order, 3.14))


def test_direct_keypoints_are_driven_without_a_pose(make):
    model, networks = make(OsfvDirect, "osfv-direct")
    assert set(networks) == {"generator", "kp_detector"}
    image, driving = frames(1), frames(2, 1)
    source = model.encode_source(image, {})
    found = model.reenact(source, driving, {})
    with torch.no_grad():
        detector = networks["kp_detector"]
        expected = networks["generator"](
            image.expand(2, -1, -1, -1), kp_driving=detector(driving), kp_source=detector(image).expand(2, -1, -1)
        )["prediction"]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    moved = model.reenact(source, driving, {}, relative_to=image)
    torch.testing.assert_close(moved, expected, atol=1e-4, rtol=0)
    assert model.spec.capabilities == ("relative",)


@pytest.mark.parametrize(("precision", "tolerance"), [("bf16", 0.05), ("fp16", 0.01)])
def test_at_half_precision_pictures_and_motion_stay_the_same_to_rounding(make, precision, tolerance):
    model, _ = make()
    driving = frames(3, 1)
    exact = model.reenact(model.encode_source(frames(1), {}), driving, {})
    model.use(precision)
    source = model.encode_source(frames(1), {})
    motion = model.motion(driving)
    assert all(value.dtype == torch.float32 for value in motion.values())
    for found in (model.reenact(source, driving, {}), model.render(source, motion)):
        assert found.dtype == torch.float32
        assert (found - exact).square().mean().sqrt() < tolerance


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, s: m.encode_source(frames(2), {}), "at most 1 source image"),
        (lambda m, s: m.reenact(s, frames(1)[..., :16], {}), r"driving: expected shape \[any, 3, 32, 32\]"),
        (lambda m, s: m.reenact(s, frames(0), {}), "driving: expected at least one image"),
        (lambda m, s: m.reenact(s, frames(1) * float("nan"), {}), r"driving: expected values in \[0, 1\]"),
        (lambda m, s: m.reenact(s, frames(1), {}, relative_to=frames(2)), r"relative_to: expected shape \[1, 3"),
    ],
)
def test_wrong_input_is_named(make, call, message):
    model, _ = make()
    source = model.encode_source(frames(1), {})
    with pytest.raises(InputError, match=message):
        call(model, source)
