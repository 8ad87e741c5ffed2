"""Average keypoint distance."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.metrics.base import Metric, check_vectors

if TYPE_CHECKING:
    from torch import Tensor


def akd(pred: Tensor, target: Tensor, size: int = 256) -> Tensor:
    """Mean |difference| over both coordinates of 68 landmarks: [B, 68, 2] in pixels -> [B] in pixels at 256.

    FOMM (Siarohin et al. 2019), by its pose-evaluation code: the mean over coordinates, which is about 1 / 1.57 of the
    mean Euclidean distance. `size` is the side in pixels of the images that the landmarks were found in.
    """
    check_vectors(pred, target, "[B, 68, 2]", (68, 2))
    if size <= 0:
        raise ValueError(f"`size` must be a positive number of pixels, but is {size}")
    return (pred - target).abs().mean(dim=(1, 2)) * (256 / size)


def akd_euclid(pred: Tensor, target: Tensor, size: int = 256) -> Tensor:
    """Mean Euclidean distance of 68 landmarks: [B, 68, 2] in pixels -> [B] in pixels at 256; `size` as for `akd`."""
    check_vectors(pred, target, "[B, 68, 2]", (68, 2))
    return _euclidean(pred, target) * (256 / size)


def akd_nme(pred: Tensor, target: Tensor) -> Tensor:
    """Mean Euclidean distance of 68 landmarks over the distance of the target's outer eye corners (points 37 and 46 of
    1 .. 68): [B, 68, 2] in pixels of any size -> [B]. So does bi-layer (Zakharov et al. 2020) with another distance;
    NME of face alignment."""
    check_vectors(pred, target, "[B, 68, 2]", (68, 2))
    return _euclidean(pred, target) / (target[:, 36] - target[:, 45]).square().sum(dim=1).sqrt()


def miss_rate(pred: Tensor, target: Tensor) -> Tensor:
    """0 for each frame in which both sides show a face: [B, 68, 2] -> [B]; see `VARIANTS` for the others."""
    check_vectors(pred, target, "[B, 68, 2]", (68, 2))
    return pred.new_zeros(len(pred))


def _euclidean(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().sum(dim=2).sqrt().mean(dim=1)


METRIC = Metric(
    id="akd",
    function=akd,
    aspect="motion",
    feature="landmarks",
    higher_is_better=False,
    worst=256.0,
    unit="px",
    description="mean absolute difference over the coordinates of 68 landmarks, in pixels at 256",
    paper="Siarohin et al., First Order Motion Model for Image Animation, NeurIPS 2019",
)

VARIANTS = (
    replace(
        METRIC,
        id="akd-euclid",
        function=akd_euclid,
        worst=256 * 2**0.5,
        variant_of="akd",
        description="mean Euclidean distance of 68 landmarks, in pixels at 256",
    ),
    replace(
        METRIC,
        id="akd-nme",
        function=akd_nme,
        worst=None,
        variant_of="akd",
        unit="",
        description="mean Euclidean distance of 68 landmarks over that of the outer eye corners",
    ),
    replace(
        METRIC,
        id="miss-rate",
        function=miss_rate,
        lost=1.0,
        worst=1.0,
        variant_of="akd",
        unit="",
        description="share of frames without a face among those whose reference shows one, as MKR counts keypoints",
        paper="Siarohin et al., Animating Arbitrary Objects via Deep Motion Transfer, CVPR 2019",
    ),
)
