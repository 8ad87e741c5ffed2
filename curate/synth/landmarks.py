"""The 68 landmarks (iBUG order, the image's left first) as fixed vertices of the mesh."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from curate.synth import sculpt, template
from curate.synth.template import LID_POINTS, LIP_POINTS

# x, y on the mean face of what is not an edge of lids or lips; the image's left half, mirrored for the right one.
_JAW = np.array(
    [
        (-70, 24, 16), (-68, 6, 16), (-65.5, -13, 17), (-62, -31, 18),
        (-56, -49, 22), (-47, -63, 36), (-35, -73.5, 54), (-19, -81, 71),
    ]
)  # fmt: skip
_BROW = np.array([(-53, 43.0), (-45.5, 48.0), (-36, 49.5), (-26.5, 48.0), (-18, 45.0)])
_BRIDGE = np.array([(0, 26), (0, 14), (0, 2), (0, -9.5)])
_NOSTRILS = np.array([(-13, -18.5), (-6.8, -20.4), (0, -21.3)])


@cache
def vertices() -> NDArray[np.int64]:
    """[68] vertex of each landmark."""
    skin = template.skin()
    plane = skin.plane
    front = skin.points[:, 2] > 30

    def on_face(x: float, y: float, lip: int = 0) -> int:
        distance = np.hypot(plane[:, 0] - x, plane[:, 1] - y) + 1e3 * ~front + 1e3 * ((lip != 0) & (skin.lip != lip))
        return int(distance.argmin())

    def in_space(point: NDArray[np.float64]) -> int:
        return int(np.linalg.norm(skin.points - point, axis=1).argmin())

    left, right = [in_space(p) for p in _JAW], [in_space(p * (-1, 1, 1)) for p in _JAW[::-1]]
    jaw = [*left, in_space(np.array([0, -88, 80])), *right]
    brows = [on_face(*p) for p in _BROW] + [on_face(-x, y) for x, y in _BROW[::-1]]
    nose = [on_face(*p) for p in _BRIDGE]
    nose += [on_face(*p) for p in _NOSTRILS] + [on_face(-x, y) for x, y in _NOSTRILS[1::-1]]
    return np.array([*jaw, *brows, *nose, *_eyes(skin), *_mouth(skin, on_face)], np.int64)


def _eyes(skin: template.Skin) -> list[int]:
    n = LID_POINTS
    third, two = round(n * 0.34), round(n * 0.68)
    left, right = skin.lids
    # ring order: inner corner, upper lid outwards, outer corner, lower lid inwards
    inner, up_in, up_out, outer, low_in, low_out = 0, third, two, n, 2 * n - third, 2 * n - two
    return [
        *(int(left[k]) for k in (outer, up_out, up_in, inner, low_in, low_out)),
        *(int(right[k]) for k in (inner, up_in, up_out, outer, low_out, low_in)),
    ]


def _mouth(skin: template.Skin, on_face: Callable[..., int]) -> list[int]:
    middle = LIP_POINTS - 1
    upper, lower = skin.lips
    outer_x = (-14.5, -6.2, 0.0, 6.2, 14.5)
    outer_up = [on_face(x, float(sculpt.upper_lip_edge(np.array(x))), 1) for x in outer_x]
    outer_low = [on_face(x, float(sculpt.lower_lip_edge(np.array(x))), -1) for x in outer_x[::-1]]
    corners = [on_face(-25.8, -41.9), on_face(25.8, -41.9)]
    inner_up = [int(upper[middle + k]) for k in (-5, 0, 5)]
    inner_low = [int(lower[middle + k]) for k in (5, 0, -5)]
    ends = [int(upper[2]), int(upper[-3])]
    return [corners[0], *outer_up, corners[1], *outer_low, ends[0], *inner_up, ends[1], *inner_low]
