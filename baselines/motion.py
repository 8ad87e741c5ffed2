"""Which driving frame to start from: relative motion wants one in which the face is posed as the source's is."""

from __future__ import annotations

import torch
from torch import Tensor

from models.errors import InputError, check_shape
from models.fomm import hull_area


def best_frame(source_landmarks: Tensor, driving_landmarks: Tensor) -> int:
    """Index of the driving frame whose landmarks [T, 68, 2] are nearest the source's [68, 2].

    As in FOMM's demonstration: landmarks are centred and divided by the square root of their convex hull's area, then
    compared by their squared distances; of equally near frames, the first. Frames with NaN are passed over; InputError
    where nothing is left, or the source's are NaN.
    """
    check_shape("source_landmarks", source_landmarks, (68, 2))
    check_shape("driving_landmarks", driving_landmarks, (None, 68, 2))
    if not source_landmarks.isfinite().all():
        raise InputError("source_landmarks: expected 68 points, got NaN: no face was found in the source")
    found = driving_landmarks.isfinite().flatten(1).all(1)
    if not found.any():
        raise InputError(f"driving_landmarks: no face in any of the {len(driving_landmarks)} frames")
    wanted = _normal(source_landmarks)
    distances = [
        float((_normal(points) - wanted).square().sum()) if usable else float("inf")
        for points, usable in zip(driving_landmarks, found.tolist(), strict=True)
    ]
    return int(torch.tensor(distances).argmin())


def _normal(points: Tensor) -> Tensor:
    centred = (points - points.mean(0)).double()
    area = hull_area(centred)
    return centred / area**0.5 if area > 0 else centred
