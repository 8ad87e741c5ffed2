"""Frames of a SynthHeads person, with everything that is true of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from curate.angles import rotation
from curate.synth import background, head, landmarks, parts, raster, sculpt, template
from curate.synth.parameters import EXPRESSION, Identity, Motion, Scene

Floats = NDArray[np.float32]
SAMPLES = 2  # per pixel and axis
SMALL = 200  # renderings below this size take the coarse textures


@dataclass(frozen=True)
class Rendered:
    """T frames and their truth."""

    frames: NDArray[np.uint8]  # [T, S, S, 3] RGB
    mask: NDArray[np.uint8]  # [T, S, S] 255 where the head is (skin, hair, ears, glasses; not neck or clothes)
    landmarks: Floats  # [T, 68, 2] pixels, integers at pixel centres, iBUG order
    landmarks3d: Floats  # [T, 68, 3] mm, camera axes
    visible: NDArray[np.bool_]  # [T, 68] not hidden by the head itself, and inside the picture
    rotation: Floats  # [T, 3, 3] of the head: x_camera = R x_head + t
    translation: Floats  # [T, 3] mm
    camera: Floats  # [3, 3] intrinsics in pixels
    box: Floats  # [T, 4] of the face as detectors give it: left, top, right, bottom edges in pixels


def render_frames(
    identity: Identity, motion: Motion, scene: Scene, size: int = 256, *, device: str = "cpu", shadows: bool = False
) -> Rendered:
    """Render T frames of size x size pixels of one person.

    Every frame depends on its own motion alone, so any split into calls gives the same bytes. `shadows` lets the head
    shade itself from the key light. ValueError for sizes below 16 or motion of another form.
    """
    _check(motion, size)
    person = head.head(identity)
    placed, gaze = head.pose(person, motion)
    camera = intrinsics(motion.focal, size)
    still = background.background(scene.background, scene.brightness, size)
    count = len(motion)
    frames = np.empty((count, size, size, 3), np.uint8)
    mask = np.empty((count, size, size), np.uint8)
    points2d = np.empty((count, 68, 2), np.float32)
    visible = np.empty((count, 68), bool)
    box = np.empty((count, 4), np.float32)
    table = raster.gamma_table()
    for t in range(count):
        screen = project(placed[t], camera)
        light, shine = _light(person, placed[t], motion.expression[t], scene, shadows)
        uv = _look(person.surface.uv, gaze[t])
        textures = person.coarse if size < SMALL else person.fine
        edges = _edges(screen, SAMPLES)
        ids, near = raster.visible(
            edges, person.surface.triangles, person.surface.two_sided, size * SAMPLES, size * SAMPLES
        )
        colour, share = raster.paint(
            ids, edges, person.surface.triangles, person.surface.material, uv, light, shine,
            textures.texels, textures.table, _head_materials(), still, SAMPLES,
        )  # fmt: skip
        frames[t] = raster.develop(colour * np.float32(scene.exposure), table)
        mask[t] = np.round(share * 255).astype(np.uint8)
        chosen = landmarks.vertices()
        points2d[t] = screen[chosen, :2]
        visible[t] = _seen(edges[chosen], near)
        box[t] = _face_box(screen)
    return Rendered(
        frames, mask, points2d, np.ascontiguousarray(placed[:, landmarks.vertices()]), visible,
        rotation(motion.angles).astype(np.float32), motion.translation.astype(np.float32), camera.astype(np.float32), box,
    )  # fmt: skip


def _check(motion: Motion, size: int) -> None:
    if size < 16:
        raise ValueError(f"size: at least 16 pixels, got {size}")
    count = len(motion.angles)
    shapes = (motion.expression.shape, motion.angles.shape, motion.translation.shape)
    if shapes != ((count, len(EXPRESSION)), (count, 3), (count, 3)):
        raise ValueError(f"motion: expected [T, {len(EXPRESSION)}], [T, 3] and [T, 3], got {shapes}")


def intrinsics(focal: float, size: int) -> NDArray[np.float64]:
    """[3, 3] for a square picture: `focal` in sides of the picture, the axis through its middle, centres at integers."""
    middle = (size - 1) / 2
    return np.array([[focal * size, 0, middle], [0, focal * size, middle], [0, 0, 1]])


def project(points: NDArray[np.floating], camera: NDArray[np.floating]) -> Floats:
    """[..., 3]: x and y in pixels (integers at pixel centres) and depth in mm, of points [..., 3] in camera axes."""
    depth = np.maximum(points[..., 2], 1.0)
    x = points[..., 0] / depth * camera[0, 0] + camera[0, 2]
    y = points[..., 1] / depth * camera[1, 1] + camera[1, 2]
    return np.stack([x, y, points[..., 2]], axis=-1).astype(np.float32)


def _edges(screen: Floats, samples: int) -> Floats:
    """Pixels with integers at centres to finer pixels with integers at edges."""
    out = screen.copy()
    out[:, :2] = (out[:, :2] + np.float32(0.5)) * np.float32(samples)
    return out


@cache
def _head_materials() -> NDArray[np.uint8]:
    return np.array([name in parts.HEAD for name in parts.MATERIALS], np.uint8)


@cache
def _eye_rows() -> NDArray[np.int64]:
    mesh = parts.mesh()
    return np.concatenate([np.arange(mesh.part[f"eye_{side}"].start, mesh.part[f"eye_{side}"].stop) for side in ("left", "right")])


def _look(uv: Floats, gaze: Floats) -> Floats:
    out = uv.copy()
    out[_eye_rows()] -= gaze
    return out


@cache
def _coats() -> tuple[Floats, Floats]:
    """Per vertex: strength and sharpness of the gloss."""
    mesh = parts.mesh()
    strength, sharp = np.full(len(mesh.points), 0.05, np.float32), np.full(len(mesh.points), 12.0, np.float32)
    for name, (s, e) in {"eye": (0.55, 160.0), "teeth": (0.25, 40.0), "hair": (0.05, 14.0), "curtain": (0.05, 14.0),
                         "body": (0.012, 6.0), "glasses": (0.25, 30.0), "tongue": (0.15, 30.0), "cavity": (0.02, 10.0), "lip": (0.09, 26.0)}.items():  # fmt: skip
        for part, place in mesh.part.items():
            if part.startswith(name):
                strength[place.rows], sharp[place.rows] = s, e
    skin = mesh.part["skin"].rows
    plane = template.skin().plane
    ax, y = np.abs(plane[:, 0]), plane[:, 1]
    lips = sculpt.bump(ax, y, 0, -46, 16, 4) * 0.05 + 0.05 * sculpt.bump(ax, y, 0, -8, 9, 12) + 0.035 * sculpt.bump(ax, y, 0, 62, 34, 18)
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


def _light(person: head.Head, points: Floats, activations: Floats, scene: Scene, shadows: bool) -> tuple[Floats, Floats]:
    """Diffuse light and gloss [V, 3] at every vertex."""
    normal = raster.normals(points, person.surface.triangles)
    key = np.asarray(scene.key_direction, np.float32)
    facing = normal @ key
    sky = person.open_sky[:, None]
    up = (0.5 - 0.5 * normal[:, 1:2]).astype(np.float32)
    ambient = (up * np.float32(scene.ambient) + (1 - up) * np.float32(scene.bounce)) * sky
    wrap = np.array([0.34, 0.22, 0.18], np.float32)
    lit = np.maximum((facing[:, None] + wrap) / (1 + wrap), 0)
    block = (0.45 + 0.55 * sky)
    if shadows:
        block = block * _shadow(person, points, key)[:, None]
    light = ambient + lit * np.float32(scene.key) * block
    opened = float(activations[EXPRESSION.index("jaw_open")])
    mesh = parts.mesh()
    for name, least in (("cavity", 0.10), ("tongue", 0.25), ("teeth_upper", 0.45), ("teeth_lower", 0.35)):
        light[mesh.part[name].rows] *= np.float32(min(1.0, least + 0.6 * opened))
    light *= _tints()
    strength, sharp = _coats()
    view = -points / np.linalg.norm(points, axis=1, keepdims=True)
    middle = view + key
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    glint = np.power(np.maximum((normal * middle).sum(axis=1), 0), sharp) * strength * np.minimum(1, person.open_sky * 1.3)
    glint = glint * (0.35 + 1.3 * person_gloss(person))
    shine = glint[:, None] * np.float32(scene.key) * block
    return np.ascontiguousarray(light, np.float32), np.ascontiguousarray(shine, np.float32)


def person_gloss(person: head.Head) -> float:
    """How much a person's skin shines, [0, 1]."""
    return person.gloss


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


def _seen(points: Floats, near: Floats) -> NDArray[np.bool_]:
    """Whether points (finer pixels, depth) lie inside the picture and not more than 4 mm behind what is drawn there."""
    column, row = np.floor(points[:, 0]).astype(int), np.floor(points[:, 1]).astype(int)
    height, width = near.shape
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    best = np.full(len(points), -np.inf, np.float32)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            r, c = np.clip(row + dy, 0, height - 1), np.clip(column + dx, 0, width - 1)
            best = np.maximum(best, near[r, c])
    return np.asarray(inside & (points[:, 2] <= best + 4.0))


@cache
def _face_rows() -> NDArray[np.int64]:
    """Vertices that a face box goes around: the landmarks and the middle of the forehead."""
    plane = template.skin().plane
    forehead = [int(np.hypot(plane[:, 0] - x, plane[:, 1] - y).argmin()) for x, y in ((0, 80), (-30, 76), (30, 76))]
    return np.concatenate([landmarks.vertices(), forehead])


def _face_box(screen: Floats) -> Floats:
    points = screen[_face_rows(), :2]
    return np.concatenate([points.min(axis=0) + 0.5, points.max(axis=0) + 0.5])
