"""Error of head pose."""

from __future__ import annotations

import math
from dataclasses import replace
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
    return _difference(pred, target).square().mean(dim=1).sqrt()


def prmse_radians(pred: Tensor, target: Tensor) -> Tensor:
    """`prmse` in radians: [B, 3] in degrees -> [B] in radians."""
    return prmse(pred, target).deg2rad()


def prmse_mean_of_rmse(pred: Tensor, target: Tensor) -> Tensor:
    """`prmse` under the name that says how it is averaged: the mean over frames of each frame's root."""
    return prmse(pred, target)


def prmse_pooled(pred: Tensor, target: Tensor) -> Tensor:
    """Mean square difference of the three angles, whose root over all frames is the metric: [B, 3] in degrees -> [B] in
    square degrees. It weighs bad frames more than `prmse` does."""
    return _difference(pred, target).square().mean(dim=1)


def pose_mae(pred: Tensor, target: Tensor) -> Tensor:
    """Mean |difference| of yaw, pitch and roll, as head-pose networks are judged (Hopenet, Ruiz et al. 2018): [B, 3] in
    degrees -> [B] in degrees."""
    return _difference(pred, target).abs().mean(dim=1)


def _difference(pred: Tensor, target: Tensor) -> Tensor:
    check_vectors(pred, target, "[B, 3]", (3,))
    difference = pred - target
    return difference - 360 * (difference / 360).round()


METRIC = Metric(
    id="prmse",
    function=prmse,
    aspect="motion",
    feature="pose",
    higher_is_better=False,
    worst=180.0,
    unit="°",
    description="root mean square error of yaw, pitch and roll in a frame, in degrees; mean over frames",
    paper="Ha et al., MarioNETte: Few-shot Face Reenactment Preserving Identity of Unseen Targets, AAAI 2020",
)

VARIANTS = (
    replace(
        METRIC,
        id="prmse-radians",
        function=prmse_radians,
        worst=math.pi,
        variant_of="prmse",
        unit="rad",
        description="prmse in radians",
    ),
    replace(
        METRIC,
        id="prmse-mean-of-rmse",
        function=prmse_mean_of_rmse,
        variant_of="prmse",
        description="prmse, named by how it is averaged: mean over frames of each frame's root mean square error",
    ),
    replace(
        METRIC,
        id="prmse-pooled",
        function=prmse_pooled,
        of_mean=math.sqrt,
        variant_of="prmse",
        description="root of the mean square error of yaw, pitch and roll over all frames, in degrees",
    ),
    replace(
        METRIC,
        id="pose-mae",
        function=pose_mae,
        variant_of="prmse",
        description="mean absolute error of yaw, pitch and roll in a frame, in degrees",
        paper="Ruiz et al., Fine-Grained Head Pose Estimation Without Keypoints, CVPR workshops 2018",
    ),
)
