"""Cosine similarity of identity embeddings."""

from __future__ import annotations

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


METRIC = Metric(
    id="csim",
    function=csim,
    aspect="identity",
    feature="identity",
    higher_is_better=True,
    worst=-1.0,
    description="cosine similarity of face embeddings",
    paper="Ha et al., MarioNETte: Few-shot Face Reenactment Preserving Identity of Unseen Targets, AAAI 2020",
)
