"""FOMM: reconstruct a driving frame from another frame of its clip (section 3.3 and supplementary B of the paper)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from baselines import losses
from baselines.initialise import pass_through
from baselines.objectives import terms
from baselines.training.batch import Batch, Networks
from baselines.training.recipe import Recipe
from models.fomm import Generator, KeypointDetector


def prepare(networks: Networks, recipe: Recipe) -> None:
    """With `start_as_copy` the generator begins as a copy of the warped source, so that a minute goes into motion."""
    if recipe.settings.get("start_as_copy"):
        pass_through(cast(Generator, networks["generator"]))


def generator_losses(
    networks: Networks, batch: Batch, recipe: Recipe, rng: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Reconstruction and equivariance (eq. 9, 11, 13)."""
    detector, generator = cast(KeypointDetector, networks["kp_detector"]), cast(Generator, networks["generator"])
    source, driving = batch.source[:, 0], batch.driving[:, 0]
    kp_source, kp_driving = detector(source), detector(driving)
    prediction = generator(source, kp_source=kp_source, kp_driving=kp_driving)["prediction"]
    found = terms.reconstruction(prediction, driving, recipe)
    warp = losses.RandomWarp.sample(len(driving), rng).to(driving.device)
    kp_warped = detector(warp.images(driving, align_corners=generator.align_corners))
    found["equivariance_value"] = recipe.weights["equivariance_value"] * losses.equivariance_value(
        kp_driving["value"], kp_warped["value"], warp
    )
    found["equivariance_jacobian"] = recipe.weights["equivariance_jacobian"] * losses.equivariance_jacobian(
        kp_driving["jacobian"], kp_warped["value"], kp_warped["jacobian"], warp
    )
    return found, {"prediction": prediction[:, None]}
