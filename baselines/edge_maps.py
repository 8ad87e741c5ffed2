"""68 landmarks drawn as an edge map, with the upper face: what fs-vid2vid calls the label of a frame.

Each run of three landmarks of a part is a parabola through them, of y over x or of x over y, whichever it spans more
of; a run of two is a line. The jaw is closed by its own reflection at the line between its ends, two thirds as high.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.errors import InputError, check_shape

LEAST = 256  # side at which smaller maps are drawn, to be averaged
BRUSH = 256  # of so many pixels a picture's side has, the brush has one to each side
JAW = 17  # landmarks 0 .. 16; the upper face follows landmark 67
STEEPEST = 1.0  # curvature, per pixel, above which a run is no curve and is left out
PARTS: tuple[tuple[int, ...], ...] = (
    (*range(17), *range(68, 68 + JAW - 2), 0),  # face
    (17, 18, 19, 20, 21),  # brows
    (22, 23, 24, 25, 26),
    (28, 31),  # nose
    (31, 32, 33, 34, 35),
    (35, 28),
    (36, 37, 38, 39),  # eyes
    (39, 40, 41, 36),
    (42, 43, 44, 45),
    (45, 46, 47, 42),
    (48, 49, 50, 51, 52, 53, 54),  # lips
    (54, 55, 56, 57, 58, 59, 48),
    (60, 61, 62, 63, 64),
    (64, 65, 66, 67, 60),
)
RUNS = tuple(part[i : i + 3] for part in PARTS for i in range(0, len(part) - 1, 2))

Points = NDArray[np.float64]


def draw_edges(points: Tensor, size: int) -> Tensor:
    """Edge maps [N, 1, size, size] in [0, 1] of landmarks [N, 68, 2] in pixels of that size, integers at pixel centres.

    Below 256 pixels a map is drawn at a multiple of its size and averaged, so that edges have soft sides. Raises
    `InputError` for landmarks that are not finite.
    """
    check_shape("points", points, (None, 68, 2))
    if not points.isfinite().all():
        raise InputError("points: expected finite landmarks")
    factor = max(1, LEAST // size)
    drawn = size * factor
    fine = (points.detach().double().cpu().numpy() + 0.5) * factor - 0.5
    canvas = np.zeros((len(fine), drawn, drawn), np.float32)
    for picture, face in zip(canvas, fine.clip(-drawn, 2 * drawn), strict=True):
        places = np.concatenate([curve(whole[list(run)]) for whole in [with_upper_face(face)] for run in RUNS])
        _stamp(picture, places.astype(np.int64), max(1, drawn // BRUSH))
    label = torch.from_numpy(canvas)[:, None].to(points.device)
    return F.avg_pool2d(label, factor) if factor > 1 else label


def with_upper_face(points: Points) -> Points:
    """Landmarks [68, 2] and the reflected jaw, from right to left: [83, 2]."""
    level = (points[0, 1] + points[JAW - 1, 1]) / 2
    upper = points[1 : JAW - 1].copy()
    upper[:, 1] = level - (upper[:, 1] - level) * 2 / 3
    return np.concatenate([points, upper[::-1]])


def curve(points: Points) -> Points:
    """Places (x, y) [P, 2] along two or three landmarks, about one for each pixel; none where they bend too much."""
    extent = np.abs(points[-1] - points[0])
    along = 0 if extent[0] >= extent[1] else 1
    a, b = points[:, along], points[:, 1 - along]
    if (np.abs(np.diff(a)) < 1e-6).any() or abs(a[-1] - a[0]) < 1e-6:  # no function of the coordinate that is followed
        return np.empty((0, 2))
    coefficients = np.linalg.solve(np.vander(a - a[0], len(a)), b)
    if len(a) == 3 and abs(coefficients[0]) > STEEPEST:
        return np.empty((0, 2))
    places = np.linspace(a[0], a[-1], max(2, round(extent[along])))
    found = np.stack([places, np.polyval(coefficients, places - a[0])], axis=1)
    return found if along == 0 else found[:, ::-1]


def _stamp(picture: NDArray[np.float32], places: NDArray[np.int64], reach: int) -> None:
    """Set the pixels [-reach, reach) about every place that are in the picture."""
    near = np.arange(-reach, reach)
    x, y = (places[:, i, None, None] for i in (0, 1))
    x, y = np.broadcast_arrays(x + near, y + near[:, None])
    inside = (x >= 0) & (x < picture.shape[1]) & (y >= 0) & (y < picture.shape[0])
    picture[y[inside], x[inside]] = 1
