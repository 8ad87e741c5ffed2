"""How the mean head becomes a person: every coefficient of `parameters.SHAPE` as a displacement of all vertices.

Displacements are in mm per unit of the coefficient, smooth in space, so that eyes, teeth, ears and glasses follow.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from curate.synth import parts, sculpt
from curate.synth.parameters import SHAPE
from curate.synth.sculpt import EYE, MOUTH_HALF, Array, smooth_step

X, Y, Z = np.eye(3)


class Places:
    """Coordinates of all vertices and windows over them; what `shape` and `expression` draw displacements with."""

    def __init__(self) -> None:
        mesh = parts.mesh()
        self.mesh = mesh
        self.x, self.y = mesh.plane[:, 0], mesh.plane[:, 1]
        self.z = mesh.points[:, 2]
        self.ax = np.abs(self.x)
        self.side = np.tanh(self.x / 6)
        self.front = smooth_step(self.z, -10, 45)
        self.on_lips = (mesh.lip != 0).astype(float)
        self.upper, self.lower = (mesh.lip > 0).astype(float), (mesh.lip < 0).astype(float)
        edge_u, edge_l = sculpt.upper_lip_edge(self.x), sculpt.lower_lip_edge(self.x)
        taper = np.sqrt(np.clip(1 - (self.x / (MOUTH_HALF + 2)) ** 2, 0, 1))
        self.taper = taper
        self.rim_u = self.upper * taper * np.exp(-(((self.y - edge_u) / 5) ** 2))
        self.rim_l = self.lower * taper * np.exp(-(((self.y - edge_l) / 5) ** 2))
        u = np.clip((self.ax - (EYE[0] - 14.2)) / 28.4, 0, 1)
        near = np.sin(np.pi * u) * (np.abs(self.ax - EYE[0]) < 14.2)
        line = 24.6 + 2.0 * u
        self.lid_u = near * np.exp(-(((self.y - line - 6.1 * near) / 5.0) ** 2)) * self.front
        self.lid_l = near * np.exp(-(((self.y - line + 4.6 * near) / 4.0) ** 2)) * self.front * (self.y < line)

    def g(self, cx: float, cy: float, rx: float, ry: float) -> Array:
        """A Gaussian on both sides of the face."""
        return sculpt.bump(self.ax, self.y, cx, cy, rx, ry) * self.front

    def rows(self, name: str) -> Array:
        """1 for the vertices of the parts whose name starts so."""
        weight = np.zeros(len(self.x))
        for part, place in self.mesh.part.items():
            if part.startswith(name):
                weight[place.rows] = 1
        return weight


@cache
def places() -> Places:
    """The mean head's places (made once)."""
    return Places()


def _along(direction: Array, weight: Array) -> Array:
    return weight[:, None] * direction


