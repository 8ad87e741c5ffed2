"""SCRFD through insightface itself, on made networks whose answer is painted: a red block of 8 pixels at a multiple of
8 is a face at stride 8, a green one of 16 at stride 16, a blue one of 32 at stride 32; the brighter, the surer."""

import socket
from pathlib import Path

import cv2
import numpy as np
import onnx
import platformdirs
import pytest
from insightface.model_zoo.scrfd import SCRFD
from onnx import TensorProto, helper, numpy_helper

from curate.errors import MissingPrerequisite, UserError
from curate.files import sha256_file
from curate.perception import detector_names, load_detector, scrfd, weights
from tests.perception.made import linear_network

STRIDES = (8, 16, 32)
# What every anchor answers, in strides: distances to the box's left, top, right, bottom; steps to the five points.
DISTANCES = np.array([1.5, 2.0, 2.5, 3.0])
STEPS = np.array([[-1.0, -1.25], [1.5, -1.0], [0.25, 0.5], [-0.75, 2.0], [1.25, 2.25]])
SURE = (255 - 127.5) / 128  # score of a block as bright as can be


def painted_network(path: Path, *, side=None, batched=False, widths=(1, 4, 10), dtype=TensorProto.FLOAT, places=-1):
    """SCRFD's signature with 3 outputs for each of `widths`. Of two anchors a place, the second is 0.9 as sure."""
    nodes, constants = [], {"sureness": np.array([1.0, 0.9])}
    constants["flat"], constants["column"] = np.array([places, 1]), np.array([1, -1, 1] if batched else [-1, 1])
    for stride, channel in zip(STRIDES, range(3), strict=True):
        constants[f"channel{stride}"] = np.array([channel])
        window = {"kernel_shape": [stride] * 2, "strides": [stride] * 2}
        nodes += [
            helper.make_node("Gather", ["float", f"channel{stride}"], [f"one{stride}"], axis=1),
            helper.make_node("AveragePool", [f"one{stride}"], [f"mean{stride}"], **window),
            helper.make_node("Relu", [f"mean{stride}"], [f"bright{stride}"]),
            helper.make_node("Reshape", [f"bright{stride}", "flat"], [f"places{stride}"]),
            helper.make_node("Mul", [f"places{stride}", "sureness"], [f"anchors{stride}"]),
            helper.make_node("Reshape", [f"anchors{stride}", "column"], [f"1_{stride}"]),
            helper.make_node("Sub", [f"1_{stride}", f"1_{stride}"], [f"nothing{stride}"]),
        ]  # fmt: skip
        for width, values in ((4, DISTANCES), (10, STEPS.ravel())):
            constants[f"values{width}"] = values[None]
            nodes.append(helper.make_node("Add", [f"nothing{stride}", f"values{width}"], [f"{width}_{stride}"]))
    shape = [1, 3, side or "height", side or "width"]
    batch = [1] if batched else []
    graph = helper.make_graph(
        [helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT), *nodes],
        "painted",
        [helper.make_tensor_value_info("image", dtype, shape)],
        [
            helper.make_tensor_value_info(f"{width}_{stride}", TensorProto.FLOAT, [*batch, f"n{stride}", width])
            for width in widths
            for stride in STRIDES
        ],
        [
            numpy_helper.from_array(value if value.dtype == np.int64 else value.astype(np.float32), name)
            for name, value in constants.items()
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Folder of weights: nothing of the machine's own is found, and nobody may ask the network."""

    def refuse(*args, **kwargs):
        raise AssertionError("a detector that loads or looks must not use the network")

    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda *args, **kwargs: str(tmp_path / "user"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv(weights.VARIABLE, str(folder))
    monkeypatch.delenv(scrfd.VARIABLE, raising=False)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return folder


@pytest.fixture
def detector(places):
    painted_network(places / scrfd.FILE)
    return load_detector("insightface")


def paint(frame, stride, column, row, level=255, size=None):
    """Paint the face of a place; `size` is the block's side where the frame will be scaled."""
    size = size or stride
    frame[row * size : (row + 1) * size, column * size : (column + 1) * size, STRIDES.index(stride)] = level
    return frame


def expected(stride, column, row, scale=(1.0, 1.0)):
    """Box and points of a place, in the pixels of a frame that was scaled to the network's input."""
    scale = np.array(scale)
    corner = np.array([column, row])
    box = np.concatenate([corner - DISTANCES[:2], corner + DISTANCES[2:]]) * stride
    return box / np.tile(scale, 2), ((corner + STEPS) * stride + 0.5) / scale - 0.5


def assert_face(faces, i, stride, column, row, scale=(1.0, 1.0)):
    box, points = expected(stride, column, row, scale)
    np.testing.assert_allclose(faces.boxes[i], box, atol=1e-3)
    np.testing.assert_allclose(faces.points[i], points, atol=1e-3)


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("form", [{}, {"batched": True}, {"side": 640}], ids=["plain", "batched", "fixed size"])
def test_boxes_and_points_of_every_stride(places, stride, form):
    painted_network(places / scrfd.FILE, **form)
    frame = paint(np.zeros((640, 640, 3), np.uint8), stride, 5, 9)
    (faces,) = load_detector("insightface").detect(frame[None])
    assert faces.boxes.dtype == faces.scores.dtype == faces.points.dtype == np.float32
    assert (faces.boxes.shape, faces.points.shape) == ((1, 4), (1, 5, 2))  # the second anchor's box is suppressed
    assert_face(faces, 0, stride, 5, 9)
    np.testing.assert_allclose(faces.scores, [SURE], atol=1e-6)


def test_fixed_size_of_the_file_is_used(places):
    painted_network(places / scrfd.FILE, side=320)
    frame = paint(np.zeros((640, 640, 3), np.uint8), 8, 30, 7, size=16)
    (faces,) = load_detector("insightface").detect(frame[None])
    assert len(faces) == 1
    assert_face(faces, 0, 8, 30, 7, (0.5, 0.5))


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280)])
def test_frames_that_are_not_square(detector, size):
    width, height = size
    frame = paint(np.zeros((height, width, 3), np.uint8), 16, 7, 10, size=32)
    (faces,) = detector.detect(frame[None])
    assert len(faces) == 1
    assert_face(faces, 0, 16, 7, 10, (0.5, 0.5))


