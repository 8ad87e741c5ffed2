"""The mean head's surface, sculpted for this project: a smooth cranium and jaw through named points, and the features.

Sculpting axes: x to the image's right, y up, z towards the camera, mm; the origin lies midway between the ear holes.
The named points follow the mean breadths, heights and protrusions of Zhuang and Bradtmiller 2005 (Head-and-face
anthropometric survey of U.S. respirator users): bizygomatic about 139 mm, bigonial 115, head breadth 150, head length
193, menton to sellion 118, subnasale to sellion 50, nose breadth 35, nose protrusion 20, lip length 50, pupils 63.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # floats

CENTRE = np.array([0.0, 15.0, 5.0])  # the head is star-shaped seen from here
EYE = np.array([31.5, 26.0, 64.6])  # centre of the eyeball on the image's right
EYE_RADII = np.array([16.4, 12.6, 12.6])  # wider than a ball, so that it also backs the corners of the eye
LID = 1.1  # thickness of the lids, mm
MOUTH_HALF = 25.0  # half the length of the lips

# On the midline and on one side (the other is its mirror): x, y, z without nose, lips and lids.
_POINTS = np.array(
    [
        # midline, from the top over the face to the nape
        (0, 128, -5), (0, 120, 38), (0, 106, 62), (0, 90, 78), (0, 70, 89), (0, 46, 94.5), (0, 30, 89.5), (0, 10, 88.5),
        (0, -20, 88), (0, -30, 88.5), (0, -40, 88), (0, -56, 86), (0, -72, 88.5), (0, -86, 79), (0, -86, 55),
        (0, -77, 30), (0, -74, 0), (0, -64, -45), (0, -20, -86), (0, 25, -97), (0, 85, -80), (0, 116, -48),
        # forehead, temple, cranium
        (30, 72, 81), (30, 46, 87), (52, 62, 62), (50, 44, 72), (65, 45, 36), (53, 92, 38), (72, 72, 0), (75, 52, -18),
        (52, 102, -35), (60, 75, -62), (58, 15, -70), (70, 20, -25), (26, 112, 40), (28, 95, 68),
        # orbit, cheek, jaw
        (56, 26, 60), (32, 26, 79), (33, 5, 77), (50, 3, 66), (69, 5, 30), (62, 4, 52), (47, -22, 66), (26, -40, 79),
        (24, -22, 81), (46, -46, 55), (63, -25, 20), (53, -51, 10), (42, -59.5, 30),
        (31, -69, 48), (18, -79, 70), (10, -84, 76.5), (28, -66, 64),
        # below and behind the jaw
        (17, -78, 46), (42, -62, 2), (28, -70, 19), (60, -25, -22), (46, -58, -30),
    ],
    float,
)  # fmt: skip


@cache
def _radius_fit() -> tuple[Array, Array, Array]:
    from scipy.interpolate import RBFInterpolator

    side = _POINTS[_POINTS[:, 0] > 0]
    points = np.concatenate([_POINTS, side * (-1, 1, 1)]) - CENTRE
    radius = np.linalg.norm(points, axis=1)
    grid_y, grid_x = np.meshgrid(
        np.linspace(-np.pi / 2, np.pi / 2, 181), np.linspace(-np.pi, np.pi, 361), indexing="ij"
    )
    directions = np.stack(
        [np.sin(grid_x) * np.cos(grid_y), np.sin(grid_y), np.cos(grid_x) * np.cos(grid_y)], axis=-1
    ).reshape(-1, 3)
    fit = RBFInterpolator(points / radius[:, None], radius, kernel="thin_plate_spline", smoothing=0.05)
    return fit(directions).reshape(181, 361), grid_x, grid_y


def radius(directions: Array) -> Array:
    """Distance [N] in mm from `CENTRE` to the surface without features, along unit directions [N, 3]."""
    from scipy.ndimage import map_coordinates

    table, _, _ = _radius_fit()
    azimuth = np.arctan2(directions[:, 0], directions[:, 2])
    elevation = np.arcsin(np.clip(directions[:, 1], -1, 1))
    at = np.stack([(elevation + np.pi / 2) / np.pi * 180, (azimuth + np.pi) / (2 * np.pi) * 360])
    return np.asarray(map_coordinates(table, at, order=1, mode="nearest"), np.float64)


def base_point(directions: Array) -> Array:
    """Points [N, 3] of the surface without features."""
    return np.asarray(CENTRE + directions * radius(directions)[:, None])


def front_depth(x: Array, y: Array) -> Array:
    """z [N] of the face without features at x, y (the front of the head only)."""
    z = np.full(len(x), 80.0)
    for _ in range(12):
        offset = np.stack([x, y, z], axis=1) - CENTRE
        distance = np.linalg.norm(offset, axis=1)
        z = CENTRE[2] + offset[:, 2] * (0.4 + 0.6 * radius(offset / distance[:, None]) / distance)
    return z


def bump(x: Array, y: Array, cx: float, cy: float, rx: float, ry: float) -> Array:
    """1 at (cx, cy), falling as a Gaussian with these radii."""
    return np.asarray(np.exp(-(((x - cx) / rx) ** 2) - ((y - cy) / ry) ** 2), np.float64)


def smooth_step(x: Array, low: Array | float, high: Array | float) -> Array:
    """0 below `low`, 1 above `high`, smooth between (the other way round where low > high)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def smooth_max(a: Array, b: Array, softness: float) -> Array:
    """Maximum with a rounded edge of about `softness`."""
    return np.asarray(np.logaddexp(a / softness, b / softness) * softness, np.float64)


