"""Scores of faces: what they must rise and fall with, and what SynthHeads' truth and the list of real clips say."""

import csv
import math
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from curate.perception import load_detector
from curate.perception.interface import Faces
from curate.quality import FaceScores, face_scores, flat_share, sharpness
from curate.quality.pose import pose_of_points
from curate.synth.motion import sample_motion
from curate.synth.parameters import EXPRESSION, sample_identity, sample_scene
from curate.synth.renderer import Rendered, render_frames

BOX = (70.0, 40.0, 190.0, 200.0)


def five(landmarks: np.ndarray) -> np.ndarray:
    """The detectors' five points of 68 landmarks [..., 68, 2]."""
    eyes = [landmarks[..., span, :].mean(axis=-2) for span in (slice(36, 42), slice(42, 48))]
    return np.stack([*eyes, landmarks[..., 30, :], landmarks[..., 48, :], landmarks[..., 54, :]], axis=-2)


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[:300, 80:380])


@pytest.fixture(scope="module")
def people() -> list[tuple[Rendered, np.ndarray]]:
    """Four people, six attitudes each, with their angles [6, 3]."""
    made = []
    for index in range(4):
        rng = np.random.default_rng((5, index))
        motion = sample_motion(rng, 150, 25, kind="turning").take(list(range(0, 150, 25)))
        scene = sample_scene(rng)
        made.append((render_frames(sample_identity(5, index), motion, scene, 192), np.asarray(motion.angles)))
    return made


def blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma) if sigma else picture)


def through(picture: np.ndarray, side: int) -> np.ndarray:
    """The picture by way of a smaller one."""
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC))


def test_sharpness_falls_with_blur_and_with_enlargement(astronaut: np.ndarray) -> None:
    by_blur = [sharpness(blurred(astronaut, sigma), BOX) for sigma in (0, 0.7, 1, 1.5, 2, 3, 5)]
    by_size = [sharpness(through(astronaut, side), BOX) for side in (300, 220, 150, 100, 70, 40)]
    for scores in (by_blur, by_size):
        assert all(a > b + 0.01 for a, b in pairwise(scores)), scores
        assert scores[0] > 0.4
        assert scores[-1] < 0.25


