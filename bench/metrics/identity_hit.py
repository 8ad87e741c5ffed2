"""Share of frames that show the source's person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bench.metrics.angle_error import OSFV
from bench.metrics.base import Metric
from bench.metrics.identity_distance import identity_distance

if TYPE_CHECKING:
    from torch import Tensor

DISTANCE = 0.05


def identity_hit(pred: Tensor, target: Tensor, distance: float = DISTANCE) -> Tensor:
    """1 where the identity distance is below `distance`, else 0: embeddings [B, D] -> [B]."""
    return (identity_distance(pred, target) < distance).to(pred.dtype)


def _at(parameters: Mapping[str, float]) -> Metric:
    distance = parameters.get("identity_distance", DISTANCE)
    return replace(
        METRIC,
        id=f"identity-hit-{distance:g}",
        function=partial(identity_hit, distance=distance) if distance != DISTANCE else identity_hit,
        description=f"share of frames whose identity distance to the source is below {distance:g}",
    )


METRIC = Metric(
    id=f"identity-hit-{DISTANCE:g}",
    at=_at,
    takes=("identity_distance",),
    function=identity_hit,
    aspect="redirection",
    feature="identity",
    higher_is_better=True,
    worst=0.0,
    best=1.0,
    description=f"share of frames whose identity distance to the source is below {DISTANCE:g}",
    paper=OSFV,
)
