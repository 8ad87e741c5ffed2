"""MarioNETte: reconstruct driving frames from their drawn landmarks and K other frames of the clip."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from baselines import losses
from baselines.landmark_rendering import draw_landmarks
from baselines.objectives import terms
from baselines.training.batch import Batch, Networks
from baselines.training.recipe import Recipe
from models.marionette import Discriminator, Generator


def generator_losses(
    networks: Networks, batch: Batch, recipe: Recipe, rng: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Distances from the driving frames (`terms.reconstruction`) and, where the recipe has a discriminator, the hinge
    loss and the distance of its features; outputs prediction [B, T, 3, R, R] and drawn landmarks [B * T, 3, R, R]."""
    generator = cast(Generator, networks["generator"])
    driving = batch.driving.flatten(0, 1)
    side = driving.shape[-1]
    drawn = draw_landmarks(batch.driving_extras["landmarks68"].flatten(0, 1), side)
    sources = draw_landmarks(batch.source_extras["landmarks68"].flatten(0, 1), side).view_as(batch.source)
    targets = generator.encode_targets(batch.source, sources)
    prediction = generator.drive(drawn, targets.repeat(batch.driving.shape[1]))
    found = terms.reconstruction(networks, prediction, driving, recipe)
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
