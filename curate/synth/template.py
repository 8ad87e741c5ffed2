"""The head's skin as a mesh: rings of points around eyes and mouth, a denser grid on the nose, coarser behind.

Topology comes from a Delaunay triangulation in a chart (the sphere of directions seen from the front, azimuthal
equidistant), in which the mouth is drawn open; so lids and lips end exactly at vertices and can part.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from curate.synth import sculpt
from curate.synth.sculpt import CENTRE, EYE, MOUTH_HALF, Array

LID_POINTS = 14  # per lid
LIP_POINTS = 16  # per lip and half of the mouth
EYE_RINGS = (1.0, 1.12, 1.27, 1.46, 1.7, 2.0)
BACK = 3.1  # radians from the front: where the skin is closed at the back of the head
Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Skin:
    """The mean head's skin in sculpting axes (see `sculpt`)."""

    points: Array  # [V, 3] mm
    plane: Array  # [V, 2] x, y on the face before lids and lips were shaped: where features are drawn
    lip: NDArray[np.int8]  # [V] 1: belongs to the upper lip's side, -1: to the lower, 0: beside the mouth
    chart: Array  # [V, 2] radians from the front
    triangles: Ints  # [F, 3]
    lids: tuple[
        Ints, Ints
    ]  # edge of the lids, image's left and right eye: inner corner, over the upper lid, back below
    lips: tuple[Ints, Ints]  # edge of the mouth's opening, upper and lower, from the image's left to its right


def to_chart(directions: Array) -> Array:
    """Chart points [N, 2] of unit directions [N, 3]: angle from the front, times the direction in the image."""
    angle = np.arccos(np.clip(directions[:, 2], -1, 1))
    flat = np.hypot(directions[:, 0], directions[:, 1])
    return np.asarray(directions[:, :2] * (angle / np.maximum(flat, 1e-9))[:, None])


def from_chart(chart: Array) -> Array:
    """Unit directions [N, 3] of chart points [N, 2]."""
    angle = np.hypot(chart[:, 0], chart[:, 1])
    scale = np.sinc(angle / np.pi)
    return np.stack([chart[:, 0] * scale, chart[:, 1] * scale, np.cos(angle)], axis=1)


def _face_chart(plane: Array) -> Array:
    z = sculpt.front_depth(plane[:, 0], plane[:, 1])
    offset = np.concatenate([plane, z[:, None]], axis=1) - CENTRE
    return to_chart(offset / np.linalg.norm(offset, axis=1, keepdims=True))


def _eye_rings() -> list[Array]:
    x, y = sculpt.eye_outline(LID_POINTS)
    rings = []
    for k, scale in enumerate(EYE_RINGS):
        round_ = k / (len(EYE_RINGS) - 1) * 0.75
        dx, dy = (x - EYE[0]) * scale, (y - EYE[1]) * scale
        angle = np.arctan2(dy * 1.6, dx)
        reach = 15.0 * scale
        circle = np.stack([EYE[0] + reach * np.cos(angle), EYE[1] + 0.78 * reach * np.sin(angle)], axis=1)
        rings.append((1 - round_) * np.stack([EYE[0] + dx, EYE[1] + dy], axis=1) + round_ * circle)
    return rings


def _lip_rows(upper: bool) -> list[Array]:
    """Rows of points along a lip, from the mouth's line outwards, image's left to right."""
    s = np.linspace(-1, 1, 2 * LIP_POINTS + 1)[1:-1]
    x = MOUTH_HALF * np.sin(s * np.pi / 2 * 0.985)
    line = sculpt.lip_line(x)
    edge = sculpt.upper_lip_edge(x) if upper else sculpt.lower_lip_edge(x)
    rows = [np.stack([x, line + (edge - line) * t], axis=1) for t in (0.0, 0.14, 0.34, 0.58, 0.8, 1.0)]
    outwards = 1.0 if upper else -1.0
    for k, distance in enumerate((1.5, 3.4, 5.8)):
        wide = x * (1 + 0.05 * (k + 1))
        rows.append(np.stack([wide, edge + outwards * distance], axis=1))
    return rows


def _thin(points: Array, keep: Array, least: float) -> Array:
    """`points` without those nearer than `least` to one of `keep`."""
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(keep).query(points)
    return np.asarray(points[distance >= least])


def _halves(points: Array) -> Array:
    """Points made symmetric: the side x > 0 mirrored; points near the midline are put onto it."""
    right = points[points[:, 0] > 0.6]
    middle = points[np.abs(points[:, 0]) <= 0.6] * (0, 1)
    return np.concatenate([middle, right, right * (-1, 1)])


def _grid(step: float, x: tuple[float, float], y: tuple[float, float]) -> Array:
    rows = np.arange(y[0], y[1] + 1e-9, step * 0.87)
    columns = np.arange(0, x[1] + 1e-9, step)
    return np.concatenate(
        [np.stack([columns + (k % 2) * step / 2, np.full(len(columns), row)], axis=1) for k, row in enumerate(rows)]
    )


def _outside_eyes(points: Array) -> Array:
    ring = (points - EYE[:2]) / (15.5 * EYE_RINGS[-1], 12.0 * EYE_RINGS[-1])
    return np.asarray(points[(ring**2).sum(axis=1) > 1])