def test_scale_is_exact_on_both_sides(detector):
    frame = np.zeros((100, 333, 3), np.uint8)  # becomes 640 x 192: not the same scale in x and in y
    scale = (640 / 333, 192 / 100)
    column, row = 17, 4
    left, right = (int(column * 32 / scale[0]) - 1, int((column + 1) * 32 / scale[0]) + 2)
    top, bottom = (int(row * 32 / scale[1]) - 1, int((row + 1) * 32 / scale[1]) + 2)
    frame[top:bottom, left:right, 2] = 255
    (faces,) = detector.detect(frame[None])
    assert len(faces) == 1
    assert_face(faces, 0, 32, column, row, scale)


def test_several_frames_best_face_first(detector):
    frames = np.zeros((4, 360, 640, 3), np.uint8)
    paint(frames[0], 8, 40, 20)
    paint(paint(frames[2], 16, 5, 6, level=210), 32, 13, 5, level=240)
    paint(frames[3], 8, 40, 20, level=180)  # too dim to be sure of
    together = detector.detect(frames)
    assert [len(faces) for faces in together] == [1, 0, 2, 0]
    assert_face(together[2], 0, 32, 13, 5)
    assert_face(together[2], 1, 16, 5, 6)
    np.testing.assert_allclose(together[2].scores, [(240 - 127.5) / 128, (210 - 127.5) / 128], atol=1e-6)
    assert (together[1].boxes.shape, together[1].points.shape) == ((0, 4), (0, 5, 2))
    for frame, faces in zip(frames, together, strict=True):
        (alone,) = detector.detect(frame[None])
        assert np.array_equal(alone.boxes, faces.boxes)
        assert np.array_equal(alone.points, faces.points)


