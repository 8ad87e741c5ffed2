"""Peak signal-to-noise ratio."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.metrics.base import Metric, check_images, check_masked

if TYPE_CHECKING:
    from torch import Tensor


def psnr(pred: Tensor, target: Tensor) -> Tensor:
    """-10 log10 of the mean squared error over channels and pixels, per image: [B, 3, H, W] in [0, 1] -> [B] in dB.

    Identical images give infinity. The mean of this over frames is not the ratio of the mean error: the latter weighs
    bad frames more, and is another metric.
    """
    check_images(pred, target)
    return -10 * (pred - target).square().mean(dim=(1, 2, 3)).log10()


def psnr_of_mean_mse(pred: Tensor, target: Tensor) -> Tensor:
    """Mean squared error, whose mean over all frames gives the ratio: images as for `psnr` -> [B]."""
    check_images(pred, target)
    return (pred - target).square().mean(dim=(1, 2, 3))


def psnr_masked(pred: Tensor, target: Tensor) -> Tensor:
    """PSNR of the mean squared error inside the target's head, weighed by its mask: [B, 4, H, W], RGB and mask in
    [0, 1] -> [B] in dB; see `l1_masked`."""
    check_masked(pred, target)
    mask = target[:, 3:]
    squares = (pred[:, :3] - target[:, :3]).square().mean(dim=1, keepdim=True)
    return -10 * ((squares * mask).sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3))).log10()


METRIC = Metric(
    id="psnr",
    function=psnr,
    aspect="pixels",
    feature="frames",
    higher_is_better=True,
    worst=0.0,
    unit="dB",
    description="peak signal-to-noise ratio per frame; identical frames, whose ratio is infinite, count as 100 dB",
    ceiling=100.0,
)

VARIANTS = (
    replace(
        METRIC,
        id="psnr-of-mean-mse",
        function=psnr_of_mean_mse,
        of_mean=lambda mse: -10 * math.log10(mse) if mse > 0 else math.inf,
        variant_of="psnr",
        description="psnr of the mean squared error over all frames, at most 100 dB",
    ),
    replace(
        METRIC,
        id="psnr-masked",
        function=psnr_masked,
        feature="frames+mask",
        variant_of="psnr",
        description="psnr inside the head of the frame that is compared with",
    ),
)
