"""Whether a face's shape, as some points have it, tells who it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.metrics.base import Metric

if TYPE_CHECKING:
    from torch import Tensor

OSFV = "Wang et al., One-Shot Free-View Neural Talking-Head Synthesis for Video Conferencing, CVPR 2021"


def kp_rank1(distances: Tensor, own: Tensor) -> Tensor:
    """1 where the nearest of a gallery is the right person, shared among those that are equally near: [B].

    `distances` [B, G] of each picture to each of G persons, `own` [B] has the right person's index. A mean of 1 / G is
    what guessing gives.
    """
    right = _right(distances, own)
    nearest = distances == distances.amin(dim=1, keepdim=True)
    return (nearest & (distances == right)).any(dim=1).to(distances.dtype) / nearest.sum(dim=1)


def kp_auc(distances: Tensor, own: Tensor) -> Tensor:
    """Share of the other persons that are farther than the right one, equally far ones half: as for `kp_rank1` -> [B]
    in [0, 1]. It does not depend on how many persons there are; guessing gives 0.5."""
    right = _right(distances, own)
    farther = (distances > right).to(distances.dtype).sum(dim=1)
    equal = (distances == right).to(distances.dtype).sum(dim=1) - 1
    return (farther + equal / 2) / (distances.shape[1] - 1)


def _right(distances: Tensor, own: Tensor) -> Tensor:
    if distances.ndim != 2 or distances.shape[1] < 2 or not bool(distances.isfinite().all()):
        raise ValueError(f"`distances` must be finite, [B, G] with G at least 2, but are {list(distances.shape)}")
    if own.shape != distances.shape[:1] or not bool(((own >= 0) & (own < distances.shape[1])).all()):
        raise ValueError(f"`own` must be [{len(distances)}] and below {distances.shape[1]}")
    return distances.gather(1, own.long()[:, None])


METRIC = (
    Metric(
        id="kp-rank1",
        function=kp_rank1,
        aspect="recognition",
        feature="told",
        higher_is_better=True,
        worst=0.0,
        description="share of pictures whose keypoints are nearest to those of the same person in another clip",
        paper=OSFV,
    ),
    Metric(
        id="kp-auc",
        function=kp_auc,
        aspect="recognition",
        feature="told",
        higher_is_better=True,
        worst=0.0,
        description="share of other persons whose keypoints are farther than those of the same person in another clip",
        paper=OSFV,
    ),
)
