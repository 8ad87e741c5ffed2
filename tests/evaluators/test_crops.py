"""Crops: what a network is shown, and the way back from what it says."""

import numpy as np
import pytest

from bench.evaluators import crops
from curate import angles
from curate.perception import align

POINTS = np.array([[100, 100], [140, 112], [118, 125], [102, 150], [134, 158]], float)
BOX = np.array([80, 60, 160, 180], float)


def face(turn=0.0, scale=1.0, shift=(0.0, 0.0)):
    """68 landmarks: inner ones from 40 to 100 across and 30 to 130 down, the jaw far away; then turned and scaled."""
    points = np.random.default_rng(0).uniform((45, 60), (95, 120), (68, 2))
    points[:17] = (-500, 900)
    points[8], points[17], points[26], points[30] = (70, 130), (40, 70), (100, 70), (70, 30)
    points[36:42], points[42:48] = (55, 80), (85, 80)
    return align.transform(align.rotation_matrix(turn, (70, 80)), points) * scale + np.array(shift)


def test_head_crop_is_upright_and_about_the_box():
    matrix = crops.head_matrix(BOX, POINTS)
    eyes = align.transform(matrix, POINTS[:2])
    assert eyes[0, 1] == pytest.approx(eyes[1, 1])
    level = crops.head_matrix(BOX, np.array([[100, 100], [140, 100], [120, 125], [105, 150], [135, 150]], float))
    corners = align.transform(align.invert(level), np.array([[-0.5, -0.5], [127.5, 127.5]])) + 0.5
    side = 1.95 * 120
    np.testing.assert_allclose(corners[1] - corners[0], [side, side])
    np.testing.assert_allclose(corners.mean(0), [120, 120 - 0.05 * 120])


@pytest.mark.parametrize(("cut", "scale"), [(crops.face_matrix, 1.22), (crops.identity_matrix, 1.6)])
def test_closer_crops_lie_about_the_inner_landmarks(cut, scale):
    corners = align.transform(align.invert(cut(face())), np.array([[-0.5, -0.5], [111.5, 111.5]]))
    np.testing.assert_allclose(corners, [[70 - 50 * scale, 80 - 50 * scale], [70 + 50 * scale, 80 + 50 * scale]])


@pytest.mark.parametrize("turn", [-40.0, 25.0])
def test_closer_crops_turn_scale_and_move_with_the_face(turn):
    expected = align.transform(crops.face_matrix(face()), face())
    moved = face(turn, 1.7, (30, -12))
    np.testing.assert_allclose(align.transform(crops.face_matrix(moved), moved), expected, atol=1e-6)


def test_landmarks_in_one_place_still_give_a_crop():
    assert np.isfinite(crops.face_matrix(np.full((68, 2), 7.0))).all()


@pytest.mark.parametrize("pose", [(0, 0, 0), (50, -20, 25), (-60, 30, -30)])
def test_rotation_there_and_back(pose):
    rotation = angles.rotation(np.array(pose, float))
    camera = crops.usual_camera(640, 360)
    matrix = crops.head_matrix(BOX + 150, POINTS + 150)
    seen = crops.to_crop(rotation, matrix, 128, camera)
    np.testing.assert_allclose(seen @ seen.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(crops.from_crop(seen, matrix, 128, camera), rotation, atol=1e-12)
    np.testing.assert_allclose(crops.pose_of(seen, matrix, 128, 640, 360), pose, atol=1e-9)


def test_a_face_that_looks_at_the_camera_looks_straight_in_its_crop():
    """From beside the middle it must turn to do so, against its offset."""
    camera = crops.usual_camera(256, 256)
    points = POINTS - POINTS.mean(0) + np.array([217.5, 127.5])
    matrix = crops.head_matrix(np.array([167, 70, 267, 190], float), points)
    rotation = crops.from_crop(crops.crop_turn(matrix), matrix, 128, camera)
    yaw, _, roll = angles.angles(rotation)
    offset = np.degrees(np.arctan2(89.5, crops.FOCAL * 256))
    assert yaw == pytest.approx(-offset, abs=0.2)
    assert roll == pytest.approx(0, abs=0.2)


def test_roll_of_the_frame_is_undone_in_the_crop():
    camera = crops.usual_camera(256, 256)
    turn = align.rotation_matrix(20, (127.5, 127.5))
    points = align.transform(turn, np.array([[108, 110], [147, 110], [127, 130], [112, 150], [143, 150]], float))
    matrix = crops.head_matrix(np.array([77.5, 77.5, 177.5, 177.5]) + 0.5, points)
    seen = crops.to_crop(angles.rotation(np.array([0.0, 0, 20])), matrix, 128, camera)
    assert angles.angles(seen)[2] == pytest.approx(0, abs=0.3)
