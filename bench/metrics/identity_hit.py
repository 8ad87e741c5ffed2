"""Share of frames that show the source's person."""

from __future__ import annotations

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


METRIC = Metric(
    id="identity-hit-0.05",
    function=identity_hit,
    aspect="redirection",
    feature="identity",
    higher_is_better=True,
    worst=0.0,
    best=1.0,
    description=f"share of frames whose identity distance to the source is below {DISTANCE:g}",
    paper=OSFV,
)
