"""Suites: what is missing is said, a network runs once a frame, metric ids carry their suite."""

from dataclasses import replace

import numpy as np
import platformdirs
import pytest
import skimage.data

from bench import metrics
from bench.evaluators import suite as suites
from bench.evaluators.suite import SuiteFile, open_suite, read_suite, suite_names
from curate.errors import MissingPrerequisite, UserError

KINDS = {"detector", "landmarks", "pose", "identity"}  # of the suite `open`
NONE = set(suites.KINDS) - KINDS  # that it has no network for


def at_hand():
    """The suite `open` with whatever networks are there."""
    return suites.Suite("open", read_suite(suites.SUITES / "open.toml"), strict=False)


@pytest.fixture
def no_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda *args, **kwargs: str(tmp_path / "user"))
    return tmp_path


@pytest.fixture
def frames():
    portrait = skimage.data.astronaut()
    return np.stack([portrait, np.zeros_like(portrait), portrait[:, ::-1]])


def test_all_networks(real_networks, frames):
    suite = open_suite("open")
    assert suite.missing == {kind: f"suite 'open' has no {kind} network" for kind in NONE}
    assert set(suite.networks) == KINDS
    seen = suite.observe(frames)
    assert seen.landmarks.shape == (3, 68, 2)
    assert seen.pose.shape == (3, 3)
    assert seen.identity.shape == (3, 256)
    for feature in (seen.landmarks, seen.pose, seen.identity):
        assert np.isnan(feature[1]).all()
        assert np.isfinite(feature[[0, 2]]).all()
    assert seen.identity[0] @ seen.identity[2] > 0.6  # the same person, mirrored


def test_each_network_runs_once_and_only_when_asked(real_networks, frames, monkeypatch):
    suite = open_suite("open")
    calls = []
    parts = {
        "detect": suite.detector,
        "landmarks": suite.landmarker,
        "pose": suite.pose_estimator,
        "embed": suite.identifier,
    }
    for method, network in parts.items():
        run = getattr(network, method)
        monkeypatch.setattr(network, method, lambda *a, run=run, method=method: calls.append(method) or run(*a))
    seen = suite.observe(frames)
    assert calls == []
    first = seen.pose
    assert calls == ["detect", "pose"]
    assert seen.pose is first
    assert (seen.landmarks.shape, seen.landmarks.shape) == ((3, 68, 2),) * 2
    assert seen.identity is seen.identity
    assert len(seen.faces) == 3
    assert calls == ["detect", "pose", "landmarks", "embed"]


def test_named_suite_must_be_complete(no_weights):
    with pytest.raises(MissingPrerequisite, match=r"yunet_s_dynamic\.onnx is missing"):
        open_suite("open")


def test_a_suite_that_need_not_be_complete_takes_what_is_at_hand(no_weights, shared, frames):
    weights = shared / "data" / "weights"
    for name in ("yunet_s_dynamic.onnx", "face_landmark_68.onnx"):
        (no_weights / name).symlink_to(weights / name)
    suite = at_hand()
    assert set(suite.networks) == {"detector", "landmarks"}
    assert set(suite.missing) == {"pose", "identity"} | NONE
    assert "face-reidentification-retail-0095.xml is missing" in suite.missing["identity"]
    seen = suite.observe(frames)
    assert np.isfinite(seen.landmarks[0]).all()
    with pytest.raises(MissingPrerequisite) as caught:
        _ = seen.identity
    assert str(caught.value) == suite.missing["identity"]


def test_without_a_detector_nothing_can_be_seen(no_weights, shared, frames):
    (no_weights / "face_landmark_68.onnx").symlink_to(shared / "data" / "weights" / "face_landmark_68.onnx")
    suite = at_hand()
    assert suite.networks == {}
    assert set(suite.missing) == KINDS | NONE
    assert len({suite.missing[kind] for kind in KINDS}) == 1
    with pytest.raises(MissingPrerequisite, match="yunet_s_dynamic"):
        _ = suite.observe(frames).landmarks


def test_wrong_file_is_an_error_even_where_it_may_be_missing(no_weights):
    (no_weights / "yunet_s_dynamic.onnx").write_bytes(b"not it")
    with pytest.raises(UserError, match="is not the expected one"):
        at_hand()


def test_suite_without_a_kind(real_networks):
    partial = suites.Suite("mine", SuiteFile(description="two", detector="yunet", pose=None), strict=True)
    assert partial.missing["pose"] == "suite 'mine' has no pose network"


def test_names(tmp_path):
    assert "open" in suite_names()
    with pytest.raises(UserError, match="unknown suite 'opne': did you mean open"):
        open_suite("opne")
    with pytest.raises(UserError, match="unknown suite ''"):
        open_suite("")
    bad = tmp_path / "bad.toml"
    bad.write_text('description = "x"\ndetector = "yunet"\nlandmark = "y"\n')
    with pytest.raises(UserError, match=r"bad\.toml: landmark: "):
        read_suite(bad)


def test_metric_ids_carry_their_suite():
    assert metrics.get("akd").id_in("open") == "akd-open"
    assert replace(metrics.get("csim"), version=2).id_in("open") == "csim-open@2"
    assert replace(metrics.get("l1"), version=2).id_in("open") == "l1@2"
    assert metrics.get("csim").id_in("builtin") == "csim-builtin"
    assert [metrics.get(name).id_in("paper") for name in ("csim", "lp", "lp-vgg", "fd", "fvd", "l1")] == [
        "csim",
        "lpips-alex",
        "lpips-vgg",
        "fid",
        "fvd",
        "l1",
    ]
