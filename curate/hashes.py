"""Perceptual hashes of faces: 64 bits that stay nearly the same through encoding, resizing and small crops."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_SIDE = 32  # pixels: what the transform sees
_KEPT = 8  # lowest frequencies of each direction
_SCALE = 1.4  # side of the hashed square over the longer side of the face's box
_PARTS = 256  # of a pixel: edges of areas are rounded to these, so that all arithmetic is that of integers

Box = tuple[float, float, float, float]


def face_hash(picture: NDArray[np.uint8], box: Box) -> int:
    """64-bit hash of the square about a face: which low frequencies of its green are above their median.

    `picture` is RGB uint8 [h, w, 3], `box` left, top, right, bottom in its pixels; what lies outside the picture is
    like its edge. Sums are of integers that floats hold exactly, so every machine gives the same bits. About 0.3 ms.
    ValueError for a box without area.

    One hash says who and where rather than when: of the same frame after another encoding, resize, crop or bars half
    differ in more than 8 bits (boxes move), of another moment of the same clip in as few as 4. `curate.dedup` compares
    how hashes change over time.
    """
    longer = max(box[2] - box[0], box[3] - box[1])
    if not 0 < longer < np.inf:
        raise ValueError(f"a box with an area expected, got {box}")
    half = _SCALE * longer / 2
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    left, columns = _weights(x - half, x + half, picture.shape[1])
    top, rows = _weights(y - half, y + half, picture.shape[0])
    green = picture[top : top + rows.shape[1], left : left + columns.shape[1], 1].astype(np.float32)
    small = (rows @ green).astype(np.float64) @ columns.T.astype(np.float64)
    area = max(1.0, float(rows.sum(dtype=np.float64) * columns.sum(dtype=np.float64)) // _SIDE**2)
    levels = (small * _PARTS // area).astype(np.int64)
    waves = _waves()
    low = (waves @ levels @ waves.T).ravel()[1:]  # without the mean
    bits = np.concatenate([[False], low > np.sort(low)[len(low) // 2]])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def distance(a: int, b: int) -> int:
    """Bits in which two hashes differ."""
    return (a ^ b).bit_count()


def _weights(start: float, end: float, size: int) -> tuple[int, NDArray[np.float32]]:
    """First pixel, and how many parts of each pixel from there on lie in each of `_SIDE` equal areas [_SIDE, n].

    A side has `size` pixels; the first and the last stand for all that lies beyond them.
    """
    edges = np.rint(np.linspace(start, end, _SIDE + 1) * _PARTS)
    first = min(max(int(edges[0]) // _PARTS, 0), size - 1)
    last = min(max(-(-int(edges[-1]) // _PARTS), first + 1), size)
    borders = np.arange(first, last + 1, dtype=np.float64) * _PARTS
    borders[0], borders[-1] = min(borders[0], edges[0]), max(borders[-1], edges[-1])
    inside = np.minimum(edges[1:, None], borders[1:]) - np.maximum(edges[:-1, None], borders[:-1])
    return first, np.maximum(inside, 0).astype(np.float32)


@cache
def _waves() -> NDArray[np.int64]:
    """[_KEPT, _SIDE] cosines of the lowest frequencies, times 4096."""
    angles = np.pi / _SIDE * np.outer(np.arange(_KEPT), np.arange(_SIDE) + 0.5)
    return np.asarray(np.rint(4096 * np.cos(angles)), np.int64)
