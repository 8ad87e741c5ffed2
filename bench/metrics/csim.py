"""Cosine similarity of identity embeddings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.metrics.base import Metric, check_vectors

if TYPE_CHECKING:
    from torch import Tensor


def csim(pred: Tensor, target: Tensor) -> Tensor:
    """Cosine of the angle between face embeddings: [B, D] -> [B] in [-1, 1]; the vectors need not be of unit length.

    MarioNETte (Ha et al. 2020, section 4.1), there with ArcFace embeddings. A zero vector is a ValueError.
    """
    from torch.linalg import vector_norm

    check_vectors(pred, target, "[B, D]")
    norms = vector_norm(pred, dim=1) * vector_norm(target, dim=1)
    if not bool((norms > 0).all()):
        raise ValueError("`pred` and `target` must hold no zero vector")
    cosine: Tensor = (pred * target).sum(dim=1) / norms
    return cosine.clamp(-1, 1)


def csim_driver(pred: Tensor, target: Tensor) -> Tensor:
    """`csim` to the driving frame of the same time: how much of the driver's identity leaks into the output."""
    return csim(pred, target)


def csim_source(pred: Tensor, target: Tensor) -> Tensor:
    """`csim` to the source frame, also where the task compares identity with the driving frame."""
    return csim(pred, target)


METRIC = Metric(
    id="csim",
    function=csim,
    aspect="identity",
    feature="identity",
    higher_is_better=True,
    worst=-1.0,
    best=1.0,
    description="cosine similarity of face embeddings",
    paper="Ha et al., MarioNETte: Few-shot Face Reenactment Preserving Identity of Unseen Targets, AAAI 2020",
)

VARIANTS = (
    replace(
        METRIC,
        id="csim-driver",
        function=csim_driver,
        against="driving",
        variant_of="csim",
        description="csim to the driving frame; where that shows another person, it tells how much of it leaks",
    ),
    replace(
        METRIC,
        id="csim-source",
        function=csim_source,
        against="source",
        variant_of="csim",
        description="csim to the source frame, whatever the task compares identity with",
    ),
)
