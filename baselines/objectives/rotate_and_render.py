"""Rotate-and-Render: turn a head away, turn it back, and learn to repair what that did (sections 3.2 to 3.4).

No pairs are needed, and no second view of a person: a head is fitted to a frame, textured, drawn in a random pose b;
that picture is taken for the source, textured again and drawn in the frame's own pose a. What was hidden in b is now
missing or wrong, as it is in any head that was turned once, and the frame itself is what it should look like. Every
driving frame of a batch is such an example; source frames are not looked at.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from baselines import losses
from baselines.head_fitting import fit_heads
from baselines.head_model import HeadModel, read_head_model, synthetic
from baselines.head_rendering import draw_curves, textured, turned
from baselines.objectives import terms
from baselines.training.batch import Batch, Networks
from baselines.training.recipe import Recipe
from models.rotate_and_render import Generator, MultiScaleDiscriminator


def generator_losses(
    networks: Networks, batch: Batch, recipe: Recipe, rng: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Distances from the frames (`terms.reconstruction`) and, where the recipe has a discriminator, the hinge loss and
    the distance of its features; outputs prediction [B, T, 3, R, R]."""
    frames = batch.driving.flatten(0, 1)
    rendering, curves = there_and_back(frames, batch.driving_extras["landmarks68"].flatten(0, 1), recipe, rng)
    prediction = cast(Generator, networks["netG_rotatespade"])(rendering, curves)["prediction"]
    found = terms.reconstruction(networks, prediction, frames, recipe)
    if recipe.discriminators:
        judge = cast(MultiScaleDiscriminator, networks["netD"])
        fake = judge(prediction)
        with torch.no_grad():
            real = judge(frames)
        found |= terms.weighted(
            recipe,
            adversarial=lambda: _total([losses.hinge_generator(scores) for _, scores in fake]),
            feature_matching=lambda: _total(
                [losses.feature_matching(a, b) for (a, _), (b, _) in zip(real, fake, strict=True)]
            ),
        )
    return found, {"prediction": prediction.view_as(batch.driving)}


def discriminator_losses(
    networks: Networks, batch: Batch, outputs: dict[str, Tensor], recipe: Recipe, rng: torch.Generator
) -> dict[str, Tensor]:
    """The hinge loss of each scale: patches of frames above 1, of predictions below -1."""
    judge = cast(MultiScaleDiscriminator, networks["netD"])
    real, fake = judge(batch.driving.flatten(0, 1)), judge(outputs["prediction"].flatten(0, 1))
    found = [losses.hinge_discriminator(a, b) for (_, a), (_, b) in zip(real, fake, strict=True)]
    return {"discriminator": recipe.weights["adversarial"] * _total(found)}


@torch.no_grad()
def there_and_back(frames: Tensor, landmarks: Tensor, recipe: Recipe, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Frames [N, 3, R, R] turned to a random pose and back, and curves [N, 5, R, R] of their fitted landmarks.

    Random poses have |yaw|, |pitch|, |roll| of at most `settings.most_degrees`; `settings.head_model` is a file for
    `read_head_model`, without which the head of SynthHeads is fitted.
    """
    head, side = _head(recipe.settings.get("head_model"), frames.device), frames.shape[-1]
    most = torch.tensor(recipe.settings["most_degrees"], dtype=torch.float32)
    away = ((2 * torch.rand(len(frames), 3, generator=rng) - 1) * most).to(frames.device)
    with torch.autocast(frames.device.type, enabled=False):
        own = fit_heads(head, landmarks, side)
        other = replace(own, angles=away)
        seen = turned(head, textured(head, frames.float(), own), other)
        return turned(head, textured(head, seen, other), own), draw_curves(own.landmarks(head, side), side)


@lru_cache(maxsize=2)
def _head(path: str | None, device: torch.device) -> HeadModel:
    return (synthetic() if path is None else read_head_model(Path(path))).to(device)


def _total(parts: list[Tensor]) -> Tensor:
    return torch.stack(parts).sum()
