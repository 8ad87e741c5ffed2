"""How fs-vid2vid is trained, at a size that learns in seconds."""

from dataclasses import replace

import pytest
import torch

import models
from baselines.edge_maps import draw_edges
from baselines.losses import flows
from baselines.objectives import fs_vid2vid as objective
from baselines.training.batch import Batch
from baselines.training.recipe import Optimiser, read_recipe
from models.fs_vid2vid import Previous
from tests.baselines.adversary import round_of
from tests.baselines.squares import squares
from tests.models.test_fs_vid2vid import TINY

SIDE = 32
WEIGHTS = {"pixels": 10.0, "warp": 10.0, "occlusion": 0.2, "landmark_flow": 0.5, "drawn": 5.0}
JUDGED = {"adversarial": 1.0, "feature_matching": 10.0}


@pytest.fixture
def networks():
    torch.manual_seed(0)
    return models.create("fs-vid2vid", "mini", **TINY)


@pytest.fixture
def batch():
    """Two rows of two sources and two driving frames: a bright square that is where the landmarks are."""
    points, square = squares(2, SIDE, spread=12, reach=5)
    images = torch.stack([0.2 + 0.6 * square, 1 - square, 0.5 * square], dim=2)
    return Batch(images[:, :2], images[:, 2:], {"landmarks68": points[:, :2]}, {"landmarks68": points[:, 2:]})


@pytest.fixture
def recipe():
    return replace(read_recipe("fs-vid2vid-mini"), weights=WEIGHTS)


@pytest.fixture
def adversarial(recipe):
    return replace(recipe, discriminators=("net_D",), discriminator=Optimiser(2e-3), weights={"pixels": 10.0, **JUDGED})


def test_the_loss_falls_from_a_copy_of_the_source(networks, batch, recipe):
    objective.prepare(networks, recipe)
    generator, history = networks["net_G"], []
    optimiser = torch.optim.Adam(generator.parameters(), lr=4e-3)
    for _ in range(50):
        losses, outputs = objective.generator_losses(networks, batch, recipe, torch.Generator())
        optimiser.zero_grad()
        sum(losses.values()).backward()
        optimiser.step()
        history.append(float(losses["pixels"].detach()))
    assert set(losses) == set(WEIGHTS)
    assert outputs["prediction"].shape == batch.driving.shape
    assert sum(history[-5:]) < 0.6 * sum(history[:5])
    copy = torch.nn.functional.l1_loss(batch.source[:, :1].expand_as(batch.driving), batch.driving)
    assert torch.nn.functional.l1_loss(outputs["prediction"], batch.driving) < 0.6 * copy


def test_a_step_with_a_discriminator_moves_both(networks, batch, adversarial):
    optimisers = [torch.optim.Adam(networks[part].parameters(), lr=2e-3) for part in ("net_G", "net_D")]
    judged = []
    for _ in range(6):
        losses, _, verdict = round_of(objective, networks, batch, adversarial, optimisers)
        optimisers[1].step()
        judged.append(float(verdict["discriminator"].detach()))
    assert set(losses) == {"pixels", *JUDGED}
    assert judged[-1] < judged[0]


def test_gradients_reach_every_parameter(networks, batch, recipe):
    losses, _ = objective.generator_losses(networks, batch, recipe, torch.Generator())
    sum(losses.values()).backward()
    for name, parameter in networks["net_G"].named_parameters():
        if "ref_img_up_0" not in name and "ref_label_up_0" not in name:  # which the published layout does not use
            assert parameter.grad is not None, name


def test_it_starts_as_a_copy_of_a_source(networks, batch, recipe):
    objective.prepare(networks, recipe)
    for network in networks.values():
        network.eval()
    with torch.no_grad():
        labels = draw_edges(batch.source_extras["landmarks68"][:, 0], SIDE)
        wanted = draw_edges(batch.driving_extras["landmarks68"][:, 0], SIDE)
        found = networks["net_G"](wanted, labels[:, None], batch.source[:, :1])
    assert found["fake_flow_maps"][0].abs().max() == 0
    torch.testing.assert_close(found["warped_images"][0], batch.source[:, 0], atol=1e-5, rtol=0)
    assert found["fake_occlusion_masks"][0].mean() < 0.3


