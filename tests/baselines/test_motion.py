"""The frame to start from, against a plain computation with SciPy's hulls."""

import numpy as np
import pytest
import torch
from scipy.spatial import ConvexHull

from baselines.motion import best_frame
from models.errors import InputError


def normal(points):
    centred = points - points.mean(0)
    return centred / np.sqrt(ConvexHull(centred).volume)


def test_it_is_the_frame_of_least_distance_after_centring_and_scaling():
    rng = np.random.default_rng(0)
    source = rng.normal(size=(68, 2))
    frames = source + rng.normal(size=(9, 68, 2)) * rng.uniform(0.05, 0.5, size=(9, 1, 1))
    distances = [((normal(frame) - normal(source)) ** 2).sum() for frame in frames]
    expected = int(np.argmin(distances))
    moved = frames * rng.uniform(0.3, 3, size=(9, 1, 1)) + rng.uniform(-50, 50, size=(9, 1, 2))
    assert best_frame(torch.from_numpy(source), torch.from_numpy(frames)) == expected
    assert best_frame(torch.from_numpy(source) * 7 + 100, torch.from_numpy(moved)) == expected


def test_frames_without_a_face_are_passed_over():
    source = torch.rand(68, 2)
    frames = torch.stack([source + torch.rand(68, 2), source.clone(), source + 0.1 * torch.rand(68, 2)])
    assert best_frame(source, frames) == 1
    frames[1, 3] = float("nan")
    assert best_frame(source, frames) == 2


def test_what_is_wrong_is_named():
    face = torch.rand(68, 2)
    with pytest.raises(InputError, match=r"source_landmarks: .*no face was found in the source"):
        best_frame(face * float("nan"), face[None])
    with pytest.raises(InputError, match="driving_landmarks: no face in any of the 2 frames"):
        best_frame(face, torch.full((2, 68, 2), float("nan")))
    with pytest.raises(InputError, match="driving_landmarks: no face in any of the 0 frames"):
        best_frame(face, torch.rand(0, 68, 2))
    with pytest.raises(InputError, match=r"driving_landmarks: expected shape \[any, 68, 2\], got \[68, 2\]"):
        best_frame(face, face)