def lip_line(x: Array) -> Array:
    """y of the closed mouth."""
    t = np.clip(np.abs(x) / MOUTH_HALF, 0, 1)
    return -41.0 - 0.7 * np.exp(-((x / 5) ** 2)) + 0.9 * t * t * (1 - t) * 4 - 0.8 * t**4


def upper_lip_edge(x: Array) -> Array:
    """y of the upper lip's border with the skin: Cupid's bow."""
    t = np.clip(np.abs(x) / MOUTH_HALF, 0, 1)
    return lip_line(x) + 9.0 * np.power(1 - t**1.7, 0.9) - 1.5 * np.exp(-((x / 3.0) ** 2)) * (1 - t)


def lower_lip_edge(x: Array) -> Array:
    """y of the lower lip's border with the skin."""
    t = np.clip(np.abs(x) / MOUTH_HALF, 0, 1)
    return lip_line(x) - 10.0 * np.power(1 - t**2.4, 0.75)


def eye_outline(count: int) -> tuple[Array, Array]:
    """The lids' edge around the eye on the image's right: x, y [2 count], from the inner corner over the upper lid."""
    s = np.arange(count) / count
    s = s + 0.04 * np.sin(2 * np.pi * s)
    inner, outer = EYE[0] - 14.2, EYE[0] + 14.2
    across = np.concatenate([inner + (outer - inner) * s, outer - (outer - inner) * s])
    u = (across - inner) / (outer - inner)
    line = 24.6 + 2.0 * u
    upper = 6.1 * np.power(np.clip(np.sin(np.pi * u**0.88), 0, 1), 0.72)
    lower = -4.6 * np.power(np.clip(np.sin(np.pi * u**1.12), 0, 1), 0.80)
    return across, line + np.concatenate([upper[:count], lower[count:]])


def _nose(x: Array, y: Array) -> Array:
    t = np.clip((33.0 - y) / 45.0, 0, 1)
    ridge = 2.0 + 18.0 * t**1.35 - 1.2 * np.exp(-(((y - 26) / 7) ** 2))
    below = np.clip((-12.0 - y) / 9.5, 0, 1)
    ridge = np.where(y < -12, 20.0 * np.sqrt(np.clip(1 - below**2.2, 0, 1)), ridge)
    ridge = ridge * smooth_step(y, 44, 30)
    width = 7.4 + 2.2 * t**2 + 2.0 * np.exp(-(((y + 9) / 6) ** 2))
    bridge = ridge * np.exp(-np.power(np.abs(x) / width, 2.0))
    flank = 5.0 * t * np.exp(-((x / 17.0) ** 2)) * smooth_step(y, -21, -15)
    wing = (
        10.5
        * np.exp(-np.power(np.hypot((np.abs(x) - 12.4) / 5.6, (y + 13.2) / 7.2), 2.4))
        * smooth_step(y, -21.5, -17.5)
    )
    nostril = -4.0 * np.exp(-np.power(np.hypot((np.abs(x) - 6.4) / 3.4, (y + 18.8) / 2.2), 2.0))
    return smooth_max(smooth_max(bridge, wing, 1.0), flank, 1.5) + nostril - 1.1


