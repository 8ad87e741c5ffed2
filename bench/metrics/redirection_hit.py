"""Share of frames in which the right person has the pose that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bench.metrics.angle_error import OSFV
from bench.metrics.angle_hit import DEGREES, angle_hit
from bench.metrics.base import Metric
from bench.metrics.identity_hit import DISTANCE, identity_hit

if TYPE_CHECKING:
    from torch import Tensor


def redirection_hit(pred: Tensor, target: Tensor, degrees: float = DEGREES, distance: float = DISTANCE) -> Tensor:
    """1 where both the pose and the identity are hit, else 0: [B, 3 + D], three angles and an embedding -> [B]."""
    (pose, face), (asked, source) = ((side[:, :3], side[:, 3:]) for side in (pred, target))
    return angle_hit(pose, asked, degrees) * identity_hit(face, source, distance)


def _at(parameters: Mapping[str, float]) -> Metric:
    degrees, distance = parameters.get("angle_degrees", DEGREES), parameters.get("identity_distance", DISTANCE)
    usual = (degrees, distance) == (DEGREES, DISTANCE)
    return replace(
        METRIC,
        id=f"redirection-hit-{degrees:g}-{distance:g}",
        function=redirection_hit if usual else partial(redirection_hit, degrees=degrees, distance=distance),
        description=f"share of frames within {degrees:g} degrees and at an identity distance below {distance:g}",
    )


METRIC = Metric(
    id=f"redirection-hit-{DEGREES:g}-{DISTANCE:g}",
    at=_at,
    takes=("angle_degrees", "identity_distance"),
    function=redirection_hit,
    aspect="redirection",
    feature="pose+identity",
    higher_is_better=True,
    worst=0.0,
    best=1.0,
    description=f"share of frames within {DEGREES:g} degrees and at an identity distance below {DISTANCE:g}",
    paper=OSFV,
)
