"""How much light falls on every vertex: soft light from above and below, one key light, gloss."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from curate.synth import head, parts, raster, sculpt, template
from curate.synth.parameters import EXPRESSION, Scene

Floats = NDArray[np.float32]


_COATS = {  # parts whose name starts so: strength and sharpness of the gloss; skin has the default
    "eye": (0.55, 160.0),
    "teeth": (0.25, 40.0),
    "hair": (0.05, 14.0),
    "curtain": (0.05, 14.0),
    "body": (0.012, 6.0),
    "glasses": (0.25, 30.0),
    "tongue": (0.15, 30.0),
    "cavity": (0.02, 10.0),
    "lip": (0.09, 26.0),
}


@cache
def _coats() -> tuple[Floats, Floats]:
    """Per vertex: strength and sharpness of the gloss."""
    mesh = parts.mesh()
    strength, sharp = np.full(len(mesh.points), 0.05, np.float32), np.full(len(mesh.points), 12.0, np.float32)
    for name, (s, e) in _COATS.items():
        for part, place in mesh.part.items():
            if part.startswith(name):
                strength[place.rows], sharp[place.rows] = s, e
    skin = mesh.part["skin"].rows
    plane = template.skin().plane
    ax, y = np.abs(plane[:, 0]), plane[:, 1]
    lips = (
        sculpt.bump(ax, y, 0, -46, 16, 4) * 0.05
        + 0.05 * sculpt.bump(ax, y, 0, -8, 9, 12)
        + 0.035 * sculpt.bump(ax, y, 0, 62, 34, 18)
    )
    strength[skin] += lips.astype(np.float32)
    return strength, sharp


@cache
def _tints() -> Floats:
    """Per vertex: factors of light that no texture carries: the red corner and the lid's shade on the eye."""
    mesh = parts.mesh()
    tint = np.ones((len(mesh.points), 3), np.float32)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        rows = mesh.part[f"eye_{side}"].rows
        x = (mesh.points[rows, 0] - sign * sculpt.EYE[0]) * sign
        y = mesh.points[rows, 1] - sculpt.EYE[1]
        corner = sculpt.smooth_step(x, -9.5, -13.5)[:, None]
        shade = 1 - 0.55 * sculpt.smooth_step(y, 1.5, 6.5) - 0.12 * sculpt.smooth_step(np.abs(x), 6, 14)
        tint[rows] = (1 - corner * (0.15, 0.50, 0.52)) * shade[:, None]
    return tint


def light(person: head.Head, points: Floats, activations: Floats, scene: Scene, shadows: bool) -> tuple[Floats, Floats]:
    """Diffuse light and gloss [V, 3] at every vertex; points [V, 3] in camera axes, `activations` of the expression."""
    normal = raster.normals(points, person.surface.triangles)
    key = np.asarray(scene.key_direction, np.float32)
    facing = normal @ key
    sky = person.open_sky[:, None]
    up = (0.5 - 0.5 * normal[:, 1:2]).astype(np.float32)
    ambient = (up * np.array(scene.ambient, np.float32) + (1 - up) * np.array(scene.bounce, np.float32)) * sky
    wrap = np.array([0.34, 0.22, 0.18], np.float32)
    lit = np.maximum((facing[:, None] + wrap) / (1 + wrap), 0)
    block = 0.45 + 0.55 * sky
    if shadows:
        block = block * _shadow(person, points, key)[:, None]
    diffuse = ambient + lit * np.array(scene.key, np.float32) * block
    opened = float(activations[EXPRESSION.index("jaw_open")])
    mesh = parts.mesh()
    for name, least in (("cavity", 0.10), ("tongue", 0.25), ("teeth_upper", 0.45), ("teeth_lower", 0.35)):
        diffuse[mesh.part[name].rows] *= np.float32(min(1.0, least + 0.6 * opened))
    diffuse *= _tints()
    strength, sharp = _coats()
    view = -points / np.linalg.norm(points, axis=1, keepdims=True)
    middle = view + key
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    glint = (
        np.power(np.maximum((normal * middle).sum(axis=1), 0), sharp) * strength * np.minimum(1, person.open_sky * 1.3)
    )
    glint = glint * (0.35 + 1.3 * person.gloss)
    shine = glint[:, None] * np.array(scene.key, np.float32) * block
    return np.ascontiguousarray(diffuse, np.float32), np.ascontiguousarray(shine, np.float32)


def _shadow(person: head.Head, points: Floats, key: Floats) -> Floats:
    """[V] share of the key light that reaches a vertex past the rest of the head."""
    size = 256
    side = np.cross(key, (0.11, 0.97, 0.2)).astype(np.float32)
    side /= np.linalg.norm(side)
    down = np.cross(key, side)
    middle = points.mean(axis=0)
    view = np.stack([(points - middle) @ side, (points - middle) @ down, -((points - middle) @ key)], axis=1)
    view[:, :2] = (view[:, :2] + 260) / 520 * size
    view = np.ascontiguousarray(view, np.float32)
    _, near = raster.visible(view, person.surface.triangles, np.ones_like(person.surface.two_sided), size, size)
    lit = np.zeros(len(points), np.float32)
    for dx, dy in ((0, 0), (1.5, 0.5), (-0.5, 1.5), (-1.5, -0.5), (0.5, -1.5)):
        column = np.clip((view[:, 0] + dx).astype(int), 0, size - 1)
        row = np.clip((view[:, 1] + dy).astype(int), 0, size - 1)
        lit += view[:, 2] <= near[row, column] + 9.0
    return np.asarray(0.25 + 0.75 * lit / 5, np.float32)
