"""Triangles to pixels on the CPU: a z-buffer and deferred texturing, compiled; no graphics library.

Vertices carry their light, so a pixel costs one look into a texture. Anti-aliasing is supersampling, averaged in linear
light. `raster_torch` does the same on any torch device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Textures:
    """Several pictures [h, w, 3] in one array; texels hold 255 sqrt(linear light)."""

    texels: Bytes  # [N, 3]
    table: NDArray[np.int64]  # [M, 3]: first texel, height, width of each picture

    @classmethod
    def pack(cls, pictures: list[Bytes]) -> Textures:
        """Put pictures into one array."""
        starts = np.cumsum([0, *(p.shape[0] * p.shape[1] for p in pictures)])[:-1]
        table = np.array([(s, p.shape[0], p.shape[1]) for s, p in zip(starts, pictures, strict=True)], np.int64)
        return cls(np.concatenate([p.reshape(-1, 3) for p in pictures]), table)


@dataclass(frozen=True)
class Surface:
    """What is drawn: everything per vertex and per triangle that does not change with the picture's size."""

    triangles: NDArray[np.int32]  # [F, 3]
    material: Bytes  # [F]
    two_sided: Bytes  # [F] 0: drawn only where its vertices appear anticlockwise, that is from outside
    uv: Floats  # [V, 2] in [0, 1]


@numba.njit(cache=True, nogil=True, fastmath=False)
def visible(
    points: Floats, triangles: NDArray[np.int32], two_sided: Bytes, height: int, width: int
) -> tuple[NDArray[np.int32], Floats]:
    """The nearest triangle at every pixel centre, -1 where there is none, and its depth; points [V, 3]: x, y in pixels
    (edges at integers), depth in mm."""
    ids = np.full((height, width), -1, np.int32)
    near = np.full((height, width), np.float32(np.inf), np.float32)
    for f in range(triangles.shape[0]):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0.0 or (area > 0.0 and not two_sided[f]):
            continue
        left, right = min(ax, bx, cx), max(ax, bx, cx)
        top, bottom = min(ay, by, cy), max(ay, by, cy)
        if right < 0.0 or bottom < 0.0 or left > width or top > height:
            continue
        x0, x1 = max(int(np.ceil(left - 0.5)), 0), min(int(np.floor(right - 0.5)), width - 1)
        y0, y1 = max(int(np.ceil(top - 0.5)), 0), min(int(np.floor(bottom - 0.5)), height - 1)
        if x1 < x0 or y1 < y0:
            continue
        inverse = np.float32(1.0) / area
        zc = points[c, 2]
        za, zb = points[a, 2] - zc, points[b, 2] - zc
        along_a, along_b = (by - cy) * inverse, (cy - ay) * inverse  # change of the weights of a and b per pixel in x
        px = np.float32(x0 + 0.5)
        for y in range(y0, y1 + 1):
            py = np.float32(y + 0.5)
            first_a = ((bx - px) * (cy - py) - (by - py) * (cx - px)) * inverse
            first_b = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) * inverse
            for x in range(x0, x1 + 1):
                step = np.float32(x - x0)
                wa = first_a + step * along_a
                wb = first_b + step * along_b
                if wa >= 0.0 and wb >= 0.0 and wa + wb <= 1.0:
                    z = zc + wa * za + wb * zb
                    if z < near[y, x]:
                        near[y, x] = z
                        ids[y, x] = f
    return ids, near


