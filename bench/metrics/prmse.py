"""Error of head pose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.metrics.base import Metric, check_vectors

if TYPE_CHECKING:
    from torch import Tensor


def prmse(pred: Tensor, target: Tensor) -> Tensor:
    """Root mean square over yaw, pitch and roll of their differences: [B, 3] in degrees -> [B] in degrees.

    MarioNETte (Ha et al. 2020, section 4.1), there with OpenFace. Differences are taken the short way round, in
    [-180, 180]. The mean of this over frames is at most the root of the mean square over all frames, which is another
    metric; some papers print radians.
    """
    check_vectors(pred, target, "[B, 3]", (3,))
    difference = pred - target
    difference = difference - 360 * (difference / 360).round()
    return difference.square().mean(dim=1).sqrt()


METRIC = Metric(
    id="prmse",
    function=prmse,
    aspect="motion",
    feature="pose",
    higher_is_better=False,
    unit="°",
    description="root mean square error of yaw, pitch and roll in a frame, in degrees; mean over frames",
    paper="Ha et al., MarioNETte: Few-shot Face Reenactment Preserving Identity of Unseen Targets, AAAI 2020",
)
