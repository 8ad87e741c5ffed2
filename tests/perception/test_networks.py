"""Networks made in the test, run through a TOML spec, against a plain computation of what they should answer."""

import math

import numpy as np
import pytest

from curate.errors import UserError
from curate.perception import load_identifier, load_landmarker, load_pose
from curate.perception.interface import Faces

from .made import linear_network, one_face, write_spec

SIZE = 8
WHITE = np.full((3, 40, 50, 3), 255, np.uint8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path))
    return tmp_path


def constants(folder, values):
    """Network that answers `values` for a white crop with range 1: every input is 1, so each row of weights adds up."""
    values = np.asarray(values, float).ravel()
    inputs = 3 * SIZE * SIZE
    linear_network(folder / "tiny.onnx", np.repeat(values[:, None] / inputs, inputs, axis=1), size=SIZE)


WHOLE_BOX = f'input = {{ width = {SIZE}, height = {SIZE}, range = 1.0 }}\nalignment = {{ method = "box" }}\n'


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("batch", ["N", 1, 4])
def test_identity_end_to_end(folder, layout, batch):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(5, 3 * SIZE * SIZE))
    linear_network(folder / "tiny.onnx", weights, size=SIZE, batch=batch, layout=layout)
    write_spec(
        folder,
        "mine",
        f"""kind = "identity"
        input = {{ width = {SIZE}, height = {SIZE}, layout = "{layout}", colour = "BGR", range = 1.0,
                   mean = [0.1, 0.2, 0.3], std = [0.5, 0.6, 0.7] }}
        alignment = {{ method = "box" }}
        output = {{ name = "values" }}""".replace(",\n", ", ").replace("\n                   ", " "),
    )
    frames = rng.integers(0, 256, (6, 20, 30, 3), dtype=np.uint8)
    faces = [one_face((3 + i, 2 + i, 3 + i + SIZE, 2 + i + SIZE)) for i in range(6)]
    faces[2] = Faces.none()
    vectors = load_identifier("mine").embed(frames, faces)
    assert vectors.shape == (6, 5)
    for i in range(6):
        if i == 2:
            assert np.isnan(vectors[i]).all()
            continue
        crop = frames[i, 2 + i : 2 + i + SIZE, 3 + i : 3 + i + SIZE, ::-1] / 255
        given = (crop - [0.1, 0.2, 0.3]) / [0.5, 0.6, 0.7]
        expected = weights @ (given.transpose(2, 0, 1) if layout == "NCHW" else given).ravel()
        np.testing.assert_allclose(vectors[i], expected / np.linalg.norm(expected), atol=2e-5)


def test_a_face_does_not_depend_on_its_batch(folder):
    rng = np.random.default_rng(1)
    linear_network(folder / "tiny.onnx", rng.normal(size=(16, 3 * SIZE * SIZE)), size=SIZE, batch=4)
    write_spec(folder, "mine", f'kind = "identity"\n{WHOLE_BOX}output = {{ name = "values" }}')
    network = load_identifier("mine")
    frames = rng.integers(0, 256, (7, 40, 40, 3), dtype=np.uint8)
    faces = [one_face((i, i, i + 21, i + 25)) for i in range(7)]
    together = network.embed(frames, faces)
    alone = np.concatenate([network.embed(frames[i : i + 1], faces[i : i + 1]) for i in range(7)])
    assert np.array_equal(together, alone)


@pytest.mark.parametrize(("order", "unit"), [("interleaved", "crop"), ("planar", "crop"), ("interleaved", "pixels")])
def test_landmarks_come_back_to_the_frame(folder, order, unit):
    points = np.random.default_rng(2).random((68, 2))  # fractions of the crop
    values = points if unit == "crop" else points * SIZE - 0.5
    constants(folder, values if order == "interleaved" else values.T)
    write_spec(
        folder,
        "mine",
        f'kind = "landmarks"\n{WHOLE_BOX}output = {{ name = "values", order = "{order}", unit = "{unit}" }}',
    )
    faces = [one_face((10, 5, 34, 25)), Faces.none(), one_face((20, 10, 30, 30))]
    found = load_landmarker("mine").landmarks(WHITE, faces)
    assert found.dtype == np.float32
    assert np.isnan(found[1]).all()
    np.testing.assert_allclose(found[0], points * (24, 20) + (10, 5) - 0.5, atol=1e-3)
    np.testing.assert_allclose(found[2], points * (10, 20) + (20, 10) - 0.5, atol=1e-3)