@numba.njit(cache=True, nogil=True, fastmath=False)
def paint(
    ids: NDArray[np.int32],
    points: Floats,
    triangles: NDArray[np.int32],
    material: Bytes,
    uv: Floats,
    light: Floats,
    shine: Floats,
    texels: Bytes,
    table: NDArray[np.int64],
    is_head: Bytes,
    background: Floats,
    samples: int,
) -> tuple[Floats, Floats]:
    """Linear colours [S, S, 3] and the share of the head [S, S] of every pixel, from `samples` x `samples` centres.

    light [V, 3] multiplies the texture, shine [V, 3] is added; background [S, S, 3] is linear.
    """
    size = background.shape[0]
    colour = np.zeros((size, size, 3), np.float32)
    head = np.zeros((size, size), np.float32)
    share = np.float32(1.0 / (samples * samples))
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            oy, ox = y // samples, x // samples
            f = ids[y, x]
            if f < 0:
                for k in range(3):
                    colour[oy, ox, k] += background[oy, ox, k] * share
                continue
            a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
            px, py = np.float32(x + 0.5), np.float32(y + 0.5)
            ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
            inverse = np.float32(1.0) / ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
            wa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) * inverse
            wb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) * inverse
            wc = np.float32(1.0) - wa - wb
            m = material[f]
            start, rows, columns = table[m, 0], table[m, 1], table[m, 2]
            u = (wa * uv[a, 0] + wb * uv[b, 0] + wc * uv[c, 0]) * columns - np.float32(0.5)
            v = (wa * uv[a, 1] + wb * uv[b, 1] + wc * uv[c, 1]) * rows - np.float32(0.5)
            u = min(max(u, np.float32(0.0)), np.float32(columns - 1.001))
            v = min(max(v, np.float32(0.0)), np.float32(rows - 1.001))
            iu, iv = int(u), int(v)
            fu, fv = u - iu, v - iv
            at = start + iv * columns + iu
            w00, w01 = (1 - fu) * (1 - fv), fu * (1 - fv)
            w10, w11 = (1 - fu) * fv, fu * fv
            for k in range(3):
                root = (
                    w00 * texels[at, k]
                    + w01 * texels[at + 1, k]
                    + w10 * texels[at + columns, k]
                    + w11 * texels[at + columns + 1, k]
                ) * np.float32(1.0 / 255.0)
                lit = wa * light[a, k] + wb * light[b, k] + wc * light[c, k]
                glint = wa * shine[a, k] + wb * shine[b, k] + wc * shine[c, k]
                colour[oy, ox, k] += (root * root * lit + glint) * share
            if is_head[m]:
                head[oy, ox] += share
    return colour, head


@numba.njit(cache=True, nogil=True, fastmath=False)
def normals(points: Floats, triangles: NDArray[np.int32]) -> Floats:
    """Unit vertex normals [V, 3], weighted by area; points [V, 3] in camera axes; outward where triangles face out."""
    out = np.zeros_like(points)
    for f in range(triangles.shape[0]):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for i in (a, b, c):
            out[i, 0] += nx
            out[i, 1] += ny
            out[i, 2] += nz
    for i in range(out.shape[0]):
        length = np.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2)
        scale = np.float32(1.0) / max(length, np.float32(1e-12))
        for k in range(3):
            out[i, k] *= scale
    return out


@numba.njit(cache=True, nogil=True, fastmath=False)
def develop(colour: Floats, gamma: Bytes) -> Bytes:
    """Linear light [..., 3] to sRGB bytes through a table of 4096 values, with a soft shoulder near white."""
    flat = colour.reshape(-1)
    out = np.empty(flat.shape[0], np.uint8)
    for i in range(flat.shape[0]):
        out[i] = gamma[min(max(int(flat[i] * np.float32(2047.5) + np.float32(0.5)), 0), 4095)]
    return out.reshape(colour.shape)


def gamma_table() -> Bytes:
    """For linear light 0 to 2 in 4096 steps: sRGB bytes; above 0.7 light is compressed so that 2 becomes white."""
    linear = np.linspace(0, 2, 4096)
    knee = 0.7
    over = np.maximum(linear - knee, 0)
    room = 1 - knee
    linear = np.where(linear > knee, knee + room * (1 - np.exp(-over / room)), linear)
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.power(linear, 1 / 2.4) - 0.055)
    return np.asarray(np.clip(curve * 255 + 0.5, 0, 255), np.uint8)
