"""Losses on masks and on warped pictures."""

from __future__ import annotations

import torch
from torch import Tensor

CERTAIN = 1e-6  # probabilities stay this far from 0 and 1


def segmentation(probability: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy of probabilities against masks, both [B, 1, H, W] in [0, 1], in nats (bi-layer, eq. 8)."""
    p = probability.float().clamp(CERTAIN, 1 - CERTAIN)
    return -(mask * torch.log(p) + (1 - mask) * torch.log1p(-p)).mean()


def warp(warped: Tensor, target: Tensor, where: Tensor | None = None) -> Tensor:
    """mean |warped - target| of images [B, 3, H, W] (fs-vid2vid's L_W); with `where` [B, 1, H, W] in [0, 1] the mean is
    weighted by it, 0 where it is 0 everywhere."""
    difference = (warped - target).abs()
    if where is None:
        return difference.mean()
    return (difference * where).sum() / (where.expand_as(difference).sum() + CERTAIN)
