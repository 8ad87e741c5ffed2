"""The small real networks on real faces: landmarks lie on them, angles have the interface's signs, people differ."""

import csv

import cv2
import numpy as np
import pytest
from PIL import Image

from curate.perception import load_detector, load_identifier, load_landmarker, load_pose


@pytest.fixture
def detector(real_networks):
    return load_detector("yunet")


@pytest.fixture
def portrait(shared):
    def read(name):
        with Image.open(shared / "data" / "portraits" / name) as image:
            image = image.convert("RGB")
            image.thumbnail((640, 640))
            return np.asarray(image)[None]

    return read


def test_landmarks_lie_on_the_face(detector, portrait):
    network = load_landmarker("face-landmark-68")
    for name in ("facerec__obama.jpg", "facerec__biden2.jpg", "hdtf__taile.jpg"):
        frame = portrait(name)
        faces = detector.detect(frame)
        (points,) = network.landmarks(frame, faces)
        left, top, right, bottom = faces[0].boxes[0]
        width = right - left
        # iBUG order: jaw 0-16, nose tip 30, eyes 36-41 and 42-47, mouth 48-67
        five = np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])
        assert np.linalg.norm(five - faces[0].points[0], axis=1).max() < 0.12 * width
        assert points[8, 1] == max(points[:17, 1])  # the chin is the lowest point of the jaw
        assert abs(points[8, 1] - bottom) < 0.15 * (bottom - top)


def test_landmarks_turn_with_the_face(detector, portrait):
    network = load_landmarker("face-landmark-68")
    frame = portrait("hdtf__taile.jpg")
    (level,) = network.landmarks(frame, detector.detect(frame))
    height, width = frame.shape[1:3]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -35, 1)
    turned = cv2.warpAffine(frame[0], turn, (width, height))[None]
    faces = detector.detect(turned)
    (points,) = network.landmarks(turned, faces)
    error = np.linalg.norm(points - (level @ turn[:, :2].T + turn[:, 2]), axis=1).mean()
    assert error < 0.03 * (faces[0].boxes[0][2] - faces[0].boxes[0][0])


def test_signs_of_the_angles(detector, portrait):
    network = load_pose("head-pose-estimation-adas-0001")

    def angles(frame):
        return network.pose(frame, detector.detect(frame))[0]

    assert angles(portrait("facerec__obama1.jpg"))[0] > 10  # looks to the image's right
    assert angles(portrait("pyfeat__45-m7-di-ph.jpg"))[0] < -30  # 45 degrees to the image's left
    assert angles(portrait("facerec__obama1.jpg")[:, :, ::-1])[0] < -10
    frame = portrait("facerec__obama.jpg")
    height, width = frame.shape[1:3]
    for degrees in (-25, 25):  # OpenCV counts counter-clockwise
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
        roll = angles(cv2.warpAffine(frame[0], turn, (width, height))[None])[2]
        assert roll == pytest.approx(degrees, abs=10)


def test_pitch_is_positive_upwards(detector, clips):
    """In this clip a man throws his head back once; where the nose lies between eyes and mouth tells when."""
    from curate import video

    frames = video.read_frames(clips / "latentsync__demo2_video.mp4", range(2, 480, 60))
    faces = detector.detect(frames)
    pitch = load_pose("head-pose-estimation-adas-0001").pose(frames, faces)[:, 1]
    points = np.stack([face.points[0] for face in faces])
    eyes, nose, mouth = points[:, :2, 1].mean(1), points[:, 2, 1], points[:, 3:, 1].mean(1)
    assert np.corrcoef(pitch, (nose - eyes) / (mouth - eyes))[0, 1] < -0.5  # head back: the nose nears the eyes


def test_same_person_is_nearer(detector, portrait, shared):
    network = load_identifier("face-reidentification-retail-0095")
    chosen = {"obama", "biden", "lacamoire", "taylor", "bilayer"}
    skipped = {"facerec__obama_partial_face.jpg", "facerec__obama_partial_face2.jpg"}
    with (shared / "data" / "portraits" / "portraits.csv").open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["person"] in chosen and row["file"] not in skipped]
    vectors = []
    for row in rows:
        frame = portrait(row["file"])
        vectors.append(network.embed(frame, detector.detect(frame))[0])
    cosine = np.stack(vectors) @ np.stack(vectors).T
    np.testing.assert_allclose(np.diag(cosine), 1, atol=1e-5)
    people = np.array([row["person"] for row in rows])
    same = people[:, None] == people[None]
    upper = np.triu(np.ones_like(same), 1)
    assert np.percentile(cosine[same & upper], 5) > 0.4
    assert np.percentile(cosine[~same & upper], 99) < 0.35
    assert abs(np.median(cosine[~same & upper])) < 0.1
