"""How the mean head becomes a person: every coefficient of `parameters.SHAPE` as a displacement of all vertices.

Displacements are in mm per unit of the coefficient, smooth in space, so that eyes, teeth, ears and glasses follow.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from curate.synth import parts, sculpt
from curate.synth.parameters import SHAPE
from curate.synth.sculpt import EYE, MOUTH_HALF, Array, smooth_step


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


def displace(x: Array | float, y: Array | float, z: Array | float) -> Array:
    """Displacements [V, 3] from their parts along the axes."""
    zeros = np.zeros(len(places().x))
    return np.stack([zeros + x, zeros + y, zeros + z], axis=1)


@cache
def basis() -> Array:
    """[len(SHAPE), V, 3] float32: displacement in sculpting axes per unit of each coefficient."""
    p = places()
    mesh, x, y, z, ax, side, g = p.mesh, p.x, p.y, p.z, p.ax, p.side, p.g
    skull = 1 - p.rows("body")
    t = np.clip((33 - y) / 45, 0, 1) * (y > -24)
    nose = np.exp(-((x / 15) ** 2)) * t * p.front
    larger = 0.055 * g(31.5, 26, 19, 15)
    hood = g(34, 35, 15, 4)
    around = np.exp(-(((y - 3) / 22) ** 2)) * smooth_step(ax, 25, 60)
    fields: dict[str, Array] = {
        "head_width": displace(3.6 * mesh.points[:, 0] / 75 * skull, 0, 0),
        "head_depth": displace(0, 0, 5.0 * np.minimum(z - 40, 0) / 97 * skull),
        "face_length": displace(0, 4.2 * (np.minimum(y, 30) - 30) / 118 * skull, 0),
        "forehead_height": displace(0, 4.5 * smooth_step(y, 40, 120) * skull, 0),
        "forehead_slope": displace(0, 0, -4.5 * np.exp(-(((y - 92) / 34) ** 2)) * p.front),
        "temple_width": displace(2.6 * side * np.exp(-(((y - 52) / 26) ** 2)) * smooth_step(ax, 25, 60) * skull, 0, 0),
        "cheekbone_width": displace(3.0 * side * around * skull, 0, 0),
        "cheekbone_height": displace(0, 2.6 * g(50, 3, 18, 14), 1.6 * g(48, 7, 14, 9)),
        "cheek_fullness": displace(3.4 * side * g(52, -26, 22, 24), 0, 3.0 * g(44, -24, 18, 20)),
        "jaw_width": displace(3.5 * side * np.exp(-(((y + 55) / 27) ** 2)) * smooth_step(ax, 12, 50) * skull, 0, 0),
        "jaw_angle": displace(0, -3.0 * sculpt.bump(ax, y, 52, -48, 30, 28) * smooth_step(z, -40, 40) * skull, 0),
        "chin_width": displace(2.8 * side * g(16, -78, 18, 16), 0, 0),
        "chin_length": displace(0, -4.5 * smooth_step(y, -52, -88) * smooth_step(z, -10, 40) * skull, 0),
        "chin_protrusion": displace(0, 0, 4.0 * g(0, -75, 24, 18)),
        "brow_ridge": displace(0, 0, 1.9 * g(26, 43, 24, 8)),
        "brow_height": displace(0, 2.3 * g(28, 45, 28, 10), 0),
        "eye_spacing": displace(1.7 * side * g(31, 26, 20, 17), 0, 0),
        "eye_height": displace(0, 1.8 * g(31, 26, 30, 20), 0),
        "eye_size": displace(larger * np.sign(x) * (ax - EYE[0]), larger * (y - EYE[1]), 0),
        "eye_opening": displace(0, 1.15 * p.lid_u - 0.45 * p.lid_l, 0),
        "eye_tilt": displace(0, 1.5 * (ax - 31.5) / 15 * g(31, 26, 20, 14), 0),
        "eye_depth": displace(0, 0, -1.6 * g(31, 26, 23, 16)),
        "lid_hood": displace(0, -1.7 * hood, 1.3 * hood),
        "nose_length": displace(0, -2.8 * np.exp(-((x / 20) ** 2)) * t**1.3 * p.front, 0),
        "nose_width": displace(2.1 * side * g(13, -13, 9, 9), 0, 0),
        "nose_protrusion": displace(0, 0, 2.6 * nose),
        "nose_bridge_width": displace(1.4 * side * g(8, 12, 7, 18), 0, 0),
        "nose_hump": displace(0, 0, 1.7 * np.exp(-((x / 8) ** 2)) * np.exp(-(((y - 12) / 9) ** 2)) * p.front),
        "nose_tip": displace(0, 2.2 * g(0, -12, 9, 8), 0.7 * g(0, -11, 8, 7)),
        "mouth_width": displace(2.5 * side * g(23, -41, 14, 13), 0, 0),
        "upper_lip": displace(0, 1.35 * p.rim_u, 0.9 * p.upper * g(0, -36, 20, 6)),
        "lower_lip": displace(0, -1.6 * p.rim_l, 1.1 * p.lower * g(0, -47, 20, 7)),
        "mouth_height": displace(0, 1.9 * g(0, -41, 36, 17), 0),
        "lip_protrusion": displace(0, 0, 2.0 * g(0, -41, 25, 13)),
        "ear_size": _ear(p, 0.085),
        "ear_angle": displace(np.sign(x) * 3.0 * p.rows("ear") * smooth_step(z, 5, -28), 0, 0),
        "neck_width": displace(
            3.2 * np.tanh(mesh.points[:, 0] / 30) * p.rows("body") * smooth_step(y, -150, -120), 0, 0
        ),
        "shoulder_width": displace(9.0 * mesh.points[:, 0] / 200 * p.rows("body"), 0, 0),
        "asymmetry_nose": displace(1.1 * sculpt.bump(x, y, 0, -8, 16, 22) * p.front, 0, 0),
        "asymmetry_mouth": displace(0, 1.0 * np.tanh(x / 18) * g(0, -41, 34, 16), 0),
        "asymmetry_eyes": displace(0, 0.8 * np.tanh(x / 10) * g(31, 28, 24, 18), 0),
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
