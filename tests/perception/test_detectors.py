"""Detectors: MTCNN against the package it comes from, YuNet on real networks, neither dependent on the batch."""

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from torch import nn

from curate.errors import UserError
from curate.perception import load_detector
from curate.perception.mtcnn import SlicedMaxPool


@pytest.fixture(scope="module")
def mtcnn():
    return load_detector("mtcnn")


@pytest.fixture(scope="module")
def portrait():
    return skimage.data.astronaut()  # 512 x 512, one face


def overlap(a, b):
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inner = max(0, width) * max(0, height)
    return inner / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner)


@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("size", [(4, 5), (5, 4), (7, 9), (22, 46), (3, 3)])
def test_sliced_pool_equals_the_built_in_one(kernel, size):
    x = torch.randn(2, 3, *size)
    assert torch.equal(SlicedMaxPool(kernel)(x), nn.MaxPool2d(kernel, 2, ceil_mode=True)(x))


def test_equal_to_facenet_pytorch(mtcnn, portrait):
    from facenet_pytorch import MTCNN

    small = cv2.resize(portrait, (300, 300), interpolation=cv2.INTER_AREA)  # small enough not to be shrunk again
    package = MTCNN(keep_all=True, select_largest=False, min_face_size=20)
    boxes, scores, points = (np.array(part.tolist(), float) for part in package.detect(small, landmarks=True))
    (ours,) = mtcnn.detect(small[None])
    best = np.argsort(-scores)
    np.testing.assert_allclose(ours.boxes, boxes[best], atol=1e-3)
    np.testing.assert_allclose(ours.scores, scores[best], atol=1e-5)
    np.testing.assert_allclose(ours.points, points[best], atol=1e-3)


def test_faces_are_ordered_and_in_place(mtcnn, portrait):
    (faces,) = mtcnn.detect(portrait[None])
    assert (np.diff(faces.scores) <= 0).all()
    left, top, right, bottom = faces.boxes[0]
    assert 160 < left < right < 300
    assert 50 < top < bottom < 230
    eye_left, eye_right, nose, mouth_left, mouth_right = faces.points[0]
    assert left < eye_left[0] < nose[0] < eye_right[0] < right
    assert mouth_left[0] < mouth_right[0]
    assert top < eye_left[1] < nose[1] < mouth_left[1] < bottom
    assert mtcnn.info.licence == "MIT"


@pytest.mark.parametrize("scale", [1.37, 2.5])
def test_boxes_of_larger_frames_scale(mtcnn, portrait, scale):
    (reference,) = mtcnn.detect(portrait[None])
    size = (round(512 * scale), round(512 * scale) + 7)  # not an exact multiple, and not the same in x and y
    (larger,) = mtcnn.detect(cv2.resize(portrait, size, interpolation=cv2.INTER_CUBIC)[None])
    back = larger.boxes[0] * np.tile([512 / size[0], 512 / size[1]], 2)
    assert overlap(back, reference.boxes[0]) > 0.85


def test_a_frame_does_not_depend_on_its_batch(mtcnn, portrait):
    frames = np.stack([portrait, portrait[:, ::-1], np.zeros_like(portrait), np.roll(portrait, 60, axis=1)])
    together = mtcnn.detect(frames)
    assert [len(faces) > 0 for faces in together] == [True, True, False, True]
    for frame, faces in zip(frames[::-1], together[::-1], strict=True):
        (alone,) = mtcnn.detect(frame[None])
        assert np.array_equal(alone.boxes, faces.boxes)
        assert np.array_equal(alone.scores, faces.scores)
        assert np.array_equal(alone.points, faces.points)


def test_tiny_and_empty_input(mtcnn):
    assert mtcnn.detect(np.zeros((0, 64, 64, 3), np.uint8)) == []
    assert [len(faces) for faces in mtcnn.detect(np.zeros((1, 12, 9, 3), np.uint8))] == [0]


@pytest.mark.parametrize("name", ["yunet", "yunet-n"])
def test_yunet_agrees_with_mtcnn(real_networks, mtcnn, portrait, name):
    frames = np.stack([portrait, portrait[:, ::-1], np.zeros_like(portrait)])
    for ours, other in zip(load_detector(name).detect(frames), mtcnn.detect(frames), strict=True):
        assert bool(len(ours)) == bool(len(other))
        if len(ours):
            assert overlap(ours.boxes[0], other.boxes[0]) > 0.6
            face = ours.boxes[0][2] - ours.boxes[0][0]
            assert np.linalg.norm(ours.points[0] - other.points[0], axis=1).max() < 0.15 * face


def test_unknown_detector():
    with pytest.raises(UserError, match="unknown detector 'mtcn': did you mean mtcnn"):
        load_detector("mtcn")
