"""Losses between pixels. Images are float32 [B, 3, H, W] in [0, 1]."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def pyramid_l1(prediction: Tensor, target: Tensor, levels: int = 4) -> Tensor:
    """Mean absolute difference summed over a pyramid of 2 x 2 averages (full, 1/2, 1/4, ... size); a scalar."""
    total = F.l1_loss(prediction, target)
    for _ in range(levels - 1):
        prediction, target = F.avg_pool2d(prediction, 2), F.avg_pool2d(target, 2)
        total = total + F.l1_loss(prediction, target)
    return total


def pyramid_gradient(prediction: Tensor, target: Tensor, levels: int = 3) -> Tensor:
    """Mean absolute difference of horizontal and vertical pixel differences, summed over a pyramid of 2 x 2 averages.

    It rewards edges in the right place. It stands where the paper has a VGG-19 perceptual loss (eq. 9), which needs a
    downloaded network, and is not a substitute for it in any comparison.
    """
    difference = prediction - target
    total = difference.new_zeros(())
    for level in range(levels):
        if level:
            difference = F.avg_pool2d(difference, 2)
        total = total + difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()
    return total
