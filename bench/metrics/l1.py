"""Mean absolute error of pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.metrics.base import Metric, check_images, check_masked

if TYPE_CHECKING:
    from torch import Tensor


def l1(pred: Tensor, target: Tensor) -> Tensor:
    """Mean |pred - target| over channels and pixels, per image: [B, 3, H, W] in [0, 1] -> [B] in [0, 1].

    FOMM (Siarohin et al. 2019, section 4, "L1"), which pools over all frames of a test set. Papers that keep pixels in
    [-1, 1] or [0, 255], or sum over the channels, print other numbers for the same images.
    """
    check_images(pred, target)
    return (pred - target).abs().mean(dim=(1, 2, 3))


def l1_255(pred: Tensor, target: Tensor) -> Tensor:
    """L1 of pixels in [0, 255]: images as for `l1` -> [B] in [0, 255]."""
    return 255 * l1(pred, target)


def l1_signed(pred: Tensor, target: Tensor) -> Tensor:
    """L1 of pixels in [-1, 1]: images as for `l1` -> [B] in [0, 2]."""
    return 2 * l1(pred, target)


def l1_sum(pred: Tensor, target: Tensor) -> Tensor:
    """L1 summed over the three channels, mean over pixels: images as for `l1` -> [B] in [0, 3]."""
    return 3 * l1(pred, target)


def l1_masked(pred: Tensor, target: Tensor) -> Tensor:
    """L1 inside the target's head, weighed by its mask: [B, 4, H, W], RGB and mask in [0, 1] -> [B] in [0, 1].

    For models that make no background (bi-layer, Zakharov et al. 2020): OSFV (Wang et al. 2021, section 4) takes the
    background away before it compares with them. An empty mask gives NaN.
    """
    check_masked(pred, target)
    mask = target[:, 3:]
    difference = (pred[:, :3] - target[:, :3]).abs().mean(dim=1, keepdim=True)
    return (difference * mask).sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3))


METRIC = Metric(
    id="l1",
    function=l1,
    aspect="pixels",
    feature="frames",
    higher_is_better=False,
    worst=1.0,
    description="mean absolute error over RGB pixels in [0, 1]",
    paper="Siarohin et al., First Order Motion Model for Image Animation, NeurIPS 2019",
)

VARIANTS = (
    replace(METRIC, id="l1-255", function=l1_255, worst=255.0, variant_of="l1", description="l1 of pixels in [0, 255]"),
    replace(
        METRIC, id="l1-signed", function=l1_signed, worst=2.0, variant_of="l1", description="l1 of pixels in [-1, 1]"
    ),
    replace(
        METRIC, id="l1-sum", function=l1_sum, worst=3.0, variant_of="l1", description="l1 summed over the channels"
    ),
    replace(
        METRIC,
        id="l1-masked",
        function=l1_masked,
        feature="frames+mask",
        variant_of="l1",
        description="l1 inside the head of the frame that is compared with",
    ),
)