def test_sharpness_hears_little_of_noise(astronaut: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    soft = blurred(astronaut, 2)
    noisy = np.clip(soft + rng.normal(0, 4, soft.shape), 0, 255).astype(np.uint8)
    assert abs(sharpness(noisy, BOX) - sharpness(soft, BOX)) < 0.05
    assert sharpness(noisy, BOX) < sharpness(astronaut, BOX) - 0.1


def test_sharpness_is_of_the_face_not_of_its_size(astronaut: np.ndarray) -> None:
    half = cv2.resize(blurred(astronaut, 2), (150, 150), interpolation=cv2.INTER_AREA)
    small = sharpness(half, tuple(side / 2 for side in BOX))
    assert small == pytest.approx(sharpness(blurred(astronaut, 2), BOX), abs=0.06)


def test_brightness_and_contrast_follow_the_light(astronaut: np.ndarray) -> None:
    plain = face_scores(astronaut, BOX)
    dark = face_scores((astronaut * 0.4).astype(np.uint8), BOX)
    assert dark.brightness == pytest.approx(0.4 * plain.brightness, abs=0.02)
    assert dark.contrast == pytest.approx(0.4 * plain.contrast, abs=0.02)
    grey = face_scores((astronaut * 0.5 + 64).astype(np.uint8), BOX)
    assert grey.contrast == pytest.approx(plain.contrast / 2, abs=0.02)


def test_a_thing_before_the_mouth_is_seen(people: list[tuple[Rendered, np.ndarray]]) -> None:
    rises = []
    for rendered, angles in people:
        k = int(np.abs(angles[:, 0]).argmin())
        points, covered = five(rendered.landmarks[k]), rendered.frames[k].copy()
        x, y = points[3:].mean(axis=0)
        cv2.circle(
            covered, (round(float(x)), round(float(y))), round(float(np.ptp(points[:2, 0])) // 2), (20, 20, 24), -1
        )
        before, after = (face_scores(p, tuple(rendered.box[k]), points) for p in (rendered.frames[k], covered))
        rises.append(after.occlusion - before.occlusion)
    assert np.median(rises) > 0.25


def test_the_mouth_score_rises_as_the_mouth_opens() -> None:
    expression = np.zeros((5, len(EXPRESSION)))
    expression[:, EXPRESSION.index("jaw_open")] = np.linspace(0, 0.8, 5)
    rng = np.random.default_rng(1)
    still = sample_motion(rng, 1, 25)
    motion = type(still)(expression, np.zeros((5, 3)), np.repeat(still.translation, 5, axis=0), still.focal)
    rendered = render_frames(sample_identity(9, 3), motion, sample_scene(rng), 192)
    scores = [
        face_scores(frame, tuple(box), five(points)).mouth
        for frame, box, points in zip(rendered.frames, rendered.box, rendered.landmarks, strict=True)
    ]
    assert scores[-1] > scores[0] * 1.3
    assert np.corrcoef(scores, expression[:, EXPRESSION.index("jaw_open")])[0, 1] > 0.8


def test_pose_of_true_points_is_near_the_truth(people: list[tuple[Rendered, np.ndarray]]) -> None:
    given = np.array([pose_of_points(five(points)) for rendered, _ in people for points in rendered.landmarks])
    truth = np.concatenate([angles for _, angles in people])
    inside = np.abs(truth[:, 0]) <= 60
    error = np.abs(given - truth)[inside].mean(axis=0)
    assert (error < (5.5, 7, 2)).all(), error
    assert np.corrcoef(given[inside, 0], truth[inside, 0])[0, 1] > 0.95
    assert np.corrcoef(given[inside, 2], truth[inside, 2])[0, 1] > 0.95


def test_pose_does_not_depend_on_place_and_size_and_mirrors() -> None:
    points = np.array([[100, 100], [150, 104], [132, 128], [108, 152], [148, 155]], np.float64)
    yaw, pitch, roll = pose_of_points(points)
    assert pose_of_points(points * 3 + 40) == pytest.approx((yaw, pitch, roll))
    mirrored = ((-1, 1) * points)[[1, 0, 2, 4, 3]]
    assert pose_of_points(mirrored) == pytest.approx((-yaw, pitch, -roll), abs=1e-6)
    assert yaw > 10
    assert all(math.isnan(angle) for angle in pose_of_points(np.full((5, 2), np.nan)))
    assert all(math.isnan(angle) for angle in pose_of_points(np.ones((5, 2))))


@pytest.mark.parametrize("box", [(500.0, 500.0, 600.0, 600.0), (-90.0, -90.0, -10.0, -10.0), (10.0, 10.0, 12.0, 12.0)])
def test_a_box_beside_the_picture_has_scores_too(astronaut: np.ndarray, box: tuple[float, float, float, float]) -> None:
    scores = face_scores(astronaut, box, np.full((5, 2), np.nan))
    assert (scores.flat, scores.sharpness, scores.yaw) == (0, 0, None)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_one_colour_has_no_detail(value: int) -> None:
    plain = np.full((120, 120, 3), value, np.uint8)
    scores = face_scores(plain, (20, 20, 100, 100))
    flat = FaceScores(
        flat=1,
        sharpness=0,
        brightness=round(value / 255, 4),
        contrast=0,
        occlusion=0,
        mouth=0,
        yaw=None,
        pitch=None,
        roll=None,
    )
    assert scores == flat
    assert flat_share(plain, (20, 20, 100, 100)) == 1


def test_yaw_of_real_clips_is_in_the_lists_order(clips: Path, real_networks: Path) -> None:
    """The list counts yaw the other way round: its 5th percentile is minus our 95th."""
    from curate import video

    detector = load_detector("yunet")
    with (clips / "clips.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["faces_med"] == "1" and not row["cuts"]]
    rows = sorted(rows, key=lambda row: float(row["yaw_p5"]))[::6]
    listed, ours = [], []
    for row in rows:
        frames = [frame.rgb(360) for frame in video.frames(clips / row["file"]) if frame.index % 25 == 0]
        found: list[Faces] = detector.detect(np.stack(frames[:10]))
        ours.append(np.median([pose_of_points(faces.points[0])[0] for faces in found if len(faces)]))
        listed.append(-(float(row["yaw_p5"]) + float(row["yaw_p95"])) / 2)
    assert len(listed) >= 5
    assert np.corrcoef(listed, ours)[0, 1] > 0.9
