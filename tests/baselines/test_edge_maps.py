"""Landmarks drawn as edge maps."""

import numpy as np
import pytest
import torch

from baselines.edge_maps import RUNS, curve, draw_edges, with_upper_face
from models.errors import InputError


def face(size):
    """A made-up face: a jaw that hangs as half an ellipse, and the other points on a circle in it."""
    angle = torch.linspace(np.pi, 0, 17)
    jaw = torch.stack([angle.cos() * 0.3 + 0.5, angle.sin() * 0.35 + 0.45], dim=1)
    around = torch.linspace(0, 5.9, 51)
    return torch.cat([jaw, torch.stack([around.cos() * 0.15 + 0.5, around.sin() * 0.15 + 0.5], dim=1)]) * size


def test_three_landmarks_are_joined_by_the_parabola_through_them():
    points = np.array([[10.0, 5.0], [14.0, 9.0], [30.0, 7.0]])
    found = curve(points)
    assert len(found) == 20
    for x, y in found:  # Lagrange's form
        terms = [
            points[i, 1] * np.prod([(x - points[j, 0]) / (points[i, 0] - points[j, 0]) for j in range(3) if j != i])
            for i in range(3)
        ]
        assert y == pytest.approx(sum(terms))
    np.testing.assert_allclose(curve(points[:, ::-1]), found[:, ::-1])  # what is steep is followed downwards
    np.testing.assert_allclose(found[[0, -1]], points[[0, -1]])


def test_what_bends_too_much_is_left_out():
    assert len(curve(np.array([[0.0, 0.0], [1.0, 12.0], [10.0, 0.0]]))) == 0
    assert len(curve(np.array([[0.0, 0.0], [0.0, 3.0], [5.0, 0.0]]))) == 0


def test_the_upper_face_reflects_the_jaw():
    points = face(256).double().numpy()
    whole = with_upper_face(points)
    assert whole.shape == (83, 2)
    level = (points[0, 1] + points[16, 1]) / 2
    for k in range(15):
        jaw = points[15 - k]
        assert whole[68 + k] == pytest.approx((jaw[0], level - (jaw[1] - level) * 2 / 3))


def test_every_run_of_the_face_is_drawn():
    points = face(512)
    label = draw_edges(points[None], 512)[0, 0]
    assert label.shape == (512, 512)
    assert set(label.unique().tolist()) == {0, 1}
    whole = with_upper_face(points.double().numpy())
    drawn = [run for run in RUNS if len(curve(whole[list(run)]))]
    assert len(drawn) > 20
    for x, y in {tuple(whole[i].astype(int)) for run in drawn for i in (run[0], run[-1])}:
        assert label[y - 2 : y + 2, x - 2 : x + 2].min() == 1  # the brush


def test_small_maps_are_means_of_large_ones():
    points = face(64)
    label = draw_edges(points[None], 64)
    large = draw_edges((points[None] + 0.5) * 4 - 0.5, 256)
    torch.testing.assert_close(label, torch.nn.functional.avg_pool2d(large, 4))
    assert len(label.unique()) > 4
    moved = draw_edges(points[None] + torch.tensor([5.0, -3.0]), 64)
    torch.testing.assert_close(moved[..., 8:50, 14:56], label[..., 11:53, 9:51])


def test_a_face_that_leaves_the_picture_is_cut_off_and_one_without_a_place_is_refused():
    assert draw_edges(face(64)[None] - 400, 64).max() == 0
    points = torch.stack([face(64), face(64)])
    points[1, 3] = float("nan")
    with pytest.raises(InputError, match="points: expected finite landmarks"):
        draw_edges(points, 64)
    with pytest.raises(InputError, match=r"points: expected shape \[any, 68, 2\]"):
        draw_edges(points[0], 64)
