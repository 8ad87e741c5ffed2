"""How MarioNETte is trained, at a size that learns in seconds."""

from dataclasses import replace

import pytest
import torch

import models
from baselines.landmark_rendering import draw_landmarks
from baselines.objectives import marionette as objective
from baselines.training.batch import Batch
from baselines.training.recipe import Optimiser, read_recipe
from tests.baselines.adversary import round_of
from tests.baselines.squares import squares

SIDE = 32
TINY = {
    "width": 4,
    "max_width": 12,
    "scales": 2,
    "attention_blocks": 1,
    "attention_width": 8,
    "disc_width": 4,
    "disc_blocks": 2,
}
WEIGHTS = {"pixels": 10.0, "adversarial": 1.0, "feature_matching": 10.0}


@pytest.fixture
def networks():
    torch.manual_seed(0)
    return models.create("marionette", "mini", **TINY)


@pytest.fixture
def batch():
    """Three rows of two sources and two driving frames: a bright square that is where the landmarks are."""
    points, square = squares(3, SIDE, spread=6, reach=5)
    frames = torch.stack([0.2 + 0.6 * square, 1 - square, 0.5 * square], dim=2)
    return Batch(frames[:, :2], frames[:, 2:], {"landmarks68": points[:, :2]}, {"landmarks68": points[:, 2:]})


@pytest.fixture
def recipe():
    return replace(
        read_recipe("marionette-motion-mini"),
        discriminators=("discriminator",),
        discriminator=Optimiser(2e-3),
        weights=WEIGHTS,
    )


def test_the_loss_falls_and_the_discriminator_learns(networks, batch, recipe):
    generator, discriminator = networks["generator"], networks["discriminator"]
    optimisers = [torch.optim.Adam(network.parameters(), lr=2e-3) for network in (generator, discriminator)]
    pixels, judged = [], []
    for _ in range(50):
        losses, outputs, verdict = round_of(objective, networks, batch, recipe, optimisers)
        optimisers[1].step()
        pixels.append(float(losses["pixels"].detach()))
        judged.append(float(verdict["discriminator"].detach()))
    assert set(losses) == set(WEIGHTS)
    assert outputs["prediction"].shape == batch.driving.shape
    assert sum(pixels[-5:]) < 0.6 * sum(pixels[:5])
    assert sum(judged[-5:]) < sum(judged[:5])


def test_it_predicts_each_driving_frame_from_its_own_row(networks, batch, recipe):
    networks["generator"].eval()
    with torch.no_grad():
        _, outputs = objective.generator_losses(networks, batch, recipe, torch.Generator())
        sources = draw_landmarks(batch.source_extras["landmarks68"][1], SIDE)
        driver = draw_landmarks(batch.driving_extras["landmarks68"][1, 1:], SIDE)
        alone = networks["generator"](driver, batch.source[1:2], sources[None])["prediction"]
    torch.testing.assert_close(outputs["prediction"][1, 1:], alone, atol=1e-5, rtol=0)


def test_adversarial_losses_are_the_formulas(networks, batch, recipe):
    for network in networks.values():
        network.eval()
    with torch.no_grad():
        losses, outputs = objective.generator_losses(networks, batch, recipe, torch.Generator())
        verdict = objective.discriminator_losses(networks, batch, outputs, recipe, torch.Generator())
        drawn = draw_landmarks(batch.driving_extras["landmarks68"].flatten(0, 1), SIDE)
        fake, fake_scores = networks["discriminator"](outputs["prediction"].flatten(0, 1), drawn)
        real, real_scores = networks["discriminator"](batch.driving.flatten(0, 1), drawn)
    torch.testing.assert_close(losses["adversarial"], -fake_scores.mean())
    torch.testing.assert_close(
        losses["feature_matching"], 10 * sum((a - b).abs().mean() for a, b in zip(real, fake, strict=True))
    )
    expected = (1 - real_scores).clamp(min=0).mean() + (1 + fake_scores).clamp(min=0).mean()
    torch.testing.assert_close(verdict["discriminator"], expected)


def test_without_a_discriminator_none_is_asked(networks, batch):
    losses, _ = objective.generator_losses(
        {"generator": networks["generator"]}, batch, read_recipe("marionette-motion-mini"), torch.Generator()
    )
    assert set(losses) == {"pixels", "gradients", "landmark_flow"}


def test_the_papers_weights_stand_in_its_recipe():
    recipe = read_recipe("marionette-paper")
    assert recipe.weights == {"adversarial": 1, "feature_matching": 10, "perceptual": 10, "perceptual-face": 0.01}
    assert (recipe.generator.learning_rate, recipe.discriminator.learning_rate) == (5e-5, 2e-4)
