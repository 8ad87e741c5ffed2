"""Perceptual distance."""

from __future__ import annotations

from dataclasses import replace
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


def lp_vgg(pred: Tensor, target: Tensor) -> Tensor:
    """`lp` of features that VGG-16 sees: [B, P] -> [B]."""
    return lp(pred, target)


METRIC = Metric(
    id="lp",
    function=lp,
    aspect="pixels",
    feature="perceptual",
    higher_is_better=False,
    paper_id="lpips-alex",
    description="perceptual distance in the form of LPIPS; by networks other than the papers' it is not LPIPS",
    paper="Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018",
)

VARIANTS = (
    replace(
        METRIC,
        id="lp-vgg",
        paper_id="lpips-vgg",
        function=lp_vgg,
        feature="perceptual_vgg",
        variant_of="lp",
        description="LPIPS with the trunk of VGG-16, whose values are another scale than AlexNet's",
    ),
)
