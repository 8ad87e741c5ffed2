"""MarioNETte: reconstruct driving frames from their drawn landmarks and K other frames of the clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from baselines import losses
from baselines.initialise import pass_through_alignment
from baselines.landmark_rendering import draw_landmarks
from baselines.losses.flows import landmark_flow_of_two
from baselines.objectives import terms
from baselines.training.batch import Batch, Networks
from baselines.training.recipe import Recipe
from models.marionette import Discriminator, Generator


def prepare(networks: Networks, recipe: Recipe) -> None:
    """With `start_as_copy` the generator begins as the mean of its targets, so that minutes go into motion."""
    if recipe.settings.get("start_as_copy"):
        pass_through_alignment(cast(Generator, networks["generator"]))


def generator_losses(
    networks: Networks, batch: Batch, recipe: Recipe, rng: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Distances from the driving frames (`terms.reconstruction`); where the recipe has a weight for it, the distance
    between a target's landmarks and where the flows look for the driver's; where it has a discriminator, the hinge loss
    and the distance of its features. Outputs prediction [B, T, 3, R, R] and drawn landmarks [B * T, 3, R, R]."""
    generator = cast(Generator, networks["generator"])
    driving = batch.driving.flatten(0, 1)
    side = driving.shape[-1]
    drawn = draw_landmarks(batch.driving_extras["landmarks68"].flatten(0, 1), side)
    sources = draw_landmarks(batch.source_extras["landmarks68"].flatten(0, 1), side).view_as(batch.source)
    targets = generator.encode_targets(batch.source, sources)
    each = targets.repeat(batch.driving.shape[1])
    prediction, flows = generator.drive_with_flows(drawn, each)
    found = terms.reconstruction(networks, prediction, driving, recipe)
    found |= terms.weighted(recipe, landmark_flow=lambda: _landmark_flow(batch, flows, each.flows))
    if recipe.discriminators:
        discriminator = cast(Discriminator, networks["discriminator"])
        features, scores = discriminator(prediction, drawn)
        with torch.no_grad():
            real, _ = discriminator(driving, drawn)
        found |= terms.weighted(
            recipe,
            adversarial=lambda: losses.hinge_generator(scores),
            feature_matching=lambda: losses.feature_matching(real, features),
        )
    return found, {"prediction": prediction.view_as(batch.driving), "drawn": drawn}


def discriminator_losses(
    networks: Networks, batch: Batch, outputs: dict[str, Tensor], recipe: Recipe, rng: torch.Generator
) -> dict[str, Tensor]:
    """The hinge loss of patches: real ones above 1, generated ones below -1."""
    discriminator = cast(Discriminator, networks["discriminator"])
    _, real = discriminator(batch.driving.flatten(0, 1), outputs["drawn"])
    _, generated = discriminator(outputs["prediction"].flatten(0, 1), outputs["drawn"])
    return {"discriminator": losses.hinge_discriminator(real, generated)}


def _landmark_flow(batch: Batch, flows: Sequence[Tensor], normalising: Sequence[Tensor]) -> Tensor:
    """Of the decoder's flows f_u at each scale, and f_y of each target."""
    half = (batch.driving.shape[-1] - 1) / 2
    driver = batch.driving_extras["landmarks68"].flatten(0, 1) / half - 1
    frames = batch.driving.shape[1]
    total = driver.new_zeros(())
    for shot, second in enumerate(normalising):
        target = batch.source_extras["landmarks68"][:, shot].repeat_interleave(frames, dim=0) / half - 1
        for first in flows:
            total = total + landmark_flow_of_two(first, second, driver, target)
    return total / (len(flows) * len(normalising))