@cache
def basis() -> Array:
    """[len(SHAPE), V, 3] float32: displacement in sculpting axes per unit of each coefficient."""
    p = places()
    mesh, x, y, z, ax, side, g = p.mesh, p.x, p.y, p.z, p.ax, p.side, p.g
    skull = 1 - p.rows("body")
    t = np.clip((33 - y) / 45, 0, 1) * (y > -24)
    nose = np.exp(-((x / 15) ** 2)) * t * p.front
    eye = np.array([EYE[0], EYE[1]])
    from_eye = np.stack([ax - eye[0], y - eye[1]], axis=1)
    fields: dict[str, Array] = {
        "head_width": _along(X, 3.6 * mesh.points[:, 0] / 75 * skull),
        "head_depth": _along(Z, 5.0 * np.minimum(z - 40, 0) / 97 * skull),
        "face_length": _along(Y, 4.2 * (np.minimum(y, 30) - 30) / 118 * skull),
        "forehead_height": _along(Y, 4.5 * smooth_step(y, 40, 120) * skull),
        "forehead_slope": _along(Z, -4.5 * np.exp(-(((y - 92) / 34) ** 2)) * p.front),
        "temple_width": _along(X, 2.6 * side * np.exp(-(((y - 52) / 26) ** 2)) * smooth_step(ax, 25, 60) * skull),
        "cheekbone_width": _along(X, 3.0 * side * np.exp(-(((y - 3) / 22) ** 2)) * smooth_step(ax, 25, 60) * skull),
        "cheekbone_height": _along(Y, 2.6 * g(50, 3, 18, 14)) + _along(Z, 1.6 * g(48, 7, 14, 9)),
        "cheek_fullness": _along(X, 3.4 * side * g(52, -26, 22, 24)) + _along(Z, 3.0 * g(44, -24, 18, 20)),
        "jaw_width": _along(X, 3.5 * side * np.exp(-(((y + 55) / 27) ** 2)) * smooth_step(ax, 12, 50) * skull),
        "jaw_angle": _along(Y, -3.0 * sculpt.bump(ax, y, 52, -48, 30, 28) * smooth_step(z, -40, 40) * skull),
        "chin_width": _along(X, 2.8 * side * g(16, -78, 18, 16)),
        "chin_length": _along(Y, -4.5 * smooth_step(y, -52, -88) * smooth_step(z, -10, 40) * skull),
        "chin_protrusion": _along(Z, 4.0 * g(0, -75, 24, 18)),
        "brow_ridge": _along(Z, 1.9 * g(26, 43, 24, 8)),
        "brow_height": _along(Y, 2.3 * g(28, 45, 28, 10)),
        "eye_spacing": _along(X, 1.7 * side * g(31, 26, 20, 17)),
        "eye_height": _along(Y, 1.8 * g(31, 26, 30, 20)),
        "eye_size": np.concatenate(
            [
                from_eye * (0.055 * g(31.5, 26, 19, 15))[:, None] * np.stack([np.sign(x), np.ones_like(x)], axis=1),
                np.zeros((len(x), 1)),
            ],
            axis=1,
        ),
        "eye_opening": _along(Y, 1.15 * p.lid_u - 0.45 * p.lid_l),
        "eye_tilt": _along(Y, 1.5 * (ax - 31.5) / 15 * g(31, 26, 20, 14)),
        "eye_depth": _along(Z, -1.6 * g(31, 26, 23, 16)),
        "lid_hood": _along(Z, 1.3 * g(34, 35, 15, 4)) + _along(Y, -1.7 * g(34, 35, 15, 4)),
        "nose_length": _along(Y, -2.8 * np.exp(-((x / 20) ** 2)) * t**1.3 * p.front),
        "nose_width": _along(X, 2.1 * side * g(13, -13, 9, 9)),
        "nose_protrusion": _along(Z, 2.6 * nose),
        "nose_bridge_width": _along(X, 1.4 * side * g(8, 12, 7, 18)),
        "nose_hump": _along(Z, 1.7 * np.exp(-((x / 8) ** 2)) * np.exp(-(((y - 12) / 9) ** 2)) * p.front),
        "nose_tip": _along(Y, 2.2 * g(0, -12, 9, 8)) + _along(Z, 0.7 * g(0, -11, 8, 7)),
        "mouth_width": _along(X, 2.5 * side * g(23, -41, 14, 13)),
        "upper_lip": _along(Y, 1.35 * p.rim_u) + _along(Z, 0.9 * p.upper * g(0, -36, 20, 6)),
        "lower_lip": _along(Y, -1.6 * p.rim_l) + _along(Z, 1.1 * p.lower * g(0, -47, 20, 7)),
        "mouth_height": _along(Y, 1.9 * g(0, -41, 36, 17)),
        "lip_protrusion": _along(Z, 2.0 * g(0, -41, 25, 13)),
        "ear_size": _ear(p, 0.085),
        "ear_angle": _along(X, np.sign(x) * 3.0 * p.rows("ear") * smooth_step(z, 5, -28)),
        "neck_width": _along(X, 3.2 * np.tanh(mesh.points[:, 0] / 30) * p.rows("body") * smooth_step(y, -150, -120)),
        "shoulder_width": _along(X, 9.0 * mesh.points[:, 0] / 200 * p.rows("body")),
        "asymmetry_nose": _along(X, 1.1 * sculpt.bump(x, y, 0, -8, 16, 22) * p.front),
        "asymmetry_mouth": _along(Y, 1.0 * np.tanh(x / 18) * g(0, -41, 34, 16)),
        "asymmetry_eyes": _along(Y, 0.8 * np.tanh(x / 10) * g(31, 28, 24, 18)),
    }
    strong = ("eye", "nose", "mouth", "brow", "lid", "upper", "lower", "lip")
    return np.stack([fields[name] * (1.2 if name.startswith(strong) else 1.0) for name in SHAPE]).astype(np.float32)


def _ear(p: Places, share: float) -> Array:
    field = np.zeros((len(p.x), 3))
    for side in ("left", "right"):
        rows = p.mesh.part[f"ear_{side}"].rows
        points = p.mesh.points[rows]
        root = np.array([np.sign(points[0, 0]) * 66, 4.0, -4.0])
        field[rows] = (points - root) * share
    return field
