"""Fréchet distance of two sets of features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.metrics.base import Metric

if TYPE_CHECKING:
    from torch import Tensor

    from bench.metrics.spread import Spread


def fd(pred: Tensor, target: Tensor) -> Tensor:
    """Squared Fréchet distance of two Gaussians that have the sets' means and covariances: [N, D], [M, D] -> [].

    Heusel et al. 2017, equation 6: |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), C with N - 1 in the denominator. FID is
    this of Inception features. It grows as sets get smaller, so only sets of equal size compare. At least two vectors
    each, else ValueError.
    """
    import torch

    from bench.metrics.spread import Spread

    if pred.ndim != 2 or target.ndim != 2 or pred.shape[1] != target.shape[1]:
        raise ValueError(f"expected the shapes [N, D] and [M, D], got {list(pred.shape)} and {list(target.shape)}")
    sets = (Spread(), Spread())
    for spread, rows in zip(sets, (pred, target), strict=True):
        spread.add(rows.detach().cpu().numpy())
    return torch.tensor(of_sets(*sets), dtype=torch.float64)


def of_sets(pred: Spread, target: Spread) -> float:
    """`fd` of sets that were gathered. tr (C1 C2)^(1/2) is the sum of the singular values of F1 F2', where C = F'F."""
    import numpy as np

    first, second = pred.factor, target.factor
    apart = np.square(pred.mean - target.mean).sum()
    shared = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    return max(0.0, float(apart + np.square(first).sum() + np.square(second).sum() - 2 * shared))


METRIC = Metric(
    id="fd",
    function=fd,
    aspect="distribution",
    feature="frechet",
    higher_is_better=False,
    description="Fréchet distance of the features of all output frames, as one set, and of all reference frames",
    paper="Heusel et al., GANs Trained by a Two Time-Scale Update Rule, NeurIPS 2017 (of Inception features: FID)",
    of_sets=of_sets,
)
