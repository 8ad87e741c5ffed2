"""Share of frames in which a head has the pose that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bench.metrics.angle_error import OSFV, angle_error
from bench.metrics.base import Metric

if TYPE_CHECKING:
    from torch import Tensor

DEGREES = 15.0


def angle_hit(pred: Tensor, target: Tensor, degrees: float = DEGREES) -> Tensor:
    """1 where the error of head pose (`angle_error`) is below `degrees`, else 0: [B, 3] in degrees -> [B]."""
    return (angle_error(pred, target) < degrees).to(pred.dtype)


def _at(parameters: Mapping[str, float]) -> Metric:
    degrees = parameters.get("angle_degrees", DEGREES)
    return replace(
        METRIC,
        id=f"angle-hit-{degrees:g}",
        function=partial(angle_hit, degrees=degrees) if degrees != DEGREES else angle_hit,
        description=f"share of frames whose head is within {degrees:g} degrees of the pose that was asked for",
    )


METRIC = Metric(
    id=f"angle-hit-{DEGREES:g}",
    at=_at,
    takes=("angle_degrees",),
    function=angle_hit,
    aspect="redirection",
    feature="pose",
    higher_is_better=True,
    worst=0.0,
    best=1.0,
    description=f"share of frames whose head is within {DEGREES:g} degrees of the pose that was asked for",
    paper=OSFV,
)
