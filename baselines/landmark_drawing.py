"""68 landmarks drawn as one-colour lines two pixels wide: what the bi-layer model sees beside a person's images.

`stroke` gives the very pixels that OpenCV fills for a line of thickness 2 (8-connected) between two whole pixels, from
how such a line is made: a disc of radius 1 on both ends, and a rectangle one pixel to each side of the line, whose
corners have 16 fractional bits and whose outline and rows are both filled. Lines that leave the picture are cut off at
its border; OpenCV cuts them before it rounds, which can move single pixels there.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import InputError, check_shape

BACKGROUND = 1  # of 255: the authors' canvas is of ones
CURVES: tuple[tuple[tuple[int, ...], bool, tuple[int, int, int]], ...] = (  # points in iBUG order, closed, colour
    (tuple(range(17)), False, (255, 255, 255)),  # outline
    (tuple(range(17, 22)), False, (255, 0, 0)),  # brows
    (tuple(range(22, 27)), False, (0, 255, 0)),
    ((*range(27, 31), 33), False, (0, 0, 255)),  # ridge of the nose, down to its base
    (tuple(range(31, 36)), False, (0, 0, 255)),  # base of the nose
    (tuple(range(36, 42)), True, (255, 0, 255)),  # eyes
    (tuple(range(42, 48)), True, (0, 255, 255)),
    (tuple(range(48, 60)), True, (255, 255, 0)),  # lips
    (tuple(range(60, 68)), True, (255, 255, 0)),
)
ONE = 1 << 16  # a pixel
DISC = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))

Pixels = NDArray[np.int64]
Corner = tuple[int, int]


def draw_stickmen(poses: Tensor, size: int) -> Tensor:
    """Pictures [N, 3, size, size] in [0, 1] of landmarks [N, 68, 2] in [-1, 1] of the picture's sides, (x, y).

    (p + 1) / 2 * size is cut to whole pixels, towards zero; a later curve covers an earlier one. Raises `InputError`
    for landmarks that are not finite.
    """
    check_shape("poses", poses, (None, 68, 2))
    if not poses.isfinite().all():
        raise InputError("poses: expected finite landmarks")
    pixels = ((poses.detach().float().cpu() + 1) / 2 * size).clamp(-4 * size, 4 * size).int().tolist()
    canvas = np.full((len(pixels), size, size, 3), BACKGROUND, np.uint8)
    for picture, points in zip(canvas, pixels, strict=True):
        for curve, closed, colour in CURVES:
            places = [points[i] for i in curve]
            ends = [*places[1:], places[0]] if closed else places[1:]
            for (x, y), (to_x, to_y) in zip(places, ends, strict=False):
                stamp = stroke(to_x - x, to_y - y) + np.array((x, y))
                inside = stamp[((stamp >= 0) & (stamp < size)).all(1)]
                picture[inside[:, 1], inside[:, 0]] = colour
    return torch.from_numpy(canvas).permute(0, 3, 1, 2).to(poses.device).float() / 255


@lru_cache(1 << 14)
def stroke(dx: int, dy: int) -> Pixels:
    """The pixels (x, y) [P, 2] of a line from (0, 0) to (dx, dy)."""
    filled = {(x + shift * dx, y + shift * dy) for x, y in DISC for shift in (0, 1)}
    if dx or dy:
        scale = ONE / math.sqrt(dx * dx + dy * dy)
        side_x, side_y = round(dy * scale), round(-dx * scale)
        far_x, far_y = dx * ONE, dy * ONE
        near = [(side_x, side_y), (-side_x, -side_y)]
        corners = [*near, *((far_x + x, far_y + y) for x, y in reversed(near))]
        for start, end in zip(corners, corners[-1:] + corners[:-1], strict=True):
            filled.update(_edge(end, start))
        filled.update(_rows(corners))
    return np.array(sorted(filled), np.int64)


def _edge(start: Corner, end: Corner) -> list[Corner]:
    """Pixels of a thin line: one in each column, or row if it is steep; the slope is cut to 16 bits."""
    steep = abs(end[1] - start[1]) >= abs(end[0] - start[0])
    (a, b), (to_a, to_b) = (point[::-1] if steep else point for point in (start, end))
    if to_a < a:
        a, b, to_a, to_b = to_a, to_b, a, b
    slope = _quotient((to_b - b) * ONE, (to_a - a) | 1)
    first = _whole(a)
    along = [(first + i, _whole(b + i * slope)) for i in range(((to_a - a) >> 16) + 1)]
    last = (_whole(to_a), _whole(to_b))
    return [(y, x) if steep else (x, y) for x, y in [*along, last]]


def _rows(corners: list[Corner]) -> list[Corner]:
    """Pixels of a convex polygon, row by row between its left and its right side."""
    left, right = _side(corners, 1), _side(corners, -1)
    filled = []
    for y, x in left.items():
        low, high = sorted((x, right[y]))
        filled += [(column, y) for column in range(_whole(low), _whole(high) + 1)]
    return filled


def _side(corners: list[Corner], turn: int) -> dict[int, int]:
    """Where one side of a polygon is in each row, from its top corner on; corners count in the row they round to."""
    rows = [_whole(y) for _, y in corners]
    here = min(range(len(corners)), key=lambda i: corners[i][1])
    y, bottom, places = rows[here], max(rows), {}
    for _ in corners:
        after = (here + turn) % len(corners)
        if (height := rows[after] - y) > 0:
            start = corners[here][0]
            slope = _quotient(2 * (corners[after][0] - start) + height, 2 * height)
            places.update({y + i: start + i * slope for i in range(height + (rows[after] == bottom))})
            y = rows[after]
        here = after
    return places


def _whole(value: int) -> int:
    return (value + ONE // 2) >> 16


def _quotient(a: int, b: int) -> int:
    """a / b, cut towards zero."""
    return a // b if a >= 0 else -(-a // b)
