"""Distances that papers call AED (average Euclidean or expression distance) and APD (average pose distance).

The same letters stand for unrelated numbers: embeddings of the whole frame (FOMM), coefficients of expression, angles.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench.metrics.base import Metric, check_vectors

if TYPE_CHECKING:
    from torch import Tensor


def aed(pred: Tensor, target: Tensor) -> Tensor:
    """Squared Euclidean distance of embeddings of unit length: [B, D] -> [B] in [0, 4].

    FOMM (Siarohin et al. 2019), by its pose-evaluation code: OpenFace's embedding of the whole frame, squared.
    """
    check_vectors(pred, target, "[B, D]")
    return (pred - target).square().sum(dim=1)


def aed_face(pred: Tensor, target: Tensor) -> Tensor:
    """`aed` of embeddings of the aligned face: [B, D] of unit length -> [B]. It is 2 - 2 csim."""
    return aed(pred, target)


def aed_expression(pred: Tensor, target: Tensor) -> Tensor:
    """Mean |difference| of expression coefficients: [B, U] -> [B].

    PIRenderer (Ren et al. 2021) and others after it, there with coefficients of a 3DMM; here with those of the suite's
    expression network, whose scale is another.
    """
    check_vectors(pred, target, "[B, U]")
    return (pred - target).abs().mean(dim=1)


def apd(pred: Tensor, target: Tensor) -> Tensor:
    """Mean |difference| of yaw, pitch and roll, the short way round: [B, 3] in degrees -> [B] in radians.

    PIRenderer (Ren et al. 2021), there of a 3DMM's pose, which also has a place.
    """
    check_vectors(pred, target, "[B, 3]", (3,))
    difference = pred - target
    return (difference - 360 * (difference / 360).round()).abs().mean(dim=1).deg2rad()


PIRENDERER = "Ren et al., PIRenderer: Controllable Portrait Image Generation via Semantic Neural Rendering, ICCV 2021"

VARIANTS = (
    Metric(
        id="aed",
        function=aed,
        aspect="identity",
        feature="frame_identity",
        higher_is_better=False,
        worst=4.0,
        variant_of="csim",
        description="squared distance of OpenFace's embeddings of the whole frames",
        paper="Siarohin et al., First Order Motion Model for Image Animation, NeurIPS 2019",
    ),
    Metric(
        id="aed-face",
        function=aed_face,
        aspect="identity",
        feature="identity",
        higher_is_better=False,
        worst=4.0,
        variant_of="csim",
        description="squared distance of unit face embeddings: 2 - 2 csim",
    ),
    Metric(
        id="aed-expression",
        function=aed_expression,
        aspect="motion",
        feature="expression",
        higher_is_better=False,
        worst=1.0,
        variant_of="aucon",
        description="mean absolute difference of the expression units' activations",
        paper=PIRENDERER,
    ),
    Metric(
        id="apd",
        function=apd,
        aspect="motion",
        feature="pose",
        higher_is_better=False,
        worst=math.pi,
        variant_of="prmse",
        unit="rad",
        description="mean absolute difference of yaw, pitch and roll, in radians",
        paper=PIRENDERER,
    ),
)
