"""A frame's planes shrunk to a small RGB picture, for detectors: several times cheaper than the decoder's own scaler.

Planes are halved by area until they are less than twice as large as wanted, then resized bilinearly; colours are
converted only then, where there are few pixels left.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]

# Weights of red and blue in luma, by AVColorSpace: BT.709, BT.470BG and SMPTE 170M (both BT.601), SMPTE 240M, BT.2020.
_LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}

FORMATS = frozenset(("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"))
"""Pixel formats whose three planes can be shrunk: 8 bits, planar."""


def can_convert(matrix: int) -> bool:
    """Whether the colour matrix (an AVColorSpace) is known here."""
    return matrix in _LUMA


def rgb(planes: Sequence[Plane], size: tuple[int, int], matrix: int, *, full_range: bool) -> NDArray[np.uint8]:
    """Planes Y, U, V (chroma of any size) as RGB uint8 [height, width, 3], `size` being (width, height)."""
    import cv2

    small = cv2.merge([_resized(plane, size) for plane in planes])
    return np.asarray(cv2.transform(small, _to_rgb(matrix, full_range)), np.uint8)


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


@cache
def _to_rgb(matrix: int, full_range: bool) -> NDArray[np.float64]:
    """[3, 4] from Y, U, V in [0, 255] to RGB in [0, 255] (ITU-R BT.601, BT.709, BT.2020)."""
    red, blue = _LUMA[matrix]
    green = 1 - red - blue
    whole = np.array(
        [
            [1, 0, 2 * (1 - red)],
            [1, -2 * blue * (1 - blue) / green, -2 * red * (1 - red) / green],
            [1, 2 * (1 - blue), 0],
        ]
    )
    luma, chroma, black = (1.0, 1.0, 0.0) if full_range else (255 / 219, 255 / 224, 16.0)
    scaled = whole * (luma, chroma, chroma)
    return np.concatenate([scaled, -(scaled @ (black, 128.0, 128.0))[:, None]], axis=1)
