"""Smooth random pictures, the same for the same seed."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]


def smooth(rng: np.random.Generator, height: int, width: int, rows: int, columns: int) -> Picture:
    """About standard normal, varying over height / rows and width / columns pixels."""
    grid = rng.standard_normal((max(rows, 2), max(columns, 2)), np.float32)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def octaves(rng: np.random.Generator, size: int, first: int, count: int, fall: float = 0.5) -> Picture:
    """A sum of `count` smooth pictures, each twice as fine as the last and `fall` as strong, about unit variance."""
    total = np.zeros((size, size), np.float32)
    power = 0.0
    for k in range(count):
        cells = min(first << k, size)
        total += fall**k * smooth(rng, size, size, cells, cells)
        power += fall ** (2 * k)
    return total / np.float32(np.sqrt(power))
