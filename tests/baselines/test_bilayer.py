"""How the bi-layer model is driven, and how the authors' weights come to it."""

import pytest
import torch

import baselines
import baselines.bilayer
import models
import models.bilayer
from baselines.bilayer import Bilayer, poses_of
from baselines.bilayer_enhanced import BilayerEnhanced
from baselines.checkpoint import save
from baselines.landmark_drawing import draw_stickmen
from models.errors import InputError
from tests.models.test_bilayer import TINY

SIDE = 32


@pytest.fixture
def sizes(monkeypatch):
    """Both presets, made tiny."""
    config = models.bilayer.Config(**TINY)
    for preset in ("mini", "paper"):
        monkeypatch.setitem(models.bilayer.PRESETS, preset, config)
        monkeypatch.setitem(baselines.bilayer.RESOLUTION, preset, SIDE)


@pytest.fixture
def networks(sizes):
    torch.manual_seed(0)
    return {part: models.create("bilayer", "mini")[part].eval() for part in Bilayer.parts}


@pytest.fixture
def model(networks, tmp_path):
    """The adapter with random weights, as training would leave them."""
    path = tmp_path / "made" / "checkpoint.safetensors"
    save(path, networks, model="bilayer", preset="mini", steps=7)
    return baselines.load("bilayer", checkpoint=path)