def test_each_frame_is_made_from_the_one_before(networks, batch, recipe):
    network = networks["net_G"].eval()
    with torch.no_grad():
        _, outputs = objective.generator_losses(networks, batch, recipe, torch.Generator())
        sources = draw_edges(batch.source_extras["landmarks68"][1], SIDE)[None]
        labels = draw_edges(batch.driving_extras["landmarks68"][1], SIDE)
        first = network(labels[:1], sources, batch.source[1:])["prediction"]
        second = network(labels[1:], sources, batch.source[1:], Previous(labels[:1], first))["prediction"]
    torch.testing.assert_close(outputs["prediction"][1], torch.cat([first, second]), atol=1e-5, rtol=0)


def test_adversarial_losses_are_the_formulas(networks, batch, adversarial):
    for network in networks.values():
        network.eval()
    with torch.no_grad():
        losses, outputs = objective.generator_losses(networks, batch, adversarial, torch.Generator())
        verdict = objective.discriminator_losses(networks, batch, outputs, adversarial, torch.Generator())
        seen = (outputs["label"], outputs["ref_label"], outputs["ref_image"])
        fake, fake_scores = networks["net_D"](*seen, outputs["prediction"].flatten(0, 1))
        real, real_scores = networks["net_D"](*seen, batch.driving.flatten(0, 1))
    torch.testing.assert_close(losses["adversarial"], -sum(scores.mean() for scores in fake_scores) / 2)
    matched = sum((a - b).abs().mean() for x, y in zip(real, fake, strict=True) for a, b in zip(x, y, strict=True)) / 2
    torch.testing.assert_close(losses["feature_matching"], 10 * matched)
    hinge = [
        (1 - a).clamp(min=0).mean() + (1 + b).clamp(min=0).mean() for a, b in zip(real_scores, fake_scores, strict=True)
    ]
    torch.testing.assert_close(verdict["discriminator"], sum(hinge) / 2)


def test_an_occlusion_map_should_be_open_where_the_warped_image_fits():
    target = torch.zeros(1, 3, 2, 2)
    warped = target.clone()
    warped[..., 0] = 0.9  # does not fit at all
    warped[:, 0, 0, 1] = 0.1  # is trusted by 0.8
    share = torch.tensor([[[[0.7, 0.2], [0.4, 0.1]]]])
    expected = ((1 - 0.7) + (0.8 * 0.2 + 0.2 * 0.8) + (1 - 0.4) + 0.1) / 4
    assert float(flows.occlusion(share, warped, target)) == pytest.approx(expected)


def test_flows_should_lead_from_landmark_to_landmark():
    flow = torch.zeros(1, 2, 8, 10)
    flow[:, 0], flow[:, 1] = torch.arange(10.0), 2.0  # x grows with x
    points, others = torch.tensor([[[3.0, 2.0], [5.5, 4.0]]]), torch.tensor([[[6.0, 5.0], [11.0, 6.0]]])
    assert float(flows.landmark_flow(flow, points, others)) == pytest.approx((0 + 1 + 0 + 0) / 4, abs=1e-5)


def test_the_authors_weights_stand_in_the_paper_s_recipe():
    recipe = read_recipe("fs-vid2vid-paper")
    assert {name: recipe.weights[name] for name in ("adversarial", "feature_matching", "perceptual")} == {
        "adversarial": 1,
        "feature_matching": 10,
        "perceptual": 10,
    }
    assert (recipe.generator.learning_rate, recipe.discriminator.learning_rate) == (1e-4, 4e-4)
    assert (recipe.generator.betas, recipe.ema) == ((0.0, 0.999), 0.999)
