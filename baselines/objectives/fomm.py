"""FOMM: reconstruct a driving frame from another frame of its clip (section 3.3 and supplementary B of the paper)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from baselines import losses
from baselines.initialise import keep_statistics, pass_through
from baselines.objectives import terms
from baselines.training.batch import Batch, Networks
from baselines.training.recipe import Recipe
from models.fomm import Generator, KeypointDetector


def prepare(networks: Networks, recipe: Recipe) -> None:
    """With `start_as_copy` the generator begins as a copy of the warped source, so that minutes go into motion."""
    if recipe.settings.get("start_as_copy"):
        pass_through(cast(Generator, networks["generator"]))


def generator_losses(
    networks: Networks, batch: Batch, recipe: Recipe, rng: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Reconstruction and equivariance (eq. 9, 11, 13); with a discriminator also least squares and feature matching."""
    detector, generator = cast(KeypointDetector, networks["kp_detector"]), cast(Generator, networks["generator"])
    if recipe.settings.get("start_as_copy"):
        keep_statistics(generator)
    source, driving = batch.source[:, 0], batch.driving[:, 0]
    kp_source, kp_driving = detector(source), detector(driving)
    prediction = generator(source, kp_source=kp_source, kp_driving=kp_driving)["prediction"]
    found = terms.reconstruction(networks, prediction, driving, recipe)
    warp = losses.RandomWarp.sample(len(driving), rng).to(driving.device)
    kp_warped = detector(warp.images(driving, align_corners=generator.align_corners))
    found |= terms.weighted(
        recipe,
        equivariance_value=lambda: losses.equivariance_value(kp_driving["value"], kp_warped["value"], warp),
        equivariance_jacobian=lambda: losses.equivariance_jacobian(
            kp_driving["jacobian"], kp_warped["value"], kp_warped["jacobian"], warp
        ),
    )
    if recipe.discriminators:
        seen = {"value": kp_driving["value"].detach()}
        fake_maps, fake = networks["discriminator"](prediction, seen)
        real_maps, _ = networks["discriminator"](driving, seen)
        found |= terms.weighted(
            recipe,
            adversarial=lambda: losses.least_squares_generator(fake),
            feature_matching=lambda: losses.feature_matching(real_maps, fake_maps),
        )
    return found, {"prediction": prediction[:, None], "kp_driving": kp_driving["value"]}


def discriminator_losses(
    networks: Networks, batch: Batch, outputs: dict[str, Tensor], recipe: Recipe, rng: torch.Generator
) -> dict[str, Tensor]:
    """Least squares: 1 for driving frames, 0 for predictions."""
    seen = {"value": outputs["kp_driving"]}
    _, real = networks["discriminator"](batch.driving[:, 0], seen)
    _, fake = networks["discriminator"](outputs["prediction"][:, 0], seen)
    return {"discriminator": recipe.weights["adversarial"] * losses.least_squares_discriminator(real, fake)}
