"""Crops and transforms against plain references."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import SimilarityTransform

from curate.perception import align


def ramp(height, width):
    """Frame whose red is x and green is y, so that a sample says where it was taken."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.full_like(x, 50)], axis=-1).astype(np.uint8)


def test_box_crop_of_whole_pixels_is_a_slice():
    frame = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    matrix = align.box_matrix(np.array([7, 5, 27, 35]), 20, 30)
    assert np.array_equal(align.warp(frame, matrix, 20, 30), frame[5:35, 7:27])


@pytest.mark.parametrize("block", [2, 3, 5])
def test_shrinking_crop_is_the_mean_of_blocks(block):
    frame = np.random.default_rng(1).integers(0, 256, (20 * block + 9, 16 * block + 4, 3), dtype=np.uint8)
    box = np.array([4, 9, 4 + 16 * block, 9 + 20 * block])
    crop = align.warp(frame, align.box_matrix(box, 16, 20), 16, 20)
    blocks = frame[9:, 4:].reshape(20, block, 16, block, 3).mean((1, 3))
    assert np.abs(crop - blocks).max() <= 0.5 + 1e-6


def test_black_outside_the_frame():
    frame = np.full((10, 10, 3), 200, np.uint8)
    crop = align.warp(frame, align.box_matrix(np.array([-10, 0, 10, 10]), 20, 10), 20, 10)
    assert (crop[:, :10] == 0).all()
    assert (crop[:, 10:] == 200).all()
    assert (align.warp(frame, align.box_matrix(np.array([50, 50, 60, 60]), 8, 8), 8, 8) == 0).all()
    assert (align.warp(frame, align.box_matrix(np.array([-60, -60, -50, -50]), 8, 8), 8, 8) == 0).all()


def test_warp_samples_where_the_matrix_says():
    frame = ramp(120, 160)
    source = np.array([[40, 50], [90, 45], [66, 70], [45, 95], [92, 90]], float)
    target = np.array([[10, 12], [30, 12], [20, 20], [12, 30], [28, 30]], float)
    matrix = align.similarity_matrix(source, target)
    crop = align.warp(frame, matrix, 40, 40)
    points = np.array([[12.0, 12.0], [25.0, 20.0], [20.0, 30.0]])
    expected = align.transform(align.invert(matrix), points)
    for (x, y), (frame_x, frame_y) in zip(points.astype(int), expected, strict=True):
        assert crop[y, x, 0] == pytest.approx(frame_x, abs=1)
        assert crop[y, x, 1] == pytest.approx(frame_y, abs=1)


coordinates = st.floats(-200, 200).map(lambda value: round(value, 2))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(coordinates, coordinates), min_size=5, max_size=5, unique=True), st.integers(0, 2**31))
def test_similarity_is_the_least_squares_one(points, seed):
    source = np.array(points)
    if np.ptp(source, axis=0).max() < 5:
        return
    target = source @ np.array([[0.8, 0.3], [-0.3, 0.8]]) + np.random.default_rng(seed).normal(0, 5, (5, 2))
    ours = align.similarity_matrix(source, target)
    # u = a x - b y + c, v = b x + a y + d is linear in (a, b, c, d)
    x, y = source.T
    one, zero = np.ones(5), np.zeros(5)
    rows = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    a, b, c, d = np.linalg.lstsq(rows, target.T.ravel(), rcond=None)[0]
    np.testing.assert_allclose(ours, [[a, -b, c], [b, a, d]], atol=1e-6)


def test_similarity_equals_scikit_image():
    source = np.array([[30, 51], [65, 50], [48, 71], [33, 92], [62, 91]], float)
    target = np.array([[100, 80], [150, 95], [120, 120], [90, 140], [135, 150]], float)
    reference = SimilarityTransform.from_estimate(source, target)
    np.testing.assert_allclose(align.similarity_matrix(source, target), reference.params[:2], atol=1e-9)


def test_square_and_expanded_boxes():
    box = np.array([10, 20, 50, 100], float)
    assert align.square_box(box, 1.0, 0.0, 0.1).tolist() == [-10, 28, 70, 108]
    assert align.square_box(box, 1.5, 0.0, 0.0).tolist() == [-30, 0, 90, 120]
    assert align.expand_box(box, 0.5, 0.75, 0.5, 0.25).tolist() == [-10, -40, 70, 120]


@pytest.mark.parametrize("degrees", [-50.0, 0.0, 35.0])
def test_rotation_levels_a_tilted_face(degrees):
    eyes = np.array([[20.0, 30.0], [60.0, 30.0]])
    tilted = align.transform(align.rotation_matrix(degrees, (40.0, 40.0)), eyes)
    assert align.eye_roll(tilted) == pytest.approx(degrees)
    level = align.transform(align.rotation_matrix(-degrees, (40.0, 40.0)), tilted)
    np.testing.assert_allclose(level, eyes, atol=1e-9)


def test_compose_and_invert():
    first = align.rotation_matrix(20, (5, 6))
    second = align.box_matrix(np.array([1, 2, 31, 42]), 60, 50)
    points = np.array([[3.0, 4.0], [10.0, -2.0]])
    both = align.compose(second, first)
    np.testing.assert_allclose(align.transform(both, points), align.transform(second, align.transform(first, points)))
    np.testing.assert_allclose(align.transform(align.invert(both), align.transform(both, points)), points)


@settings(max_examples=50, deadline=None)
@given(st.integers(30, 400), st.integers(30, 400), st.integers(32, 300))
def test_shrink_gives_the_scales_it_used(height, width, short_side):
    small, scale_x, scale_y = align.shrink(np.zeros((height, width, 3), np.uint8), short_side)
    assert small.shape[1] == pytest.approx(width * scale_x)
    assert small.shape[0] == pytest.approx(height * scale_y)
    assert min(small.shape[:2]) == min(height, width, short_side)
    assert max(scale_x, scale_y) <= 1
