"""Bi-layer: reconstruct driving frames from their landmarks and other frames of the clip (section 3.4 of the paper).

Each layer has losses of its own, as in the authors' code: the low frequencies are taught by L1 ("low", in [-1, 1]) and
the adversary; what judges detail ("perceptual" and the like) sees the picture with the low frequencies held fixed, so
that it teaches texture and warp alone. Pictures and driving frames are compared behind the predicted mask, through
which no gradient goes: the segmentation is taught by the head's mask alone.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from baselines import losses
from baselines.bilayer import poses_of
from baselines.landmark_drawing import draw_stickmen
from baselines.objectives import terms
from baselines.training.batch import Batch, Networks
from baselines.training.recipe import Recipe
from models.bilayer import InferenceGenerator, Person, drive, encode, enhance, masked


def generator_losses(
    networks: Networks, batch: Batch, recipe: Recipe, rng: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """ "low", "segmentation", what `terms.reconstruction` has, "adversarial" and "feature_matching".

    Where the recipe trains the texture enhancer, the terms of `terms.reconstruction` are computed of its pictures too.
    It learns beside the others, which it does not move; the authors train it after them, with an adversary of its own.

    Outputs prediction [B, T, 3, R, R], black behind the head; target, the driving frames behind the same mask; and
    stickmen, their landmarks drawn, both [B * T, 3, R, R].
    """
    side, frames = batch.driving.shape[-1], batch.driving.shape[1]
    poses = poses_of(batch.driving_extras["landmarks68"].flatten(0, 1), side)
    drawn = draw_stickmen(poses_of(batch.source_extras["landmarks68"].flatten(0, 1), side), side)
    person = encode(networks, batch.source, batch.source_extras["mask"], drawn.view_as(batch.source))
    found = drive(networks, person.repeat(frames), poses)
    mask = found["mask"].detach()
    target = batch.driving.flatten(0, 1) * mask
    low, high = found["pred_target_delta_lf_rgbs"], found["pred_target_delta_hf_rgbs"]
    detail = (masked(low.detach() + high, mask) + 1) / 2
    stickmen = draw_stickmen(poses, side)
    weighted = terms.weighted(
        recipe,
        low=lambda: F.l1_loss(masked(low, mask), 2 * target - 1),
        segmentation=lambda: losses.segmentation(found["mask"], batch.driving_extras["mask"].flatten(0, 1)),
    )
    weighted |= terms.reconstruction(networks, detail, target, recipe)
    if "texture_enhancer" in recipe.parts:
        corrected = _enhanced(networks, batch, person, found, mask)
        more = terms.reconstruction(networks, corrected, target, recipe)
        weighted |= {f"enhanced {name}": loss for name, loss in more.items()}
    if recipe.discriminators:
        real, fake, real_maps, fake_maps = _judge(networks, target, found["prediction"], stickmen)
        weighted |= terms.weighted(
            recipe,
            adversarial=lambda: relativistic_hinge(fake, real),
            feature_matching=lambda: losses.feature_matching(real_maps, fake_maps) / len(real_maps),
        )
    outputs = {"prediction": found["prediction"].view_as(batch.driving), "target": target, "stickmen": stickmen}
    return weighted, outputs


def _enhanced(networks: Networks, batch: Batch, person: Person, found: dict[str, Tensor], mask: Tensor) -> Tensor:
    """The pictures with the corrected texture, all else held fixed."""
    poses = poses_of(batch.source_extras["landmarks68"], batch.source.shape[-1])
    fixed = Person(person.texture.detach(), [(weight.detach(), bias.detach()) for weight, bias in person.coefficients])
    texture = enhance(networks, fixed, batch.source, poses).texture.repeat_interleave(batch.driving.shape[1], 0)
    generator = cast(InferenceGenerator, networks["inference_generator"])
    high = generator.warp(texture, found["pred_target_uvs"].detach())
    return (masked(found["pred_target_delta_lf_rgbs"].detach() + high, mask) + 1) / 2


def discriminator_losses(
    networks: Networks, batch: Batch, outputs: dict[str, Tensor], recipe: Recipe, rng: torch.Generator
) -> dict[str, Tensor]:
    """The relativistic hinge loss with the parts of real and generated pictures exchanged."""
    real, fake, *_ = _judge(networks, outputs["target"], outputs["prediction"].flatten(0, 1), outputs["stickmen"])
    return {"discriminator": recipe.weights["adversarial"] * relativistic_hinge(real, fake)}


def relativistic_hinge(better: Tensor, worse: Tensor) -> Tensor:
    """mean max(0, 1 - (D(better) - mean D(worse))) + mean max(0, 1 + (D(worse) - mean D(better))).

    RaHingeGAN of Jolicoeur-Martineau, ICLR 2019 (arXiv 1807.00734): `better` is what should seem more real than the
    average of `worse`.
    """
    return F.relu(1 - better + worse.mean()).mean() + F.relu(1 + worse - better.mean()).mean()


def _judge(
    networks: Networks, real: Tensor, fake: Tensor, stickmen: Tensor
) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]:
    """Scores and maps of real and generated pictures, which share the statistics of one batch."""
    maps, scores = networks["discriminator"](torch.cat([real, fake]), stickmen.repeat(2, 1, 1, 1))
    (real_scores, fake_scores), pairs = scores.chunk(2), [one.chunk(2) for one in maps]
    return real_scores, fake_scores, [a for a, _ in pairs], [b for _, b in pairs]