def frames(count, seed=0):
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def extras(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    landmarks = torch.rand(count, 68, 2, generator=generator) * SIDE
    return {"landmarks68": landmarks, "mask": torch.rand(count, 1, SIDE, SIDE, generator=generator)}


def test_the_adapter_gives_what_the_networks_give(model, networks):
    assert (model.spec.shots, model.spec.needs, model.spec.details["steps"]) == (8, ("landmarks68", "mask"), 7)
    assert model.spec.parameters == sum(p.numel() for network in networks.values() for p in network.parameters())
    given, driven = extras(3), extras(20, 1)
    source = model.encode_source(frames(3), given)
    images, masks = model.reenact_with_mask(source, frames(20, 1), driven)
    assert torch.equal(model.reenact(source, frames(20, 1), driven), images)
    with torch.no_grad():
        drawn = draw_stickmen(2 * given["landmarks68"] / SIDE - 1, SIDE)
        person = models.bilayer.encode(networks, frames(3)[None], given["mask"][None], drawn[None])
        found = models.bilayer.drive(networks, person, 2 * driven["landmarks68"][17:18] / SIDE - 1)
    torch.testing.assert_close(images[17:18], found["prediction"].clamp(0, 1), atol=1e-5, rtol=0)
    torch.testing.assert_close(masks[17:18], found["mask"], atol=1e-5, rtol=0)


def with_settled_norms(preset):
    """Networks with spectral norm after a few steps, in which the norms come to be those of the weights."""
    torch.manual_seed(0)
    every = models.create("bilayer", preset, spectral_norm=True)
    networks = {part: every[part].train() for part in Bilayer.parts}
    for _ in range(20):
        predicted(networks, 2, 2)
    for network in networks.values():
        network.eval()
    return networks


def predicted(networks, sources, seed):
    """What networks make of `sources` images of a person."""
    given = extras(sources, seed)
    drawn = draw_stickmen(poses_of(given["landmarks68"], SIDE), SIDE)
    with torch.no_grad():
        person = models.bilayer.encode(networks, frames(sources, seed)[None], given["mask"][None], drawn[None])
        found = models.bilayer.drive(networks, person, poses_of(extras(2, 1)["landmarks68"], SIDE))
    return found["prediction"].clamp(0, 1)


def test_weights_that_still_have_spectral_norm_are_driven_without(sizes, tmp_path):
    normed = with_settled_norms("mini")
    path = tmp_path / "made" / "checkpoint.safetensors"
    save(path, normed, model="bilayer", preset="mini", steps=7, switches={"spectral_norm": True})
    model = baselines.load("bilayer", checkpoint=path)
    assert not any("weight_orig" in name for network in model.networks.values() for name in network.state_dict())
    found = model.reenact(model.encode_source(frames(2), extras(2)), frames(2), extras(2, 1))
    torch.testing.assert_close(found, predicted(normed, 2, 0), atol=1e-5, rtol=0)


def test_pictures_are_black_where_there_is_no_head(model, monkeypatch):
    source = model.encode_source(frames(1), extras(1))
    drive = baselines.bilayer.drive

    def beside(networks, person, poses):
        found = drive(networks, person, poses)
        mask = torch.zeros_like(found["mask"])
        return {**found, "mask": mask, "prediction": (models.bilayer.masked(found["pred_target_imgs"], mask) + 1) / 2}

    monkeypatch.setattr(baselines.bilayer, "drive", beside)
    assert not model.reenact(source, frames(2), extras(2)).any()


def test_what_a_sum_of_layers_leaves_the_range_by_is_cut_off(model, monkeypatch):
    source = model.encode_source(frames(1), extras(1))
    drive = baselines.bilayer.drive
    monkeypatch.setattr(
        baselines.bilayer,
        "drive",
        lambda *given: {**(found := drive(*given)), "prediction": 5 * found["prediction"] - 1},
    )
    images = model.reenact(source, frames(2), extras(2))
    assert (images.min(), images.max()) == (0, 1)


def test_it_sees_of_driving_frames_their_landmarks_alone(model):
    source = model.encode_source(frames(1), extras(1))
    driven = extras(2, 5)
    one = model.reenact(source, frames(2, 1), driven)
    other = model.reenact(source, frames(2, 2), {"landmarks68": driven["landmarks68"]})
    assert torch.equal(one, other)
    assert not torch.equal(one, model.reenact(source, frames(2, 1), extras(2, 6)))


def test_what_is_behind_the_source_s_head_is_not_seen(model):
    given = extras(1)
    given["mask"] = (given["mask"] > 0.5).float()
    driven = extras(2, 1)
    one = model.reenact(model.encode_source(frames(1), given), frames(2), driven)
    other = model.reenact(model.encode_source(frames(1) * given["mask"], given), frames(2), driven)
    torch.testing.assert_close(one, other)


def test_corners_of_a_picture_are_minus_one_and_one():
    landmarks = torch.tensor([[0.0, 0.0], [32.0, 16.0]])
    assert poses_of(landmarks, 32).tolist() == [[-1, -1], [1, 0]]


def test_what_it_cannot_take_is_named(model):
    lost = extras(3)
    lost["landmarks68"][1] = float("nan")
    with pytest.raises(InputError, match="landmarks68: no face was found in source frames 1"):
        model.encode_source(frames(3), lost)
    with pytest.raises(InputError, match="extras of source frames: expected mask, got landmarks68"):
        model.encode_source(frames(3), {"landmarks68": extras(3)["landmarks68"]})
    with pytest.raises(InputError, match="extras of source frames: expected landmarks68, got nothing"):
        model.encode_source(frames(3), {})
    with pytest.raises(InputError, match=r"mask of source frames: expected shape \[1, 1, 32, 32\]"):
        model.encode_source(frames(1), {**extras(1), "mask": torch.zeros(1, 1, 16, 16)})
    with pytest.raises(InputError, match="expected at most 8 source images"):
        model.encode_source(frames(9), extras(9))
    source = model.encode_source(frames(1), extras(1))
    with pytest.raises(InputError, match=r"landmarks68 of driving frames: expected shape \[2, 68, 2\]"):
        model.reenact(source, frames(2), extras(3))
    with pytest.raises(InputError, match="relative_to: bilayer knows absolute motion alone"):
        model.reenact(source, frames(2), extras(2), relative_to=frames(1))


@pytest.mark.parametrize("kind", [Bilayer, BilayerEnhanced])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_at_half_precision_pictures_stay_the_same_to_rounding(sizes, precision, kind):
    exact, model = kind.random(), kind.random()
    model.use(precision)
    found, expected = (
        m.reenact(m.encode_source(frames(1), extras(1)), frames(3), extras(3, 1)) for m in (model, exact)
    )
    assert found.dtype == torch.float32
    assert not torch.equal(found, expected)
    assert -10 * (found - expected).square().mean().log10() > 35


def test_the_enhancer_corrects_the_texture_once(sizes, tmp_path):
    torch.manual_seed(0)
    every = models.create("bilayer", "mini")
    path = tmp_path / "made" / "checkpoint.safetensors"
    save(path, {part: every[part] for part in BilayerEnhanced.parts}, model="bilayer", preset="mini", steps=7)
    plain, model = (baselines.load(name, checkpoint=path) for name in ("bilayer", "bilayer-enhanced"))
    assert model.spec.parameters > plain.spec.parameters
    before, after = (m.encode_source(frames(3), extras(3)).state["person"] for m in (plain, model))
    poses = poses_of(extras(3)["landmarks68"], SIDE)
    for network in every.values():
        network.eval()
    with torch.no_grad():
        expected = models.bilayer.enhance(every, before, frames(3)[None], poses[None])
    torch.testing.assert_close(after.texture, expected.texture, atol=1e-4, rtol=0)
    one, other = (m.reenact(m.encode_source(frames(3), extras(3)), frames(2), extras(2, 1)) for m in (plain, model))
    assert not torch.equal(one, other)
