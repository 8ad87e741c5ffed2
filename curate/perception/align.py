"""Geometry between a frame and a network's input: crops and five-point alignment as 2x3 matrices, and the warp.

Boxes are given by their edges, so pixel i covers [i, i + 1). Points and matrices put integers at pixel centres, as
OpenCV does. A matrix takes frame points to input points: u = M[:, :2] @ p + M[:, 2].
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]  # [2, 3]
Floats = NDArray[np.floating]


def box_matrix(box: Floats, width: int, height: int) -> Matrix:
    """Matrix that takes the edges of `box` (left, top, right, bottom) to the edges of a width x height input."""
    left, top, right, bottom = (float(edge) for edge in box)
    scale_x, scale_y = width / (right - left), height / (bottom - top)
    return np.array(
        [[scale_x, 0, (0.5 - left) * scale_x - 0.5], [0, scale_y, (0.5 - top) * scale_y - 0.5]], dtype=np.float64
    )


def expand_box(box: Floats, left: float, top: float, right: float, bottom: float) -> Floats:
    """Box with each edge moved outwards by a fraction of the box's width (left, right) or height (top, bottom)."""
    width, height = float(box[2] - box[0]), float(box[3] - box[1])
    outwards = np.array([-left * width, -top * height, right * width, bottom * height])
    return np.asarray(box + outwards, np.float64)


def square_box(box: Floats, scale: float, shift_x: float, shift_y: float) -> Floats:
    """Square of `scale` times the box's longer side, about its centre moved by fractions of that longer side."""
    longer = float(max(box[2] - box[0], box[3] - box[1]))
    centre_x = float(box[0] + box[2]) / 2 + shift_x * longer
    centre_y = float(box[1] + box[3]) / 2 + shift_y * longer
    half = scale * longer / 2
    return np.array([centre_x - half, centre_y - half, centre_x + half, centre_y + half])


def eye_roll(points: Floats) -> float:
    """In-plane rotation of a face in degrees, clockwise positive: the slope of the line from eye to eye."""
    x, y = (float(value) for value in points[1] - points[0])
    return math.degrees(math.atan2(y, x))


def rotation_matrix(degrees: float, centre: tuple[float, float]) -> Matrix:
    """Matrix that turns the image by `degrees` clockwise about `centre` (a point, pixel centres at integers)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = centre
    return np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y]], dtype=np.float64)


def similarity_matrix(source: Floats, target: Floats) -> Matrix:
    """Rotation, uniform scale and shift that take `source` [N, 2] to `target` [N, 2] with least squares.

    Umeyama 1991, Least-squares estimation of transformation parameters between two point patterns, eq. 40-43,
    which in two dimensions is this closed form; a reflection is never returned.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    centre, goal = source.mean(0), target.mean(0)
    p, q = source - centre, target - goal
    spread = float((p**2).sum())
    cos = float((p * q).sum()) / spread
    sin = float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()) / spread
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.concatenate([linear, (goal - linear @ centre)[:, None]], axis=1)


def compose(outer: Matrix, inner: Matrix) -> Matrix:
    """Matrix that applies `inner` first, then `outer`."""
    return np.concatenate([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2:] + outer[:, 2:]], axis=1)


def invert(matrix: Matrix) -> Matrix:
    """Matrix that undoes `matrix`."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -linear @ matrix[:, 2:]], axis=1)


def transform(matrix: Matrix, points: Floats) -> NDArray[np.float64]:
    """Points [N, 2] taken through `matrix`."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float64)


def warp(frame: NDArray[np.uint8], matrix: Matrix, width: int, height: int) -> NDArray[np.uint8]:
    """The input [height, width, 3] that `matrix` cuts from `frame` [H, W, 3]; outside the frame it is black.

    Bilinear; where the cut shrinks the frame, each pixel is the mean of n x n such samples, n the least number that
    leaves no frame pixel out, so that a large face is not aliased.
    """
    shrinkage = 1 / math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    n = max(1, math.ceil(shrinkage - 1e-6))
    finer = np.array([[n, 0, (n - 1) / 2], [0, n, (n - 1) / 2]], dtype=np.float64)
    warped = cv2.warpAffine(
        np.ascontiguousarray(frame),
        compose(finer, matrix),
        (width * n, height * n),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )
    return np.asarray(cv2.resize(warped, (width, height), interpolation=cv2.INTER_AREA) if n > 1 else warped, np.uint8)


def shrink(frame: NDArray[np.uint8], short_side: int) -> tuple[NDArray[np.uint8], float, float]:
    """Frame whose shorter side is at most `short_side` (area average), and its exact scale in x and in y (<= 1).

    The two scales differ a little where the sides do not divide; an edge at x in the small frame lies at x / scale.
    """
    height, width = frame.shape[:2]
    if min(height, width) <= short_side:
        return np.ascontiguousarray(frame), 1.0, 1.0
    scale = short_side / min(height, width)
    size = (round(width * scale), round(height * scale))
    small = cv2.resize(np.ascontiguousarray(frame), size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), size[0] / width, size[1] / height
