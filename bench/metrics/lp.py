"""Perceptual distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.metrics.base import Metric, check_vectors

if TYPE_CHECKING:
    from torch import Tensor


def lp(pred: Tensor, target: Tensor) -> Tensor:
    """Sum of squared differences of perceptual features, per image: [B, P] -> [B].

    LPIPS (Zhang et al. 2018, equation 1) has this form once its weights and the mean over positions are taken into the
    features: unit-length activations of each layer and position, times sqrt(weight / positions).
    """
    check_vectors(pred, target, "[B, P]")
    return (pred - target).square().sum(dim=1)


METRIC = Metric(
    id="lp",
    function=lp,
    aspect="pixels",
    feature="perceptual",
    higher_is_better=False,
    description="perceptual distance in the form of LPIPS, by another network: it stands for LPIPS and is not it",
    paper="Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018",
)
