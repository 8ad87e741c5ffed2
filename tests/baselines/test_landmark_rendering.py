"""Drawn landmarks against distances worked out pixel by pixel."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from baselines.landmark_rendering import WIDTH, draw_landmarks
from models.errors import InputError

COLOURS = {  # of every point's curve: red, green, blue
    range(17): (0, 1, 0),
    range(17, 22): (1, 1, 0),
    range(22, 27): (1, 1, 0),
    range(27, 31): (0, 0, 1),
    range(31, 36): (0, 0, 1),
    range(36, 42): (1, 0, 0),
    range(42, 48): (1, 0, 0),
    range(48, 60): (0, 1, 1),
    range(60, 68): (0, 1, 1),
}
CLOSED = {36, 42, 48, 60}


def distance(pixel, a, b):
    length = ((b - a) ** 2).sum()
    share = 0.0 if length == 0 else float(np.clip(((pixel - a) @ (b - a)) / length, 0, 1))
    return float(np.linalg.norm(pixel - a - share * (b - a)))


def drawn(points, size):
    picture = np.zeros((3, size, size))
    for curve, colour in COLOURS.items():
        ends = list(curve) + ([curve[0]] if curve[0] in CLOSED else [])
        for row in range(size):
            for column in range(size):
                pixel = np.array([column, row], float)
                near = min(distance(pixel, points[i], points[j]) for i, j in pairwise(ends))
                cover = min(max(WIDTH * size / 2 + 0.5 - near, 0), 1)
                for channel in range(3):
                    picture[channel, row, column] = max(picture[channel, row, column], cover * colour[channel])
    return picture


def test_every_pixel_is_covered_by_its_distance_to_the_curves():
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(2, 68, 2, generator=generator, dtype=torch.float64) * 40 - 8  # some lie outside
    points[1, 40] = points[1, 41]
    found = draw_landmarks(points, 24)
    for i in range(2):
        np.testing.assert_allclose(found[i], drawn(points[i].numpy(), 24), atol=1e-6)


def test_a_mirrored_face_is_a_mirrored_drawing():
    points = torch.rand(1, 68, 2) * 30
    order = torch.tensor([*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
                          45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
                          *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65])  # fmt: skip
    mirrored = (points * torch.tensor([-1.0, 1.0]) + torch.tensor([31.0, 0.0]))[:, order]
    torch.testing.assert_close(draw_landmarks(mirrored, 32), draw_landmarks(points, 32).flip(-1), atol=1e-5, rtol=0)


def test_where_no_face_is_nothing_is_drawn():
    points = torch.rand(2, 68, 2) * 30
    points[1, 5] = float("nan")
    found = draw_landmarks(points, 32)
    assert found[0].max() > 0.5
    assert found[1].max() == 0
    assert draw_landmarks(points * 1e9, 32).isfinite().all()


def test_wrong_points_are_named():
    with pytest.raises(InputError, match=r"points: expected shape \[any, 68, 2\], got \[1, 5, 2\]"):
        draw_landmarks(torch.rand(1, 5, 2), 32)
