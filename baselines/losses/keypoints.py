"""What OSFV asks of its 3D keypoints (Wang, Mallya and Liu, CVPR 2021, arXiv 2011.15126, supplementary A)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

MIN_DISTANCE = 0.1  # D_t, of squared distances
MEAN_DEPTH = 0.33  # z_t


def keypoint_prior(points: Tensor, *, distance: float = MIN_DISTANCE, depth: float = MEAN_DEPTH) -> Tensor:
    """L_L for points [B, K, 3]: they spread out, at a mean depth.

    sum over ordered pairs i != j of max(0, D_t - |x_i - x_j|^2), plus |mean depth - z_t|. Public code also counts
    i = j, which adds the constant K D_t.
    """
    count = points.shape[1]
    squared = (points[:, :, None] - points[:, None]).square().sum(-1)
    others = ~torch.eye(count, dtype=torch.bool, device=points.device)
    spread = F.relu(distance - squared)[:, others].sum(1).mean()
    return spread + (points[..., 2].mean(1) - depth).abs().mean()


def head_pose(angles: Tensor, target: Tensor) -> Tensor:
    """L_H for yaw, pitch, roll [B, 3] in degrees: the absolute differences added up."""
    return (angles - target).abs().sum(1).mean()


def head_pose_bins(logits: Tensor, target: Tensor, bins: Tensor, spread: float = 6.0) -> Tensor:
    """Cross-entropy of logits [B, 3, N] with a Gaussian (standard deviation `spread`, degrees) about the angles [B, 3],
    summed over yaw, pitch and roll; `bins` [N] are the bins' angles.

    Hopenet (Ruiz, Chong and Rehg, CVPRW 2018, arXiv 1710.00925, section 3.2) learns from bins too, one for each angle:
    the mean over all bins alone tells a network that begins with equal bins little.
    """
    wanted = (-(target[..., None] - bins).square() / (2 * spread**2)).softmax(-1)
    return -(wanted * logits.log_softmax(-1)).sum(-1).sum(1).mean()


def deformation_prior(deformation: Tensor) -> Tensor:
    """L_Delta for expression deformations [B, K, 3]: the L1 norm of each row, so that they stay small."""
    return deformation.abs().flatten(1).sum(1).mean()
