"""Frames of a SynthHeads person, with everything that is true of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from curate.angles import rotation
from curate.synth import background, head, landmarks, lighting, parts, raster, template
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
    identity: Identity, motion: Motion, scene: Scene, size: int = 256, *, device: str = "cpu", shadows: bool = True
) -> Rendered:
    """Render T frames of size x size pixels of one person.

    Every frame depends on its own motion alone, so any split into calls gives the same bytes. `device` draws the pixels
    there (any torch device; "cpu" is compiled code). `shadows` lets the head
    shade itself from the key light. ValueError for sizes below 16 or motion of another form.
    """
    _check(motion, size)
    person = head.head(identity)
    placed, gaze = head.pose(person, motion)
    camera = intrinsics(motion.focal, size)
    still = background.background(scene.background, scene.brightness, size)
    chosen = landmarks.vertices()
    screen = project(placed, camera)
    edges = _edges(screen, SAMPLES)
    uv = _look(person.surface.uv, gaze)
    textures = person.coarse if size < SMALL else person.fine
    draw = _draw if device == "cpu" else _draw_on(device)
    frames, mask, seen = [], [], []
    for t, activations in enumerate(motion.expression):
        light, shine = lighting.light(person, placed[t], activations, scene, shadows)
        colour, share, near = draw(person.surface, edges[t], uv[t], light, shine, textures, still)
        frames.append(raster.develop(colour * np.float32(scene.exposure), raster.gamma_table()))
        mask.append(np.round(share * 255).astype(np.uint8))
        seen.append(_seen(edges[t, chosen], near))
    return Rendered(
        frames=np.stack(frames),
        mask=np.stack(mask),
        landmarks=np.ascontiguousarray(screen[:, chosen, :2]),
        landmarks3d=np.ascontiguousarray(placed[:, chosen]),
        visible=np.stack(seen),
        rotation=rotation(motion.angles).astype(np.float32),
        translation=motion.translation.astype(np.float32),
        camera=camera.astype(np.float32),
        box=np.stack([_face_box(points) for points in screen]),
    )


Drawing = tuple[Floats, Floats, Floats]
"""Of one frame: colour [S, S, 3], share of the head [S, S], depth at the finer pixels."""


def _draw(
    surface: raster.Surface,
    edges: Floats,
    uv: Floats,
    light: Floats,
    shine: Floats,
    textures: raster.Textures,
    still: Floats,
) -> Drawing:
    """One frame on the CPU."""
    side = len(still) * SAMPLES
    ids, near = raster.visible(edges, surface.triangles, surface.two_sided, side, side)
    colour, share = raster.paint(
        ids, edges, surface.triangles, surface.material, uv, light, shine,
        textures.texels, textures.table, _head_materials(), still, SAMPLES,
    )  # fmt: skip
    return colour, share, near


def _draw_on(device: str) -> Callable[..., Drawing]:
    """`_draw` on a torch device."""
    import torch

    from curate.synth import raster_torch

    def draw(
        surface: raster.Surface,
        edges: Floats,
        uv: Floats,
        light: Floats,
        shine: Floats,
        textures: raster.Textures,
        still: Floats,
    ) -> Drawing:
        side = len(still) * SAMPLES
        points, at, lit, glint = (torch.from_numpy(value).to(device)[None] for value in (edges, uv, light, shine))
        ids, near = raster_torch.visible(points, surface, side, side)
        ground = torch.from_numpy(still).to(device)
        heads = _head_materials()
        colour, share = raster_torch.paint(ids, points, surface, at, lit, glint, textures, heads, ground, SAMPLES)
        return colour[0].cpu().numpy(), share[0].cpu().numpy(), near[0].cpu().numpy()

    return draw


def _check(motion: Motion, size: int) -> None:
    if size < 16:
        raise ValueError(f"size: at least 16 pixels, got {size}")
    count = len(motion.angles)
    shapes = (motion.expression.shape, motion.angles.shape, motion.translation.shape)
    if shapes != ((count, len(EXPRESSION)), (count, 3), (count, 3)):
        raise ValueError(f"motion: expected [T, {len(EXPRESSION)}], [T, 3] and [T, 3], got {shapes}")


def intrinsics(focal: float, size: int) -> NDArray[np.float64]:
    """[3, 3] of a square picture: `focal` in sides of it, the axis through its middle, pixel centres at integers."""
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
    out[..., :2] = (out[..., :2] + np.float32(0.5)) * np.float32(samples)
    return out


@cache
def _head_materials() -> NDArray[np.uint8]:
    return np.array([name in parts.HEAD for name in parts.MATERIALS], np.uint8)


@cache
def _eye_rows() -> NDArray[np.int64]:
    mesh = parts.mesh()
    return np.concatenate(
        [np.arange(mesh.part[f"eye_{side}"].start, mesh.part[f"eye_{side}"].stop) for side in ("left", "right")]
    )


def _look(uv: Floats, gaze: Floats) -> Floats:
    """Texture coordinates [T, V, 2] with the irises where the eyes look."""
    out = np.repeat(uv[None], len(gaze), axis=0)
    out[:, _eye_rows()] -= gaze[:, None]
    return out


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
