"""Fréchet distance of two sets of features."""

from __future__ import annotations

from dataclasses import replace
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


WINDOW = 16  # frames, as FVD is computed


def fd_windows(pred: Tensor, target: Tensor) -> Tensor:
    """`fd` of what `windows` makes of two clips' frames: [T, D], [S, D] -> []."""
    return fd(windows(pred), windows(target))


def fvd(pred: Tensor, target: Tensor) -> Tensor:
    """`fd` of the vectors of windows of frames: [T, D], [S, D], NaN where no window begins -> []."""
    return fd(of_windows(pred), of_windows(target))


def windows(features: Tensor) -> Tensor:
    """A clip's features [T, D] as vectors of its windows of 16 frames [T // 16, 2 D]: their mean, and the mean size of
    their change from frame to frame, which a still or trembling clip has otherwise than a moving one."""
    import torch

    count = len(features) // WINDOW
    parts = features[: count * WINDOW].view(count, WINDOW, features.shape[1])
    return torch.cat((parts.mean(dim=1), (parts[:, 1:] - parts[:, :-1]).abs().mean(dim=1)), dim=1)


def of_windows(features: Tensor) -> Tensor:
    """The rows of [T, D] at which a window begins, [N, D]: those that are numbers."""
    return features[features.isfinite().all(dim=1)]


METRIC = Metric(
    id="fd",
    function=fd,
    aspect="distribution",
    feature="frechet",
    paper_id="fid",
    higher_is_better=False,
    description="Fréchet distance of the features of all output frames, as one set, and of all reference frames",
    paper="Heusel et al., GANs Trained by a Two Time-Scale Update Rule, NeurIPS 2017 (of Inception features: FID)",
    of_sets=of_sets,
)

VARIANTS = (
    replace(
        METRIC,
        id="fd-windows",
        paper_id="fd-windows",
        function=fd_windows,
        vectors=windows,
        variant_of="fd",
        description="Fréchet distance of windows of 16 frames, by what the frames' features are and how they change",
        paper="",
    ),
    replace(
        METRIC,
        id="fvd",
        paper_id="fvd",
        function=fvd,
        feature="video",
        vectors=of_windows,
        variant_of="fd",
        description="Fréchet distance of I3D's features of windows of 16 frames",
        paper="Unterthiner et al., FVD: A New Metric for Video Generation, ICLR workshops 2019",
    ),
)
