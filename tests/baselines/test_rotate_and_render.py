"""How Rotate-and-Render is driven and trained, with a tiny generator."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import baselines
import baselines.rotate_and_render
import models
import models.rotate_and_render
from baselines.checkpoint import WEIGHTS, save
from baselines.head_fitting import fit_heads
from baselines.objectives import rotate_and_render as objective
from baselines.training.batch import Batch
from baselines.training.recipe import Optimiser, read_recipe
from models.errors import InputError
from tests.baselines.adversary import round_of
from tests.baselines.test_head_fitting import SIDE, TURNS, filmed

CONFIG = models.rotate_and_render.Config(
    width=4, down_blocks=1, blocks=1, hidden=4, residual=True, disc_width=4, disc_max_width=8, disc_blocks=2
)


@pytest.fixture(scope="module")
def seen():
    return filmed(1, np.concatenate([np.zeros((1, 3), np.float32), TURNS]))


@pytest.fixture
def model(monkeypatch, tmp_path):
    monkeypatch.setitem(models.rotate_and_render.PRESETS, "mini", CONFIG)
    monkeypatch.setitem(baselines.rotate_and_render.RESOLUTION, "mini", SIDE)
    torch.manual_seed(0)
    path = tmp_path / "made" / "checkpoint.safetensors"
    networks = models.create("rar", "mini")
    save(path, {"netG_rotatespade": networks["netG_rotatespade"].eval()}, model="rar", preset="mini", steps=7)
    return baselines.load("rar", checkpoint=path)


def tensors(seen):
    return torch.from_numpy(seen.frames).permute(0, 3, 1, 2).float() / 255, torch.from_numpy(seen.landmarks)


def test_redirected_frames_are_nearest_to_the_truth_of_their_own_angles(model, seen):
    frames, points = tensors(seen)
    source = model.encode_source(frames[:1], {"landmarks68": points[:1]})
    found = model.redirect(source, *torch.from_numpy(TURNS).unbind(1))
    masks = torch.from_numpy(seen.mask[1:]).float()[:, None] / 255
    distance = ((found[:, None] - frames[None, 1:]).abs() * masks[None]).mean((2, 3, 4))
    assert (distance.argmin(1) == torch.arange(len(TURNS))).all(), distance
    torch.testing.assert_close(model.redirect(source, *torch.from_numpy(TURNS[2:3]).unbind(1)), found[2:3])


def test_driving_frames_give_their_pose(model, seen):
    frames, points = tensors(seen)
    source = model.encode_source(frames[:1], {"landmarks68": points[:1]})
    found = model.reenact(source, frames[1:], {"landmarks68": points[1:]})
    assert (found - frames[1:]).abs().mean() < (frames[:1] - frames[1:]).abs().mean()
    with pytest.raises(InputError, match="relative_to: rar knows absolute motion alone"):
        model.reenact(source, frames[1:], {"landmarks68": points[1:]}, relative_to=frames[:1])
    with pytest.raises(InputError, match="no face was found in source frames 0"):
        model.encode_source(frames[:1], {"landmarks68": points[:1] * float("nan")})


def test_training_needs_one_view_and_learns(seen):
    frames, points = tensors(seen)
    recipe = replace(
        read_recipe("rar-mini"),
        discriminators=("netD",),
        discriminator=Optimiser(2e-3),
        weights={"pixels": 10.0, "adversarial": 0.1, "feature_matching": 1.0},
    )
    extras = {"landmarks68": points[:3, None]}
    batch = Batch(frames[:3, None] * 0, frames[:3, None], extras, extras)
    torch.manual_seed(0)
    networks = models.create("rar", "mini", **vars(CONFIG))
    optimisers = [torch.optim.Adam(network.parameters(), lr=5e-3) for network in networks.values()]
    pixels = []
    for _ in range(30):
        losses, outputs, verdict = round_of(objective, networks, batch, recipe, optimisers)
        optimisers[1].step()
        pixels.append(float(losses["pixels"].detach()))
    assert set(losses) == set(recipe.weights)
    assert set(verdict) == {"discriminator"}
    assert outputs["prediction"].shape == batch.driving.shape
    assert sum(pixels[-5:]) < 0.9 * sum(pixels[:5]), pixels


def test_there_and_back_ends_in_the_frames_own_pose(seen):
    frames, points = tensors(seen)
    recipe = read_recipe("rar-mini")
    back, curves = objective.there_and_back(frames, points, recipe, torch.Generator().manual_seed(0))
    assert curves.shape == (len(frames), 5, SIDE, SIDE)
    distance = (back[:, None] - frames[None]).abs().mean((2, 3, 4))
    assert (distance.argmin(1) == torch.arange(len(frames))).all()
    other, _ = objective.there_and_back(frames, points, recipe, torch.Generator().manual_seed(1))
    assert (other - back).abs().max() > 0.05


def test_the_fit_is_the_same_at_any_size(seen):
    points = tensors(seen)[1]
    from baselines.head_model import synthetic

    small, large = (fit_heads(synthetic(), (points + 0.5) * k - 0.5, SIDE * k) for k in (1, 4))
    torch.testing.assert_close(small.angles, large.angles, atol=1e-2, rtol=0)


def test_the_card_is_of_the_shipped_file():
    card = json.loads((WEIGHTS / "rar-mini.json").read_text())
    spec = baselines.load("rar").spec
    assert card["sha256"] == spec.weights_sha256
    assert card["steps"] == spec.details["steps"]
    assert (spec.preset, spec.resolution, spec.parameters) == ("mini", card["resolution"], card["parameters"])
    assert (WEIGHTS / "rar-mini.safetensors").stat().st_size < 3_000_000