def _lips(x: Array, y: Array, upper: NDArray[np.bool_]) -> Array:
    line = lip_line(x)
    taper = np.sqrt(np.clip(1 - (x / (MOUTH_HALF + 1.5)) ** 2, 0, 1))
    rise = np.maximum(upper_lip_edge(x) - line, 0.6)
    drop = np.maximum(line - lower_lip_edge(x), 0.6)
    up, down = (y - line) / rise, (line - y) / drop
    full_u = np.where(
        up < 1, 2.6 + 3.0 * np.sin(np.pi * np.clip(up, 0, 1) ** 0.8), 2.6 * np.exp(-np.maximum(y - line - rise, 0) / 5)
    )
    full_l = np.where(
        down < 1,
        1.4 + 5.2 * np.sin(np.pi * np.clip(down, 0, 1) ** 0.75),
        1.4 * np.exp(-np.maximum(line - drop - y, 0) / 4),
    )
    crease = -3.4 * np.exp(-np.abs(y - line) / 1.3)
    near = np.exp(-np.power(np.abs(x) / (MOUTH_HALF + 4), 8))
    philtrum = -1.5 * np.exp(-((x / 2.6) ** 2)) * smooth_step(y, -33, -29) * smooth_step(y, -20, -24)
    columns = 0.8 * np.exp(-(((np.abs(x) - 5) / 2.2) ** 2)) * smooth_step(y, -35, -30) * smooth_step(y, -20, -25)
    groove = -3.0 * bump(x, y, 0, -57.5, 19, 5.0)
    corner = -1.6 * bump(np.abs(x), y, MOUTH_HALF + 1, -41.5, 4.0, 4.0)
    return np.asarray((np.where(upper, full_u, full_l) + crease) * taper * near + philtrum + columns + groove + corner)


def eye_front(x: Array, y: Array, grow: float) -> Array:
    """z of the eyeball on the image's right, its radii enlarged by `grow` mm; far below the face beside it."""
    rx, ry, rz = EYE_RADII + grow
    inside = 1 - ((x - EYE[0]) / rx) ** 2 - ((y - EYE[1]) / ry) ** 2
    return np.asarray(EYE[2] + rz * np.sqrt(np.clip(inside, 0, 1)) - 40.0 * np.clip(-inside, 0, 2), np.float64)


def face_depth(x: Array, y: Array, upper: NDArray[np.bool_]) -> Array:
    """z [N] of the whole face at x, y; `upper` says for points beside the mouth's line to which lip they belong."""
    ax = np.abs(x)
    z = front_depth(x, y)
    z = z - 6.5 * bump(ax, y, 31, 26, 17, 11) - 7.5 * bump(ax, y, 16.5, 25, 5.5, 7)  # sockets
    z = z + 3.4 * bump(ax, y, 27, 43, 22, 7) * smooth_step(ax, 4, 16) - 1.5 * bump(x, y, 0, 36, 7, 8)  # brow ridge
    z = z + 2.6 * bump(ax, y, 47, 4, 15, 10)  # cheekbones
    z = z - 2.0 * bump(ax, y, 50, -24, 13, 15)  # hollow of the cheek
    fold = 19.0 + (-16.0 - y) * 0.42  # from the nose's wing past the mouth's corner
    z = z - 1.0 * np.exp(-(((ax - fold) / 4.0) ** 2)) * smooth_step(y, -44, -32) * smooth_step(y, -12, -20)
    z = z + 2.4 * bump(x, y, 0, -73, 12, 8) + _nose(x, y) + _lips(x, y, upper)
    ball = eye_front(ax, y, LID)
    opened = np.exp(-np.power(np.hypot((ax - EYE[0]) / 19.5, (y - EYE[1]) / 14.0), 6))
    lids = smooth_max(z, ball, 1.2)
    z = z + (lids - z) * opened
    above = y - (24.6 + 2.0 * (ax - 16.5) / 30) - 6.3 * np.sqrt(np.clip(1 - ((ax - EYE[0]) / 15.5) ** 2, 0, 1))
    crease = np.exp(-(((above - 3.4) / 1.5) ** 2)) * np.exp(-np.power(np.abs(ax - EYE[0]) / 15, 4))
    return np.asarray(z - 1.3 * crease)
