"""Colour matrices and ranges: from a video's own to RGB, and to the BT.601 limited range that clips are written in.

The decoder's scaler converts between matrices with an error of several grey levels and takes longer; planes are
converted here after they were cut, where there are fewer pixels.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]

# Weights of red and blue in luma, by AVColorSpace: BT.709, BT.470BG and SMPTE 170M (both BT.601), SMPTE 240M, BT.2020.
_LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
_BT601 = 5


def is_known(matrix: int) -> bool:
    """Whether a colour matrix (an AVColorSpace) can be converted here."""
    return matrix in _LUMA


@cache
def to_rgb(matrix: int, full: bool) -> NDArray[np.float64]:
    """[3, 4] from Y, U, V in [0, 255] to RGB in [0, 255] (ITU-R BT.601, BT.709, BT.2020). `full`: range 0 to 255."""
    red, blue = _LUMA[matrix]
    green = 1 - red - blue
    whole = np.array(
        [
            [1, 0, 2 * (1 - red)],
            [1, -2 * blue * (1 - blue) / green, -2 * red * (1 - red) / green],
            [1, 2 * (1 - blue), 0],
        ]
    )
    luma, chroma, black = (1.0, 1.0, 0.0) if full else (255 / 219, 255 / 224, 16.0)
    scaled = whole * (luma, chroma, chroma)
    return np.concatenate([scaled, -(scaled @ (black, 128.0, 128.0))[:, None]], axis=1)


def to_601(luma: Plane, u: Plane, v: Plane, matrix: int, full: bool) -> tuple[Plane, Plane, Plane]:
    """Planes (chroma at half size) in BT.601, limited range, to the nearest level."""
    import cv2

    if not full and _LUMA[matrix] == _LUMA[_BT601]:
        return luma, u, v
    gain, offset = _to_601(matrix, full)
    # grey is the same in all matrices: chroma does not depend on luma
    new_u = cv2.addWeighted(u, gain[1, 1], v, gain[1, 2], offset[1])
    new_v = cv2.addWeighted(u, gain[2, 1], v, gain[2, 2], offset[2])
    if full:
        table = np.clip(np.rint(np.arange(256) * gain[0, 0] + 16), 0, 255).astype(np.uint8)
        luma = np.asarray(cv2.LUT(luma, table), np.uint8)
    if _LUMA[matrix] != _LUMA[_BT601]:
        shift = cv2.addWeighted(u, gain[0, 1], v, gain[0, 2], -128 * (gain[0, 1] + gain[0, 2]), dtype=cv2.CV_16S)
        large = cv2.resize(shift, (luma.shape[1], luma.shape[0]), interpolation=cv2.INTER_LINEAR)
        luma = np.asarray(cv2.add(luma, large, dtype=cv2.CV_8U), np.uint8)
    return luma, np.asarray(new_u, np.uint8), np.asarray(new_v, np.uint8)


@cache
def _to_601(matrix: int, full: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[3, 3] and [3]: Y, U, V of a matrix and range to those of BT.601 limited range."""
    source, target = to_rgb(matrix, full), to_rgb(_BT601, False)
    back = np.linalg.inv(target[:, :3])
    return back @ source[:, :3], back @ (source[:, 3] - target[:, 3])
