"""Where keypoints begin, before a generator learns to move a picture with them: at landmarks of rendered heads.

The papers' keypoints are found without supervision, from millions of frames. A small network on few people often finds
none that move, and copies the source. Here the K keypoints of FOMM or OSFV first learn to lie on K landmarks that the
recipe names (`settings.landmarks`, iBUG numbers), OSFV's through equation 2, with the head's true angles. `fomm` and
`osfv` start from these weights (`bench train --start`) and are free to move them. A picture costs several times what
its keypoints do, so that this start takes minutes.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from baselines import losses
from baselines.objectives import terms
from baselines.training.batch import Batch, Networks
from baselines.training.recipe import Recipe
from models import osfv
from models.pose import bin_degrees


def generator_losses(
    networks: Networks, batch: Batch, recipe: Recipe, rng: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Distances to landmarks, and what `fomm` and `osfv` ask of keypoints; there is no picture to show."""
    images = torch.cat([batch.source[:, 0], batch.driving[:, 0]])
    landmarks = _landmarks(batch, recipe, images.shape[-1])
    if "he_estimator" in networks:
        return _posed(networks, batch, recipe, images, landmarks), {}
    return _detected(networks, recipe, rng, images, landmarks), {}


def _detected(
    networks: Networks, recipe: Recipe, rng: torch.Generator, images: Tensor, landmarks: Tensor
) -> dict[str, Tensor]:
    """A detector of FOMM, with equivariance, which is what teaches its Jacobians; or of OSFV with direct keypoints."""
    detector = networks["kp_detector"]
    warp = losses.RandomWarp.sample(len(images), rng).to(images.device)
    found, warped = detector(images), detector(warp.images(images, align_corners=True))
    points, warped_points = (one["value"] if isinstance(one, dict) else one for one in (found, warped))
    return terms.weighted(
        recipe,
        landmarks=lambda: F.l1_loss(points, landmarks),
        equivariance_value=lambda: losses.equivariance_value(points[..., :2], warped_points[..., :2], warp),
        equivariance_jacobian=lambda: losses.equivariance_jacobian(
            found["jacobian"], warped_points, warped["jacobian"], warp
        ),
    )


def _posed(networks: Networks, batch: Batch, recipe: Recipe, images: Tensor, landmarks: Tensor) -> dict[str, Tensor]:
    """OSFV's L, H and Delta: each frame's keypoints come from the canonical ones of the other frame of its row."""
    detector = cast(osfv.KeypointDetector, networks["kp_detector"])
    estimator = cast(osfv.HeadEstimator, networks["he_estimator"])
    seen = estimator(images)
    motion = estimator.read(seen)
    keypoints = motion.keypoints(detector(images).roll(len(images) // 2, 0))
    logits = torch.stack([seen[name] for name in ("yaw", "pitch", "roll")], dim=1)
    pose = torch.cat([batch.source_extras["pose"][:, 0], batch.driving_extras["pose"][:, 0]])
    return terms.weighted(
        recipe,
        landmarks=lambda: F.l1_loss(keypoints, landmarks),
        head_pose=lambda: losses.head_pose(motion.angles, pose),
        head_pose_bins=lambda: losses.head_pose_bins(logits, pose, bin_degrees(device=logits.device)),
        deformation=lambda: losses.deformation_prior(motion.deformation),
    )


def _landmarks(batch: Batch, recipe: Recipe, side: int) -> Tensor:
    """The chosen landmarks in [-1, 1], of sources, then of driving frames: [2 B, K, 2].

    [2 B, K, 3] where they are known in space: their depth, on the scale that the picture has, about OSFV's mean depth.
    """
    chosen = recipe.settings["landmarks"]
    both = (batch.source_extras, batch.driving_extras)
    flat = torch.cat([extras["landmarks68"][:, 0, chosen] for extras in both]) * (2 / (side - 1)) - 1
    if "landmarks3d" not in recipe.needs:
        return flat
    space = torch.cat([extras["landmarks3d"][:, 0, chosen] for extras in both])
    seen, real = (points - points.mean(1, keepdim=True) for points in (flat, space))
    scale = seen.abs().mean((1, 2)) / real[..., :2].abs().mean((1, 2))
    return torch.cat([flat, real[..., 2:] * scale[:, None, None] + losses.MEAN_DEPTH], dim=-1)
