"""Losses on vectors: who is seen, and where a style lies."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def identity(embedding: Tensor, target: Tensor) -> Tensor:
    """mean (1 - cos) of embeddings [B, D] of any length (pSp: Richardson et al., CVPR 2021, eq. 4)."""
    return (1 - F.cosine_similarity(embedding, target, dim=1)).mean()


def w_norm(styles: Tensor, average: Tensor) -> Tensor:
    """Mean Euclidean length of styles [B, L, D] less the average style [L, D] or [D] (pSp, eq. 3)."""
    lengths: Tensor = torch.linalg.vector_norm((styles - average).flatten(1), dim=1)
    return lengths.mean()
