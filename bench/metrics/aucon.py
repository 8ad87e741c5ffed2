"""Consistency of expression."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.metrics.base import Metric, check_vectors
from curate.synth.parameters import ACTIVE

if TYPE_CHECKING:
    from torch import Tensor


def aucon(pred: Tensor, target: Tensor, active: float = ACTIVE) -> Tensor:
    """Share of expression units that are active in both or in neither: activations [B, U] in [0, 1] -> [B] in [0, 1].

    MarioNETte (Ha et al. 2020, section 4.1), there with OpenFace's action units. A unit counts as active above
    `active`. Most units rest in most frames, so a neutral face already scores high: compare with source-copy.
    """
    check_vectors(pred, target, "[B, U]")
    return ((pred > active) == (target > active)).to(pred.dtype).mean(dim=1)


METRIC = Metric(
    id="aucon",
    function=aucon,
    aspect="motion",
    feature="expression",
    higher_is_better=True,
    worst=0.0,
    best=1.0,
    description=f"share of expression units that agree on being active (above {ACTIVE:g}) or not",
    paper="Ha et al., MarioNETte: Few-shot Face Reenactment Preserving Identity of Unseen Targets, AAAI 2020",
)