def test_upright_square_turns_landmarks_back(folder):
    constants(folder, np.tile([0.25, 0.5], 68))  # a point left of the crop's centre
    square = WHOLE_BOX.replace('method = "box"', 'method = "square", upright = true, shift = [0.0, 0.1]')
    write_spec(folder, "mine", f'kind = "landmarks"\n{square}output = {{ name = "values" }}')
    white = np.full((1, 100, 100, 3), 255, np.uint8)
    angle = math.radians(90)  # the face lies on its side: its own left is the frame's top, its chin the frame's left
    upright = np.array([[-6, -6], [6, -6], [0, 0], [-5, 6], [5, 6]], float)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    face = one_face((30, 40, 70, 80), points=upright @ turn.T + (49.5, 59.5))
    (found,) = load_landmarker("mine").landmarks(white, [face])
    # in the upright crop of side 40 the point is 10 left of the centre, and the centre 4 below the box's
    np.testing.assert_allclose(found, np.tile([49.5 - 4, 59.5 - 10], (68, 1)), atol=1e-3)


def test_pose_mapping(folder):
    constants(folder, [0.1, -0.2, 0.3])
    write_spec(
        folder,
        "mine",
        f"""kind = "pose"
        {WHOLE_BOX}
        [output]
        unit = "radians"
        yaw = {{ name = "values", index = 2 }}
        pitch = {{ name = "values", index = 0, sign = -1 }}
        roll = {{ name = "values", index = 1 }}""",
    )
    angles = load_pose("mine").pose(WHITE, [one_face((5, 5, 25, 25)), Faces.none(), one_face((1, 1, 10, 10))])
    expected = np.degrees([0.3, -0.1, -0.2])
    np.testing.assert_allclose(angles, [expected, [np.nan] * 3, expected], rtol=1e-4)


def test_no_face_at_all(folder):
    constants(folder, [1.0, 2.0])
    write_spec(folder, "mine", f'kind = "identity"\n{WHOLE_BOX}output = {{ name = "values" }}')
    assert np.isnan(load_identifier("mine").embed(WHITE, [Faces.none()] * 3)).all()
    assert load_identifier("mine").embed(WHITE[:0], []).shape == (0, 2)


@pytest.mark.parametrize(
    ("kind", "load", "output", "message"),
    [
        ("identity", load_identifier, '{ name = "value" }', r"no output 'value' \(known: values\)"),
        ("landmarks", load_landmarker, '{ name = "values" }', "has 3 values, not 68 x 2"),
        (
            "pose",
            load_pose,
            '{ yaw = { name = "values", index = 3 }, pitch = { name = "values" }, roll = { name = "values" } }',
            "has 3 values, no 3",
        ),
    ],
)
def test_spec_that_does_not_fit_its_network(folder, kind, load, output, message):
    constants(folder, [1, 2, 3])
    write_spec(folder, "mine", f'kind = "{kind}"\n{WHOLE_BOX}output = {output}')
    with pytest.raises(UserError, match=message):
        load("mine")


def test_input_size_that_does_not_fit(folder):
    constants(folder, [1, 2, 3])
    write_spec(folder, "mine", f'kind = "identity"\n{WHOLE_BOX}output = {{ name = "values" }}'.replace("= 8", "= 9"))
    with pytest.raises(UserError, match=r"its input is \(3, 8, 8\), but its spec says \(3, 9, 9\)"):
        load_identifier("mine")
