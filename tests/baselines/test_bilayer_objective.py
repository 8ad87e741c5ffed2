"""How the bi-layer model is trained, at a size that learns in seconds."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

import models
from baselines.bilayer import Bilayer, poses_of
from baselines.landmark_drawing import draw_stickmen
from baselines.objectives import bilayer as objective
from baselines.training.batch import Batch
from baselines.training.recipe import Optimiser, read_recipe
from models.bilayer import drive, encode, masked
from tests.baselines.adversary import round_of
from tests.baselines.squares import squares
from tests.models.test_bilayer import TINY

SIDE = 32
ADVERSARIAL = {"low": 10.0, "segmentation": 10.0, "pixels": 10.0, "adversarial": 0.5, "feature_matching": 10.0}


@pytest.fixture
def networks():
    torch.manual_seed(0)
    return models.create("bilayer", "mini", **TINY)


@pytest.fixture
def batch():
    """Two rows of two sources and two driving frames: a striped square that is where the landmarks are."""
    points, square = squares(2, SIDE, spread=10, reach=7)
    generator = torch.Generator().manual_seed(1)
    colour = torch.tensor([0.9, 0.5, 0.3])[:, None, None]
    frames = square[:, :, None] * colour + (1 - square[:, :, None]) * torch.rand(2, 1, 3, 1, 1, generator=generator)
    known = {"landmarks68": points, "mask": square[:, :, None]}
    source, driving = ({name: extra[:, some] for name, extra in known.items()} for some in (slice(2), slice(2, 4)))
    return Batch(frames[:, :2], frames[:, 2:], source, driving)


@pytest.fixture
def recipe():
    return replace(
        read_recipe("bilayer-mini"),
        parts=Bilayer.parts,
        discriminators=("discriminator",),
        discriminator=Optimiser(2e-3),
        weights=ADVERSARIAL,
    )


def untaught(networks, parts):
    """Names of parameters without a gradient."""
    return [
        f"{part}.{name}"
        for part in parts
        for name, parameter in networks[part].named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]


def test_the_loss_falls_and_every_parameter_learns(networks, batch, recipe):
    trained = [p for part in Bilayer.parts for p in networks[part].parameters()]
    optimisers = [torch.optim.Adam(p, lr=2e-3) for p in (trained, [*networks["discriminator"].parameters()])]
    told, judged = [], []
    for step in range(50):
        losses, outputs, verdict = round_of(objective, networks, batch, recipe, optimisers)
        if step == 0:
            still = untaught(networks, (*Bilayer.parts, "discriminator"))
            second_half = "identity_embedder.net.dec_blocks.2."  # of the last block: no output depends on it
            constant = "discriminator.net.linear.bias"  # scores are compared with each other alone
            assert {name for name in still if not name.startswith(second_half)} <= {constant}
            assert all("block_feats" not in name for name in still)
        optimisers[1].step()
        told.append({name: float(loss.detach()) for name, loss in losses.items()})
        judged.append(float(verdict["discriminator"].detach()))
    assert set(losses) == set(ADVERSARIAL)
    assert outputs["prediction"].shape == batch.driving.shape
    for name in ("low", "segmentation", "pixels"):
        assert sum(one[name] for one in told[-5:]) < 0.6 * sum(one[name] for one in told[:5]), name
    assert min(judged) < judged[0]


def test_it_predicts_each_driving_frame_from_its_own_row(networks, batch, recipe):
    for network in networks.values():
        network.eval()
    with torch.no_grad():
        _, outputs = objective.generator_losses(networks, batch, recipe, torch.Generator())
        drawn = draw_stickmen(poses_of(batch.source_extras["landmarks68"][1], SIDE), SIDE)
        person = encode(networks, batch.source[1:2], batch.source_extras["mask"][1:2], drawn[None])
        found = drive(networks, person, poses_of(batch.driving_extras["landmarks68"][1], SIDE))
    torch.testing.assert_close(outputs["prediction"][1], found["prediction"], atol=1e-5, rtol=0)
    torch.testing.assert_close(outputs["target"][2:4], batch.driving[1] * found["mask"], atol=1e-5, rtol=0)


def test_each_layer_has_its_own_teacher(networks, batch, recipe):
    heads = networks["inference_generator"].gen_inf.heads
    texture = networks["texture_generator"].gen_tex.heads[0][0]
    taught = {"warp": heads[0][0], "low": heads[1][0], "mask": heads[2][0], "texture": texture}
    expected = {"low": {"low"}, "segmentation": {"mask"}, "pixels": {"warp", "texture"}}
    expected["adversarial"] = {"low", "warp", "texture"}
    losses, _ = objective.generator_losses(networks, batch, recipe, torch.Generator())
    for name, learners in expected.items():
        gradients = torch.autograd.grad(
            losses[name], [layer.weight for layer in taught.values()], retain_graph=True, allow_unused=True
        )
        found = {layer for layer, gradient in zip(taught, gradients, strict=True) if gradient is not None}
        assert found == learners, name


def test_the_enhancer_learns_beside_the_others_and_moves_none(networks, batch, recipe):
    recipe = replace(recipe, discriminators=(), parts=(*recipe.parts, "texture_enhancer"))
    losses, _ = objective.generator_losses(networks, batch, recipe, torch.Generator())
    assert {"pixels", "enhanced pixels"} <= set(losses)
    losses["enhanced pixels"].backward()
    assert not untaught(networks, ("texture_enhancer",))
    assert all(p.grad is None for part in Bilayer.parts for p in networks[part].parameters())
    optimiser = torch.optim.Adam(networks["texture_enhancer"].parameters(), lr=5e-3)
    told = []
    for _ in range(20):
        losses, _ = objective.generator_losses(networks, batch, recipe, torch.Generator())
        optimiser.zero_grad()
        losses["enhanced pixels"].backward()
        optimiser.step()
        told.append([float(losses[name].detach()) for name in ("pixels", "enhanced pixels")])
    assert told[-1][1] < 0.9 * told[0][1]
    assert told[-1][1] < told[-1][0]


def test_losses_are_those_of_the_paper(networks, batch, recipe):
    for network in networks.values():
        network.eval()
    with torch.no_grad():
        losses, outputs = objective.generator_losses(networks, batch, recipe, torch.Generator())
        verdict = objective.discriminator_losses(networks, batch, outputs, recipe, torch.Generator())
        poses = poses_of(batch.driving_extras["landmarks68"].flatten(0, 1), SIDE)
        drawn = draw_stickmen(poses_of(batch.source_extras["landmarks68"].flatten(0, 1), SIDE), SIDE)
        person = encode(networks, batch.source, batch.source_extras["mask"], drawn.view_as(batch.source))
        found = drive(networks, person.repeat(2), poses)
        mask, driving = found["mask"], batch.driving.flatten(0, 1)
        real_maps, real = networks["discriminator"](driving * mask, draw_stickmen(poses, SIDE))
        fake_maps, fake = networks["discriminator"](found["prediction"], draw_stickmen(poses, SIDE))
    low = (masked(found["pred_target_delta_lf_rgbs"], mask) - masked(2 * driving - 1, mask)).abs().mean()
    torch.testing.assert_close(losses["low"], 10 * low)
    entropy = F.binary_cross_entropy_with_logits(
        found["pred_target_segs_logits"], batch.driving_extras["mask"].flatten(0, 1)
    )
    torch.testing.assert_close(losses["segmentation"], 10 * entropy, atol=1e-4, rtol=1e-4)
    matched = sum((a - b).abs().mean() for a, b in zip(real_maps, fake_maps, strict=True)) / len(real_maps)
    torch.testing.assert_close(losses["feature_matching"], 10 * matched)
    hinge = sum(float((1 - (r - fake.mean())).clamp(min=0)) for r in real.flatten()) / real.numel()
    hinge += sum(float((1 + (f - real.mean())).clamp(min=0)) for f in fake.flatten()) / fake.numel()
    assert float(verdict["discriminator"]) == pytest.approx(0.5 * hinge, rel=1e-4)
    hinge = sum(float((1 - (f - real.mean())).clamp(min=0)) for f in fake.flatten()) / fake.numel()
    hinge += sum(float((1 + (r - fake.mean())).clamp(min=0)) for r in real.flatten()) / real.numel()
    assert float(losses["adversarial"]) == pytest.approx(0.5 * hinge, rel=1e-4)


def test_the_paper_s_recipe_asks_for_the_paper_s_losses():
    recipe = read_recipe("bilayer-paper")
    assert recipe.weights == {
        "adversarial": 0.5,
        "feature_matching": 10,
        "perceptual": 10,
        "perceptual-face": 0.01,
        "low": 10,
        "segmentation": 10,
    }
    assert recipe.generator == recipe.discriminator == Optimiser(2e-4, (0.5, 0.999))
    assert recipe.parts == Bilayer.parts
    assert recipe.needs == Bilayer.needs