def _facing(points: Array) -> Array:
    """The points at which the mean face is no steeper than about 60 degrees."""
    x, y = points[:, 0], points[:, 1]
    slope = [
        sculpt.front_depth(x + dx, y + dy) - sculpt.front_depth(x - dx, y - dy) for dx, dy in ((1.0, 0.0), (0.0, 1.0))
    ]
    z = sculpt.front_depth(x, y)
    offset = np.stack([x, y, z], axis=1) - CENTRE
    distance = np.linalg.norm(offset, axis=1)
    on_surface = np.abs(sculpt.radius(offset / distance[:, None]) / distance - 1) < 0.01
    return np.asarray(points[(np.hypot(*slope) / 2 < 1.7) & on_surface])


@cache
def skin() -> Skin:
    """The mean head's skin (made once, about a second)."""
    from scipy.spatial import Delaunay

    rings = _eye_rings()
    eye = np.concatenate(rings)
    mouth = [np.concatenate(_lip_rows(True)), np.concatenate(_lip_rows(False))]
    corner = np.array([[MOUTH_HALF + 0.8, -41.9], [-MOUTH_HALF - 0.8, -41.9]])
    fixed = np.concatenate([eye, eye * (-1, 1), *mouth, corner])
    nose = _halves(_outside_eyes(_thin(_grid(2.0, (0, 21), (-25, 36)), fixed, 1.6)))
    near = np.concatenate([fixed, nose])
    face = _halves(_facing(_outside_eyes(_thin(_grid(4.2, (0, 54), (-88, 88)), near, 3.0))))
    plane = np.concatenate([near, face])
    line = sculpt.lip_line(plane[:, 0])
    lip = np.where(np.abs(plane[:, 0]) < MOUTH_HALF + 14, np.where(plane[:, 1] >= line, 1, -1), 0).astype(np.int8)
    count = len(eye) * 2
    n_lip = len(mouth[0])
    lip[count : count + n_lip], lip[count + n_lip : count + 2 * n_lip] = 1, -1

    opened = plane.copy()
    apart = np.sqrt(np.clip(1 - (plane[:, 0] / (MOUTH_HALF + 0.8)) ** 2, 0, 1)) * np.exp(
        -(((plane[:, 1] - line) / 9) ** 2)
    )
    opened[:, 1] += 4.0 * apart * lip
    chart_face = _face_chart(opened)
    rest = _around(chart_face)
    chart = np.concatenate([chart_face, rest])
    triangles = Delaunay(chart).simplices.astype(np.int32)
    edge = LIP_POINTS * 2 - 1
    lids_right = np.arange(2 * LID_POINTS, dtype=np.int32)
    lids_left = lids_right + len(eye)
    lips_upper = np.arange(count, count + edge, dtype=np.int32)
    lips_lower = lips_upper + n_lip
    openings = [set(lids_right.tolist()), set(lids_left.tolist()), {*lips_upper.tolist(), *lips_lower.tolist()}]
    inside = np.zeros(len(triangles), bool)
    for opening in openings:
        inside |= np.isin(triangles, list(opening)).all(axis=1)
    corners = {count + 2 * n_lip, count + 2 * n_lip + 1}
    mouth_edge = np.isin(triangles, list(openings[2] | corners)).all(axis=1)
    inside |= mouth_edge
    triangles = _facing_out(triangles[~inside], chart)

    chart, rest = np.concatenate([chart, [[0.0, BACK]]]), np.concatenate([rest, [[0.0, BACK]]])
    triangles = np.concatenate([triangles, _close(triangles, chart)])
    points = np.concatenate([_face_points(plane, lip), sculpt.base_point(from_chart(rest))])
    flat = np.concatenate([plane, points[len(plane) :, :2]])
    lip = np.concatenate([lip, np.zeros(len(rest), np.int8)])
    return Skin(points, flat, lip, chart, triangles, (lids_left, lids_right), (lips_upper, lips_lower))


def _close(triangles: Ints, chart: Array) -> Ints:
    """A fan from the outer border to the last point, the back of the head, which the chart has no place for."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    known = {(int(a), int(b)) for a, b in edges}
    border = [(a, b) for a, b in edges.tolist() if (b, a) not in known and np.hypot(*chart[a]) > 2.4]
    return np.array([(b, a, len(chart) - 1) for a, b in border], np.int32)


def _face_points(plane: Array, lip: NDArray[np.int8]) -> Array:
    z = sculpt.face_depth(plane[:, 0], plane[:, 1], lip >= 0)
    return np.concatenate([plane, z[:, None]], axis=1)


def _around(face: Array) -> Array:
    """Chart points of the rest of the head: rings that grow wider, back to the crown of the neck."""
    from scipy.spatial import ConvexHull, Delaunay

    hull = Delaunay(face[ConvexHull(face).vertices] * 1.03)
    points = []
    angle = 0.45
    while angle < 2.9:
        count = max(12, int(2 * np.pi * np.sin(min(angle, np.pi / 2)) * 0.5 / (0.035 + 0.025 * angle)) * 2)
        turn = (np.arange(count // 2) + 0.5) / (count // 2) * np.pi
        points.append(np.stack([angle * np.sin(turn), angle * np.cos(turn)], axis=1))
        angle += 0.035 + 0.03 * angle
    right = np.concatenate(points)
    right = right[hull.find_simplex(right) < 0]
    right = _thin(right, face, 0.035)
    return np.concatenate([right, right * (-1, 1)])


def _facing_out(triangles: Ints, chart: Array) -> Ints:
    """All triangles anticlockwise in the chart (x right, y up), so that their normals point out of the head."""
    a, b, c = (chart[triangles[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    keep = triangles[np.abs(area) > 1e-9]
    flip = area[np.abs(area) > 1e-9] < 0
    keep[flip] = keep[flip][:, ::-1]
    return np.asarray(keep)
