"""Average keypoint distance."""

from __future__ import annotations

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


METRIC = Metric(
    id="akd",
    function=akd,
    aspect="motion",
    feature="landmarks",
    higher_is_better=False,
    unit="px",
    description="mean absolute difference over the coordinates of 68 landmarks, in pixels at 256",
    paper="Siarohin et al., First Order Motion Model for Image Animation, NeurIPS 2019",
)
