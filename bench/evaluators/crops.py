"""How the builtin networks are shown a face, and how what they say of the crop becomes what is true of the frame.

Training and use go through this one file, so that a network never meets another crop than it was trained on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate import angles
from curate.perception import align
from curate.perception.networks import alignment_matrix
from curate.perception.spec import SquareAlignment
from models.evaluators import FACE_SIDE, HEAD_SIDE, IDENTITY_SIDE

# The whole head, of long hair all but the ends: 1.95 times the detector's box, its middle a little above the box's.
HEAD = SquareAlignment(method="square", scale=1.95, shift=(0.0, -0.05), upright=True)

# Sides of squares about the landmarks, over the longer side of the box that holds all but the jaw line.
FACE_SCALE = 1.22  # brows to chin
IDENTITY_SCALE = 1.6  # forehead, ears and some hair too

INNER = (8, *range(17, 68))  # the landmarks that the box holds: chin, brows, nose, eyes, mouth

FOCAL = 2.3
"""Focal length over a frame's shorter side that is taken for granted where a head stands beside the middle of a frame.

It turns the head as seen from where the head is into the head's rotation in camera axes. SynthHeads' cameras lie
between 1.1 and 4.6, a phone's portrait video near 2.
"""

Floats = NDArray[np.floating]


def head_matrix(box: Floats, points: Floats) -> align.Matrix:
    """Matrix from frame to the head network's crop, for a detector's box [4] and five points [5, 2]."""
    given = np.asarray(box, np.float32), np.asarray(points, np.float32)
    return alignment_matrix(HEAD, *given, HEAD_SIDE, HEAD_SIDE)


def face_matrix(landmarks: Floats) -> align.Matrix:
    """Matrix from frame to the face network's crop, for 68 landmarks [68, 2]."""
    return _about(landmarks, FACE_SCALE, FACE_SIDE)


def identity_matrix(landmarks: Floats) -> align.Matrix:
    """Matrix from frame to the identity network's crop, for 68 landmarks [68, 2]."""
    return _about(landmarks, IDENTITY_SCALE, IDENTITY_SIDE)


def _about(landmarks: Floats, scale: float, side: int) -> align.Matrix:
    """An upright square about the inner landmarks: the middles of the eyes are level in it."""
    points = np.asarray(landmarks, np.float64)
    eyes = np.stack([points[36:42].mean(0), points[42:48].mean(0)])
    turn = align.rotation_matrix(-align.eye_roll(eyes), (0.0, 0.0))
    level = align.transform(turn, points[list(INNER)])
    low, high = level.min(0), level.max(0)
    middle, half = (low + high) / 2, scale * float((high - low).max()) / 2
    half = max(half, 1e-3)  # a network may put all points in one place
    # points have integers at pixel centres, a box's edges lie half a pixel beyond
    return align.compose(align.box_matrix(np.concatenate([middle - half, middle + half]) + 0.5, side, side), turn)


def crop_turn(matrix: align.Matrix) -> NDArray[np.float64]:
    """[3, 3] rotation about the view axis that a crop's matrix applies to what it shows."""
    cos, sin = matrix[:, 0] / np.hypot(*matrix[:, 0])
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def ray_turn(matrix: align.Matrix, side: int, camera: Floats) -> NDArray[np.float64]:
    """[3, 3] shortest rotation from the camera's axis to the ray through a crop's middle, for intrinsics [3, 3]."""
    (middle,) = align.transform(align.invert(matrix), np.array([[(side - 1) / 2, (side - 1) / 2]]))
    ray = np.linalg.solve(np.asarray(camera, np.float64), np.array([*middle, 1.0]))
    x, y, z = ray / np.linalg.norm(ray)
    return np.array(
        [
            [1 - x * x / (1 + z), -x * y / (1 + z), x],
            [-x * y / (1 + z), 1 - y * y / (1 + z), y],
            [-x, -y, z],
        ]
    )


def usual_camera(width: int, height: int) -> NDArray[np.float64]:
    """Intrinsics [3, 3] in pixels that are assumed of a frame: `FOCAL`, looking through its middle."""
    focal = FOCAL * min(width, height)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])


def to_crop(rotation: Floats, matrix: align.Matrix, side: int, camera: Floats) -> NDArray[np.float64]:
    """A head's rotation in camera axes [3, 3] as it looks in a crop."""
    seen = ray_turn(matrix, side, camera).T @ np.asarray(rotation, np.float64)
    return np.asarray(crop_turn(matrix) @ seen, np.float64)


def from_crop(rotation: Floats, matrix: align.Matrix, side: int, camera: Floats) -> NDArray[np.float64]:
    """Undoes `to_crop`."""
    seen = crop_turn(matrix).T @ np.asarray(rotation, np.float64)
    return np.asarray(ray_turn(matrix, side, camera) @ seen, np.float64)


def pose_of(rotation: Floats, matrix: align.Matrix, side: int, width: int, height: int) -> NDArray[np.float64]:
    """Yaw, pitch, roll in degrees [3] of a head seen in a crop of a width x height frame."""
    return angles.angles(from_crop(rotation, matrix, side, usual_camera(width, height)))