def test_equal_to_insightface(places, detector):
    rng = np.random.default_rng(3)
    frame = rng.integers(0, 140, (360, 640, 3), dtype=np.uint8)
    for stride, column, row in ((8, 10, 10), (8, 11, 10), (16, 20, 5), (32, 15, 6)):  # the first two overlap
        paint(frame, stride, column, row, level=250 - column)
    theirs = SCRFD(str(places / scrfd.FILE))
    found, points = theirs.detect(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), input_size=(640, 640))
    (faces,) = detector.detect(frame[None])
    assert len(faces) == 3
    np.testing.assert_allclose(faces.boxes, found[:, :4], atol=1e-4)
    np.testing.assert_allclose(faces.scores, found[:, 4], atol=1e-6)
    np.testing.assert_allclose(faces.points, points, atol=1e-4)


def test_tiny_and_empty_input(detector):
    assert detector.detect(np.zeros((0, 64, 64, 3), np.uint8)) == []
    for height, width in ((1, 1), (12, 9), (1, 2000)):
        assert [len(faces) for faces in detector.detect(np.zeros((1, height, width, 3), np.uint8))] == [0]


def test_one_thread_on_the_cpu(detector):
    session = detector._network.session
    options = session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert session.get_providers() == ["CPUExecutionProvider"]
    detector.detect(np.zeros((1, 64, 64, 3), np.uint8))
    assert set(detector._network.resolution_sessions.values()) == {session}  # insightface opened none of its own


def test_information(places, detector):
    assert "insightface" in detector_names()
    assert detector.info.name == "insightface"
    assert detector.info.sha256 == sha256_file(places / scrfd.FILE)
    assert detector.info.licence == "non-commercial research only"


def test_absent_file_says_which_where_how_and_under_what_licence(places):
    with pytest.raises(MissingPrerequisite) as caught:
        load_detector("insightface")
    message = str(caught.value)
    for part in ("det_10g.onnx", str(places), "insightface-cli model.download buffalo_l", "research only", "https://"):
        assert part in message
    assert caught.value.exit_code == 3
    assert "\n" not in message


def test_file_that_insightface_fetched_is_found_after_the_others(places, tmp_path):
    fetched = tmp_path / "home" / ".insightface" / "models" / "buffalo_l" / "det_10g.onnx"
    fetched.parent.mkdir(parents=True)
    painted_network(fetched)
    assert load_detector("insightface").info.sha256 == sha256_file(fetched)
    painted_network(places / scrfd.FILE, side=64)
    assert load_detector("insightface").info.sha256 == sha256_file(places / scrfd.FILE)


@pytest.mark.parametrize("by", ["path", "name"])
def test_variable_names_another_file(places, detector, monkeypatch, by):
    other = places / "scrfd_500m.onnx"
    painted_network(other, side=320)
    monkeypatch.setenv(scrfd.VARIABLE, str(other) if by == "path" else other.name)
    info = load_detector("insightface").info
    assert info.sha256 == sha256_file(other) != detector.info.sha256
    assert info.licence.startswith("as the source of the file says")
    other.unlink()
    mend = "correct it" if by == "path" else weights.VARIABLE
    with pytest.raises(MissingPrerequisite, match=rf"scrfd_500m\.onnx.*{mend}"):
        load_detector("insightface")


def test_files_that_are_no_scrfd(places):
    file = places / scrfd.FILE

    def refused():
        with pytest.raises(UserError) as caught:
            load_detector("insightface")
        message = str(caught.value)
        assert message.startswith(f"{file} is no SCRFD face detector: ")
        assert "\n" not in message
        assert not isinstance(caught.value, MissingPrerequisite)
        return message

    file.write_bytes(b"<html>not found</html>")
    assert "it cannot be opened" in refused()
    linear_network(file, np.ones((4, 3 * 8 * 8)), size=8)
    assert "it has 1 outputs, not 9" in refused()
    painted_network(file, widths=(1, 4))
    assert "6 outputs, one without the five points" in refused()
    painted_network(file, widths=(1, 10, 4))
    assert "output '10_8' should be boxes at stride 8, [12800, 4], but is [12800, 10]" in refused()
    painted_network(file, dtype=TensorProto.UINT8)
    assert "its input is tensor(uint8) [1, 3, 'height', 'width'], not one float image" in refused()
    painted_network(file, side=24)  # strides do not divide it
    assert "output '1_32' should be scores at stride 32, [0, 1]" in refused()
    painted_network(file, places=7)  # of 6400
    assert "it cannot look at 640 x 640 pixels" in refused()
