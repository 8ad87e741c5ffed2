"""Mean absolute error of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.metrics.base import Metric, check_images

if TYPE_CHECKING:
    from torch import Tensor


def l1(pred: Tensor, target: Tensor) -> Tensor:
    """Mean |pred - target| over channels and pixels, per image: [B, 3, H, W] in [0, 1] -> [B] in [0, 1].

    FOMM (Siarohin et al. 2019, section 4, "L1"), which pools over all frames of a test set. Papers that keep pixels in
    [-1, 1] or [0, 255], or sum over the channels, print other numbers for the same images.
    """
    check_images(pred, target)
    return (pred - target).abs().mean(dim=(1, 2, 3))


METRIC = Metric(
    id="l1",
    function=l1,
    aspect="pixels",
    feature="frames",
    higher_is_better=False,
    description="mean absolute error over RGB pixels in [0, 1]",
    paper="Siarohin et al., First Order Motion Model for Image Animation, NeurIPS 2019",
)
