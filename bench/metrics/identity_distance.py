"""Distance between faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.metrics.angle_error import OSFV
from bench.metrics.base import Metric
from bench.metrics.csim import csim

if TYPE_CHECKING:
    from torch import Tensor


def identity_distance(pred: Tensor, target: Tensor) -> Tensor:
    """1 - cosine of face embeddings: [B, D] -> [B] in [0, 2]; the vectors need not be of unit length.

    OSFV (Wang et al. 2021, table 3) counts identity distances below 0.05 and names neither the network nor the
    distance: a value of another network's is another scale.
    """
    return 1 - csim(pred, target)


METRIC = Metric(
    id="identity-distance",
    function=identity_distance,
    aspect="redirection",
    feature="identity",
    higher_is_better=False,
    worst=2.0,
    description="1 - cosine similarity of face embeddings of output and source",
    paper=OSFV,
)
