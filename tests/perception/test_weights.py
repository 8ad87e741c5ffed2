"""Where files are looked for, and what is said when they are not there or not the right ones."""

import os

import platformdirs
import pytest

from curate.errors import MissingPrerequisite, UserError
from curate.files import sha256_file
from curate.perception import load_detector, load_landmarker, weights


@pytest.fixture
def user_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda *args, **kwargs: str(tmp_path / "user"))
    folder = tmp_path / "user" / "weights"
    folder.mkdir(parents=True)
    return folder


def test_environment_before_user_folder(tmp_path, user_folder, monkeypatch):
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
    monkeypatch.setenv(weights.VARIABLE, f"{first}{os.pathsep}{second}")
    assert weights.folders() == [first, second, user_folder]
    for folder in (user_folder, second, first):  # each later one comes first in the order
        (folder / "net.onnx").write_bytes(b"x")
        assert weights.find("net.onnx", "there") == folder / "net.onnx"


def test_missing_file_says_where_and_how(tmp_path, user_folder, monkeypatch):
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(MissingPrerequisite) as caught:
        load_landmarker("face-landmark-68")
    message = str(caught.value)
    for part in ("face_landmark_68.onnx", str(tmp_path / "nowhere"), str(user_folder), "face-api.js", weights.VARIABLE):
        assert part in message
    assert caught.value.exit_code == 3
    assert "\n" not in message


def test_wrong_content_is_refused(tmp_path, user_folder, monkeypatch):
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    (tmp_path / "yunet_s_dynamic.onnx").write_bytes(b"something else")
    with pytest.raises(UserError, match=r"yunet_s_dynamic\.onnx is not the expected one: its sha256 is") as caught:
        load_detector("yunet")
    assert caught.value.exit_code == 2


def test_file_is_read_once_until_it_changes(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(weights, "sha256_file", lambda path: read.append(path) or sha256_file(path))
    path = tmp_path / "net.onnx"
    path.write_bytes(b"one")
    good = sha256_file(path)
    weights.verify(path, good)
    weights.verify(path, good)
    assert len(read) == 1
    path.write_bytes(b"other")
    with pytest.raises(UserError):
        weights.verify(path, good)
    assert len(read) == 2


def test_openvino_weights_must_lie_beside_their_graph(tmp_path, user_folder, monkeypatch, shared):
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    name = "head-pose-estimation-adas-0001"
    (tmp_path / f"{name}.xml").write_bytes((shared / "data" / "weights" / f"{name}.xml").read_bytes())
    from curate.perception import load_pose

    with pytest.raises(MissingPrerequisite, match=rf"{name}\.bin is missing"):
        load_pose(name)
