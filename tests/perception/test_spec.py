"""Specs: what ships is sound, what is wrong is named by file and key."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import UserError
from curate.perception import detector_names, load_landmarker, network_names, spec
from curate.perception.spec import KINDS, SHIPPED, IdentitySpec, Input, LandmarkSpec, load_spec, read_spec

SPECS = sorted(SHIPPED.glob("*.toml"))

GOOD = """
kind = "landmarks"
runtime = "onnx"
licence = "MIT"
source = "made here"
files.model = { name = "a.onnx", sha256 = "%s" }
input = { width = 8, height = 8 }
alignment = { method = "square" }
output = { name = "points" }
""" % ("0" * 64)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_shipped_specs_are_valid(path):
    read = read_spec(path)
    assert read.name == path.stem
    assert read.info.licence in ("MIT", "Apache-2.0")
    assert len(read.info.sha256) == 64


def test_every_kind_ships():
    assert {read_spec(path).kind for path in SPECS} == set(KINDS)
    assert "face-landmark-68" in network_names("landmarks")
    assert {"mtcnn", "yunet"} <= set(detector_names())


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (('kind = "landmarks"', 'kind = "landmark"'), "kind"),
        (('runtime = "onnx"', 'runtime = "tensorrt"'), "runtime"),
        (("width = 8", "width = 0"), "input.width"),
        (("height = 8", "height = 8, color = 'RGB'"), "input.color"),
        (('"square"', '"square", scale = -1.0'), "alignment.scale"),
        (('"square"', '"circle"'), "alignment"),
        (('"square"', '"similarity", template = [[0.1, 0.2]]'), "alignment.template"),
        (('"points"', '"points", unit = "metres"'), "output.unit"),
        (('licence = "MIT"', ""), "licence"),
        (("a.onnx", "../a.onnx"), "files.model.name"),
        (("0" * 64, "0" * 63), "files.model.sha256"),
        (('licence = "MIT"', 'licence = "MIT"\nname = "other"'), "name"),
        (("height = 8", "height = 8, std = [1.0, 0.0, 1.0]"), "input.std"),
    ],
)
def test_error_names_file_and_key(tmp_path, change, key):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    read_spec(path)  # what is changed is what is wrong
    assert change[0] in GOOD
    path.write_text(GOOD.replace(*change))
    with pytest.raises(UserError) as caught:
        read_spec(path)
    assert str(caught.value).startswith(f"{path}: {key}: ")
    assert "\n" not in str(caught.value)


def test_no_toml(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("kind = ")
    with pytest.raises(UserError, match=r"mine\.toml is no TOML file"):
        read_spec(path)


def test_names_are_suggested():
    with pytest.raises(UserError, match=r"unknown network 'face-landmarks-68': did you mean face-landmark-68"):
        load_landmarker("face-landmarks-68")


def test_kind_must_fit():
    with pytest.raises(UserError, match=r"'yunet' is of kind detector, not identity \(one of: .*retail-0095"):
        load_spec("yunet", IdentitySpec)


def test_user_specs_are_found_and_may_not_hide_others(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path))
    (tmp_path / "mine.toml").write_text(GOOD)
    assert load_spec("mine", LandmarkSpec).input.width == 8
    assert "mine" in network_names("landmarks")
    (tmp_path / "yunet.toml").write_text(GOOD)
    with pytest.raises(UserError, match="two networks are named 'yunet'"):
        spec.spec_files()


@given(
    st.integers(1, 4096),
    st.sampled_from(["RGB", "BGR"]),
    st.floats(0.001, 1000),
    st.tuples(*[st.floats(-300, 300)] * 3),
)
def test_input_round_trips_through_toml(size, colour, value_range, mean):
    text = f'width = {size}\nheight = {size}\ncolour = "{colour}"\nrange = {value_range!r}\nmean = {list(mean)!r}'
    read = Input.model_validate(tomllib.loads(text.replace("e-", "E-")))
    assert (read.width, read.colour, read.range, read.mean) == (size, colour, value_range, mean)
