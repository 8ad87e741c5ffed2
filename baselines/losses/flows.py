"""Losses on flows [B, 2, H, W], offsets (x, y) to where is looked, and on their occlusion maps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def occlusion(share: Tensor, warped: Tensor, target: Tensor) -> Tensor:
    """An occlusion map [B, 1, H, W] should be 0 where the warped image fits and 1 where it does not (fs-vid2vid).

    mean (c o + (1 - c) (1 - o)), the trust c being 1 less the summed difference of the images in [-1, 1], at least 0;
    c itself is not learnt. Images are [B, 3, H, W] in [0, 1].
    """
    trust = (1 - 2 * (warped - target).detach().abs().sum(1, keepdim=True)).clamp(min=0)
    return (trust * share + (1 - trust) * (1 - share)).mean()


def landmark_flow(flow: Tensor, points: Tensor, others: Tensor) -> Tensor:
    """Mean |f(p) - (q - p)| in pixels of landmarks p [B, N, 2] and the same ones q in the image that is looked up.

    Coordinates and offsets are pixels of the flow's size, integers at pixel centres. It stands where the authors have a
    flow network as a teacher; where that sees every pixel, this sees the landmarks alone.
    """
    height, width = flow.shape[2:]
    reach = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=flow.dtype, device=flow.device)
    return F.l1_loss(_at(flow, points / reach - 1), others - points)


def landmark_flow_of_two(first: Tensor, second: Tensor, points: Tensor, others: Tensor) -> Tensor:
    """Mean |q - p - f(p) - g(p + f(p))| for two flows f [B, 2, h, w] and g [B, 2, h', w'], one after the other.

    Points p [B, N, 2] and the same ones q in the picture that is looked up in the end, like the offsets, are in [-1, 1]
    with corners of the picture at the extremes.
    """
    between = points + _at(first, points)
    return F.l1_loss(between + _at(second, between), others)


def _at(flow: Tensor, points: Tensor) -> Tensor:
    """Offsets [B, N, 2] at points in [-1, 1]."""
    return F.grid_sample(flow, points[:, None], padding_mode="border", align_corners=True)[:, :, 0].mT
