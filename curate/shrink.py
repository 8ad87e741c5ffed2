"""A frame's planes shrunk to a small RGB picture, for detectors: several times cheaper than the decoder's own scaler.

Planes are halved by area until they are less than twice as large as wanted, then resized bilinearly; colours are
converted only then, where there are few pixels left.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curate import colour

Plane = NDArray[np.uint8]

FORMATS = frozenset(("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"))
"""Pixel formats whose three planes can be shrunk: 8 bits, planar."""


def rgb(planes: Sequence[Plane], size: tuple[int, int], matrix: int, *, full_range: bool) -> NDArray[np.uint8]:
    """Planes Y, U, V (chroma of any size) as RGB uint8 [height, width, 3], `size` being (width, height)."""
    import cv2

    small = cv2.merge([_resized(plane, size) for plane in planes])
    return np.asarray(cv2.transform(small, colour.to_rgb(matrix, full_range)), np.uint8)


def _resized(plane: Plane, size: tuple[int, int]) -> Plane:
    import cv2

    width, height = size
    while plane.shape[0] >= 2 * height and plane.shape[1] >= 2 * width:
        half = (plane.shape[1] // 2, plane.shape[0] // 2)
        even = plane[: 2 * half[1], : 2 * half[0]]
        plane = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.uint8)
    if plane.shape == (height, width):
        return plane
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), np.uint8)
