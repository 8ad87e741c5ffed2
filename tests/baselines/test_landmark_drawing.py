"""Landmarks drawn for the bi-layer model: the pixels of OpenCV, and of the authors' own drawing."""

import cv2
import numpy as np
import pytest
import torch

from baselines.landmark_drawing import BACKGROUND, CURVES, draw_stickmen, stroke
from models.errors import InputError
from tests.models.goldens import Golden


@pytest.fixture(scope="module")
def stored(shared):
    """A face, and how the authors' code draws it."""
    return Golden(shared / "goldens" / "bilayer_spn_ac0").stored


def by_opencv(pose, size):
    """The authors' recipe with OpenCV's own lines, uint8 [size, size, 3]."""
    places = ((pose.numpy() + 1) / 2 * size).astype(np.int32)
    picture = np.ones((size, size, 3), np.uint8)
    for points, closed, colour in CURVES:
        picture = cv2.polylines(picture, [places[list(points)]], closed, colour, thickness=2)
    return picture


def by_us(pose, size):
    return (draw_stickmen(pose[None], size)[0] * 255).round().byte().permute(1, 2, 0).numpy()


def faces(stored, count, shift=0.0, seed=0):
    """Poses like a real face's."""
    generator = torch.Generator().manual_seed(seed)
    pose = torch.from_numpy(stored["in_source_poses"])
    jitter = 0.02 * torch.randn(count, 68, 2, generator=generator)
    return pose + jitter + shift * (torch.rand(count, 1, 2, generator=generator) * 2 - 1)


def test_a_face_is_drawn_as_by_the_authors(stored):
    found = draw_stickmen(torch.from_numpy(stored["in_source_poses"])[None], 256)
    assert torch.equal((found * 255).round().byte(), torch.from_numpy(stored["in_source_stickmen_uint8"]))
    assert (found[0, :, 0, 0] * 255).tolist() == [BACKGROUND] * 3


def test_strokes_are_those_of_opencv():
    rng = np.random.default_rng(0)
    short = [(dx, dy) for dx in range(-12, 13) for dy in range(-12, 13)]
    for dx, dy in [*short, *rng.integers(-256, 257, (300, 2)).tolist()]:
        x, y = 3 + max(0, -dx), 3 + max(0, -dy)
        picture = np.zeros((abs(dy) + 7, abs(dx) + 7), np.uint8)
        cv2.polylines(picture, [np.array([[x, y], [x + dx, y + dy]], np.int32)], False, 255, thickness=2)
        expected = np.argwhere(picture.T) - (x, y)
        assert np.array_equal(stroke(dx, dy), expected), (dx, dy)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_faces_are_drawn_as_by_opencv(stored, size):
    for pose in faces(stored, 10):
        assert np.array_equal(by_us(pose, size), by_opencv(pose, size))


def test_at_the_border_few_pixels_differ_from_opencv(stored):
    drawn = different = 0
    for pose in faces(stored, 20, shift=0.6):
        ours, theirs = by_us(pose, 128), by_opencv(pose, 128)
        drawn += (theirs != BACKGROUND).any(-1).sum()
        different += (ours != theirs).any(-1).sum()
    assert different < 0.002 * drawn


def test_places_are_cut_to_whole_pixels():
    pose = torch.full((1, 68, 2), 0.0)
    exact, beside = draw_stickmen(pose, 16), draw_stickmen(pose + 1.9 / 16, 16)
    assert torch.equal(exact, beside)
    assert not torch.equal(exact, draw_stickmen(pose + 2.1 / 16, 16))
    assert torch.nonzero((exact[0, 0] * 255).round() != BACKGROUND).tolist() == [[7, 8], [8, 7], [8, 8], [8, 9], [9, 8]]


def test_what_cannot_be_drawn_is_named():
    with pytest.raises(InputError, match=r"poses: expected shape \[any, 68, 2\], got \[1, 136\]"):
        draw_stickmen(torch.zeros(1, 136), 16)
    with pytest.raises(InputError, match="poses: expected finite landmarks"):
        draw_stickmen(torch.full((1, 68, 2), float("nan")), 16)
