"""What the suite's detector would say of a rendered face, drawn from the truth: boxes and points for training crops.

To run the detector on every frame would take longer than the training, and its errors are few numbers. They were
measured on held-out people (`python benchmarks/evaluators.py` prints them); the spread here is a little wider, so that
other detectors are borne too.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from curate.perception import align

Floats = NDArray[np.floating]
Found = tuple[NDArray[np.float64], NDArray[np.float64]]

# Detector minus truth. Lengths are in units of the true box's longer side, angles in degrees.
BELOW = -0.03  # how far the box's middle lies below the true one's
LARGER = 1.07  # the longer side over the true one
UPRIGHT = 0.2  # share of the eyes' slope that the points miss
DRIFT = 0.035  # spread in x and y of what box and points have in common
BOX_DRIFT, BOX_SIZE = 0.03, 0.09  # of what the box has on its own; of the logarithm of its size
TURN, POINT_SIZE, POINT = 6.5, 0.07, 0.022  # of the points' slope, of the logarithm of their size, of each coordinate

# Of crops about the landmarks that the head network finds, likewise; drift in units of the crop's side.
CROP_TURN, CROP_SIZE, CROP_DRIFT = 3.0, 0.05, 0.02


def usual(box: Floats, points: Floats) -> Found:
    """The box [4] and points [5, 2] that the detector finds on average where the true ones are `box` and `points`."""
    side = float(max(box[2] - box[0], box[3] - box[1]))
    middle = np.array([box[0] + box[2], box[1] + box[3]]) / 2 + (0, BELOW * side)
    half = np.array([box[2] - box[0], box[3] - box[1]]) / 2 * LARGER
    return np.concatenate([middle - half, middle + half]), _turned(points, -UPRIGHT * align.eye_roll(points))


def imitate(rng: np.random.Generator, box: Floats, points: Floats) -> Found:
    """As `usual`, with errors like the detector's."""
    side = float(max(box[2] - box[0], box[3] - box[1]))
    box, points = usual(box, points)
    drift = side * rng.normal(0, DRIFT, 2)
    middle = (box[:2] + box[2:]) / 2 + drift + side * rng.normal(0, BOX_DRIFT, 2)
    half = (box[2:] - box[:2]) / 2 * math.exp(rng.normal(0, BOX_SIZE))
    centre = points.mean(0)
    points = _turned(points, rng.normal(0, TURN))
    points = centre + (points - centre) * math.exp(rng.normal(0, POINT_SIZE))
    points = points + drift + side * rng.normal(0, POINT, (5, 2))
    return np.concatenate([middle - half, middle + half]), points


def _turned(points: Floats, degrees: float) -> NDArray[np.float64]:
    x, y = points.mean(0)
    return align.transform(align.rotation_matrix(degrees, (float(x), float(y))), np.asarray(points, np.float64))


def imitate_head_network(rng: np.random.Generator, matrix: align.Matrix, side: int) -> align.Matrix:
    """A crop about the true landmarks as it would be about those of the head network: turned, scaled, shifted."""
    middle = (side - 1) / 2
    turned = align.rotation_matrix(rng.normal(0, CROP_TURN), (middle, middle))
    scale = math.exp(rng.normal(0, CROP_SIZE))
    moved = np.array([[scale, 0, (1 - scale) * middle], [0, scale, (1 - scale) * middle]], dtype=np.float64)
    moved[:, 2] += side * rng.normal(0, CROP_DRIFT, 2)
    return align.compose(moved, align.compose(turned, matrix))
