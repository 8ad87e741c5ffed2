"""How pSp is trained, at a size that learns in seconds."""

from dataclasses import replace

import pytest
import torch

import models
from baselines.checkpoint import MissingCheckpoint, save
from baselines.objectives import psp as objective
from baselines.training.batch import Batch
from baselines.training.errors import TrainingError
from baselines.training.recipe import read_recipe
from tests.baselines import learning
from tests.baselines.learning import fall
from tests.baselines.psp_tiny import SIDE, TINY


@pytest.fixture
def networks():
    torch.manual_seed(0)
    return models.create("psp", "mini", **TINY)


@pytest.fixture
def batch():
    """Four rows of a bright square on a colour of its own, whose place is the head's pose."""
    generator = torch.Generator().manual_seed(0)
    places = 2 * torch.rand(4, 2, 2, generator=generator) - 1
    near = (torch.arange(SIDE) - (8 + 4 * places[..., None])).abs() < 3  # [4, 2, 2, SIDE]
    square = (near[..., 0, None, :] & near[..., 1, :, None]).float()[:, :, None]
    colours = torch.rand(4, 1, 3, 1, 1, generator=generator)
    frames = square + (1 - square) * 0.6 * colours
    pose = torch.cat([20 * places, torch.zeros(4, 2, 1)], dim=-1)
    return Batch(frames[:, :1], frames[:, 1:], {"pose": pose[:, :1]}, {"pose": pose[:, 1:]})


def train(networks, batch, recipe, steps):
    return learning.train(objective, networks, batch, recipe, steps, 5e-3)


def test_poses_that_are_known_turn_heads(networks, batch):
    recipe = replace(read_recipe("psp-mini"), resolution=SIDE, settings={"lively": True, "grow": [[40, 8]]})
    objective.prepare(networks, recipe)
    seen = train(networks, batch, recipe, 120)
    assert set(seen[0]) == {"pixels", "gradients", "w_norm"}
    assert fall(seen, "pixels") < 0.5
    for network in networks.values():
        network.eval()
    with torch.no_grad():
        styles = networks["average"](objective.encode(networks, batch.source[:, 0]))
        right, wrong = (
            (networks["decoder"](networks["directions"](styles, pose)) / 2 + 0.5 - batch.driving[:, 0]).abs().mean()
            for pose in (batch.driving_extras["pose"][:, 0], -batch.driving_extras["pose"][:, 0])
        )
    assert right < 0.7 * wrong


def test_pictures_grow(networks, batch):
    recipe = replace(read_recipe("psp-mini"), settings={"grow": [[2, 8]], "outer": 1.0}, resolution=SIDE)
    sides = []
    for _ in range(3):
        _, outputs = objective.generator_losses(networks, batch, recipe, torch.Generator())
        picture = outputs["prediction"][:, 0]
        doubled = torch.nn.functional.interpolate(picture[..., ::2, ::2], scale_factor=2)
        sides.append(8 if torch.equal(doubled, picture) else 16)
    assert sides == [8, 8, 16]


def test_turned_heads_and_the_face_weigh_more():
    weights = objective.emphasis(torch.tensor([[0.0, 0.0, 0.0], [30.0, 0.0, 0.0], [0.0, -20.0, 0.0]]), 0.5)
    torch.testing.assert_close(weights.flatten(), torch.tensor([1.0, 2.5, 2.0]) / 5.5 * 3)
    where = objective.inner(torch.zeros(2, 3, 256, 256), 0.2)
    assert where.shape == (1, 1, 256, 256)
    assert where[0, 0, 35:223, 32:220].eq(1).all()
    assert float(where.sum()) == pytest.approx(188 * 188 + 0.2 * (256 * 256 - 188 * 188), rel=1e-5)


class Judge(torch.nn.Module):
    """Who is seen is the mean colour."""

    def of_faces(self, images):
        return images.mean((2, 3))


@pytest.fixture
def paper():
    return replace(read_recipe("psp-paper"), preset="mini", settings={})


def frontal(networks, batch, recipe):
    given = Batch(batch.source, batch.driving, {}, {})
    judges = {"vgg19": lambda images: [images.mean(1), images.amax(1), images[:, 0], images[:, 1], images[:, 2]]}
    judges["ir-se50"] = Judge()
    return objective.generator_losses(networks | judges, given, recipe, torch.Generator().manual_seed(0))


def test_the_papers_losses_are_against_a_target_that_may_be_mirrored(networks, batch, paper):
    for network in networks.values():
        network.eval()
    with torch.no_grad():
        found, outputs = frontal(networks, batch, paper)
        flipped = replace(batch, source=batch.source.flip(-1))
        styles = networks["average"](objective.encode(networks, batch.source[:, 0]))
        drawn = networks["decoder"](styles)
    assert set(found) == set(paper.weights)
    torch.testing.assert_close(outputs["prediction"][:, 0], drawn / 2 + 0.5)
    mirrored = torch.rand(4, generator=torch.Generator().manual_seed(0)) < 0.5
    assert mirrored.any()
    assert not mirrored.all()
    target = torch.where(mirrored[:, None, None, None], flipped.source[:, 0], batch.source[:, 0])
    inner = slice(2, 14)
    torch.testing.assert_close(found["l2"], 0.001 * (drawn - 2 * target + 1).square().mean())
    torch.testing.assert_close(
        found["l2_inner"], 0.01 * (drawn - 2 * target + 1)[:, :, inner, inner].square().mean(), rtol=1e-4, atol=0
    )
    cosine = torch.nn.functional.cosine_similarity(drawn.mean((2, 3)), (2 * batch.source[:, 0] - 1).mean((2, 3)))
    torch.testing.assert_close(found["identity"], (1 - cosine).mean())
    torch.testing.assert_close(
        found["w_norm"], 0.005 * (styles - networks["average"].latent_avg).flatten(1).norm(dim=1).mean()
    )


def test_a_decoder_that_is_named_is_taken_and_kept(networks, batch, paper, tmp_path):
    torch.manual_seed(1)
    trained = models.create("psp", "mini", **TINY)
    trained["average"].latent_avg.normal_()
    files = {"ours": tmp_path / "ours.safetensors", "stylegan2": tmp_path / "stylegan2.pt"}
    save(files["ours"], trained, model="psp", preset="mini", steps=1, switches=TINY)
    torch.save(
        {"g_ema": trained["decoder"].state_dict(), "latent_avg": trained["average"].latent_avg}, files["stylegan2"]
    )
    for path in files.values():
        fresh = models.create("psp", "mini", **TINY)
        objective.prepare(fresh, replace(paper, settings={"decoder": str(path)}))
        assert torch.equal(fresh["average"].latent_avg, trained["average"].latent_avg)
        expected = trained["decoder"].state_dict()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in fresh["decoder"].state_dict().items())
    found, _ = frontal(fresh, batch, paper)
    sum(found.values()).backward()
    assert all(parameter.grad is None for parameter in fresh["decoder"].parameters())
    assert all(parameter.grad is not None for parameter in fresh["encoder"].parameters())
    with pytest.raises(MissingCheckpoint, match="bench weights fetch psp-frontalization"):
        objective.prepare(networks, replace(paper, settings={"decoder": "psp-frontalization"}))


def test_a_recipe_for_poses_needs_them(networks, batch):
    recipe = replace(read_recipe("psp-mini"), weights={"pixels": 10.0})
    without = Batch(batch.source, batch.driving, {}, {})
    with pytest.raises(TrainingError, match="none of its weights is of a loss that is known without poses"):
        objective.generator_losses(networks, without, recipe, torch.Generator())
