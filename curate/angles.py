"""The one home of the head pose convention: what yaw, pitch and roll mean, their order, and their matrix.

Axes are a camera's, as in OpenCV: x to the image's right, y down, z away from the camera. A head with all angles 0
faces the camera upright. Yaw is positive when the head turns to the image's right, pitch when it looks up, roll when
it tilts clockwise as seen in the image. The head is pitched first, then turned, then rolled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def rotation(angles: Floats) -> NDArray[np.float64]:
    """Rotation matrices [..., 3, 3] of angles [..., 3] (yaw, pitch, roll in degrees): R = Rz(roll) Ry(-yaw) Rx(-pitch).

    They take points of the head, given in camera axes with the head at rest, to camera axes.
    """
    yaw, pitch, roll = np.moveaxis(np.radians(np.asarray(angles, np.float64)), -1, 0)
    sy, cy, sp, cp, sr, cr = np.sin(yaw), np.cos(yaw), np.sin(pitch), np.cos(pitch), np.sin(roll), np.cos(roll)
    rows = [
        [cr * cy, cr * sy * sp - sr * cp, -cr * sy * cp - sr * sp],
        [sr * cy, sr * sy * sp + cr * cp, -sr * sy * cp + cr * sp],
        [sy, -cy * sp, cy * cp],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def angles(matrix: Floats) -> NDArray[np.float64]:
    """Yaw, pitch, roll in degrees [..., 3] of rotation matrices [..., 3, 3]; yaw in [-90, 90]. Undoes `rotation`.

    At a yaw of exactly 90 degrees pitch and roll turn about one axis; the whole turn is then given as roll.
    """
    m = np.asarray(matrix, np.float64)
    cos_yaw = np.hypot(m[..., 0, 0], m[..., 1, 0])
    yaw = np.arctan2(m[..., 2, 0], cos_yaw)
    locked = cos_yaw < 1e-9
    pitch = np.where(locked, 0.0, np.arctan2(-m[..., 2, 1], m[..., 2, 2]))
    roll = np.where(locked, np.arctan2(-m[..., 0, 1], m[..., 1, 1]), np.arctan2(m[..., 1, 0], m[..., 0, 0]))
    return np.asarray(np.degrees(np.stack([yaw, pitch, roll], axis=-1)), np.float64)
