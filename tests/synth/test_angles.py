"""The convention of yaw, pitch and roll: signs, order, and that a rendered head obeys it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.angles import angles, rotation
from curate.synth.parameters import EXPRESSION, Motion, sample_identity, sample_scene
from curate.synth.renderer import render_frames

NOSE_TIP, NOSE_TOP, LEFT_EYE, RIGHT_EYE, CHIN = 30, 27, 36, 45, 8  # landmarks; left and right of the image
DEGREES = st.floats(-85, 85)


def elementary(axis: int, degrees: float) -> np.ndarray:
    """Rotation about one axis by the right-hand rule, written out."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


@given(DEGREES, DEGREES, st.floats(-179, 179))
def test_the_order_is_pitch_then_yaw_then_roll(yaw: float, pitch: float, roll: float) -> None:
    expected = elementary(2, roll) @ elementary(1, -yaw) @ elementary(0, -pitch)
    assert np.allclose(rotation(np.array([yaw, pitch, roll])), expected, atol=1e-12)


@given(DEGREES, DEGREES, st.floats(-179, 179))
def test_angles_undo_rotation(yaw: float, pitch: float, roll: float) -> None:
    given_angles = np.array([yaw, pitch, roll])
    assert np.allclose(angles(rotation(given_angles)), given_angles, atol=1e-9)


def test_a_right_angle_of_yaw_is_still_the_same_turn() -> None:
    matrix = rotation(np.array([90.0, 20.0, -35.0]))
    assert np.allclose(rotation(angles(matrix)), matrix, atol=1e-9)


def test_batches_keep_their_shape() -> None:
    some = np.random.default_rng(0).uniform(-60, 60, (4, 5, 3))
    assert rotation(some).shape == (4, 5, 3, 3)
    assert np.allclose(angles(rotation(some)), some)


@pytest.fixture(scope="module")
def looks() -> dict[str, np.ndarray]:
    """Landmarks [68, 2] of a head turned one way at a time."""
    turns = {"rest": (0, 0, 0), "yaw": (25, 0, 0), "pitch": (0, 20, 0), "roll": (0, 0, 20)}
    motion = Motion(
        np.zeros((4, len(EXPRESSION)), np.float32),
        np.array(list(turns.values()), np.float32),
        np.tile(np.float32([0, 0, 900]), (4, 1)),
        2.2,
    )
    seen = render_frames(sample_identity(5, 0), motion, sample_scene(np.random.default_rng(0)), 128)
    return dict(zip(turns, seen.landmarks, strict=True))


def test_positive_yaw_turns_to_the_images_right(looks: dict[str, np.ndarray]) -> None:
    rest, turned = looks["rest"], looks["yaw"]
    assert turned[NOSE_TIP, 0] - rest[NOSE_TIP, 0] > 8
    # the nose goes further than the eyes, so it comes nearer to the eye on the image's right
    assert turned[RIGHT_EYE, 0] - turned[NOSE_TIP, 0] < 0.7 * (turned[NOSE_TIP, 0] - turned[LEFT_EYE, 0])


def test_positive_pitch_looks_up(looks: dict[str, np.ndarray]) -> None:
    rest, turned = looks["rest"], looks["pitch"]
    assert turned[NOSE_TIP, 1] < rest[NOSE_TIP, 1] - 5
    # seen from below, the tip of the nose rises towards its root
    assert turned[NOSE_TIP, 1] - turned[NOSE_TOP, 1] < 0.8 * (rest[NOSE_TIP, 1] - rest[NOSE_TOP, 1])


def test_positive_roll_tilts_clockwise(looks: dict[str, np.ndarray]) -> None:
    turned = looks["roll"]
    assert turned[RIGHT_EYE, 1] > turned[LEFT_EYE, 1] + 5
    assert turned[CHIN, 0] < turned[NOSE_TOP, 0] - 5
