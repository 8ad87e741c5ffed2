"""OSFV's H alone: learn head poses before keypoints turn with them.

The paper trains all networks together, on millions of frames. A small network on few people learns poses sooner when
nothing else pulls at it; `osfv` then starts from these weights (`bench train --start`).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from baselines import losses
from baselines.objectives import terms
from baselines.training.batch import Batch, Networks
from baselines.training.recipe import Recipe
from models.osfv import HeadEstimator
from models.pose import bin_degrees


def generator_losses(
    networks: Networks, batch: Batch, recipe: Recipe, rng: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The head pose of source and driving frames (L_H, and by bins); there is no picture to show."""
    estimator = cast(HeadEstimator, networks["he_estimator"])
    images = torch.cat([batch.source, batch.driving], dim=1).flatten(0, 1)
    pose = torch.cat([batch.source_extras["pose"], batch.driving_extras["pose"]], dim=1).flatten(0, 1)
    seen = estimator(images)
    logits = torch.stack([seen[name] for name in ("yaw", "pitch", "roll")], dim=1)
    found = terms.weighted(
        recipe,
        head_pose=lambda: losses.head_pose(estimator.read(seen).angles, pose),
        head_pose_bins=lambda: losses.head_pose_bins(logits, pose, bin_degrees(device=logits.device)),
    )
    return found, {}
