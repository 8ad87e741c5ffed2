"""Models by name, the FOMM adapter, the calibration rows."""

import json
import sys
from importlib.metadata import EntryPoint, EntryPoints

import pytest
import torch

import baselines
from baselines.checkpoint import load_networks
from baselines.interface import Reenactor
from models.errors import InputError, UnknownName
from models.fomm import KeypointDetector, relative_keypoints


def frames(count, seed=0, size=32):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(UnknownName, match=r"unknown model 'source_copy': did you mean source-copy\?"):
        baselines.load("source_copy")
    with pytest.raises(UnknownName, match=r"unknown preset 'mnii': did you mean mini\?"):
        baselines.load("fomm", preset="mnii")
    assert {"fomm", "source-copy", "truth"} <= set(baselines.names())


def test_an_installed_package_adds_a_model_through_its_entry_point(monkeypatch, tmp_path):
    (tmp_path / "outside_model.py").write_text(
        "from baselines.calibration import Truth\n\n\nclass Echo(Truth):\n    name = 'echo'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    installed = EntryPoints([EntryPoint("echo", "outside_model:Echo", baselines.ENTRY_POINTS)])
    monkeypatch.setattr(baselines, "entry_points", lambda **wanted: installed.select(**wanted))
    assert "echo" in baselines.names()
    model = baselines.load("echo")
    assert model.spec.name == "echo"
    assert isinstance(model, Reenactor)
    sys.modules.pop("outside_model")


def test_calibration_rows():
    source, driving = frames(2), frames(3, seed=1)
    for name in ("source-copy", "truth"):
        model = baselines.load(name)
        assert isinstance(model, Reenactor)
        assert (model.spec.kind, model.spec.resolution) == ("calibration", None)
        out = model.reenact(model.encode_source(source, {}), driving, {}, relative_to=driving[:1])
        expected = driving if name == "truth" else source[:1].expand(3, -1, -1, -1)
        assert torch.equal(out, expected)
        with pytest.raises(ValueError, match="has no weights"):
            baselines.load(name, checkpoint="x")


def test_the_adapter_gives_what_the_networks_give(checkpoint):
    model = baselines.load("fomm", checkpoint=checkpoint)
    networks, _ = load_networks("fomm", "mini", checkpoint, "cpu", model.parts)
    source, driving = frames(1), frames(20, seed=1)
    found = model.reenact(model.encode_source(source, {}), driving, {})
    assert found.shape == driving.shape
    with torch.no_grad():
        kp_source = networks["kp_detector"](source)
        for t in (0, 17):
            kp_driving = networks["kp_detector"](driving[t : t + 1])
            expected = networks["generator"](source, kp_source=kp_source, kp_driving=kp_driving)["prediction"]
            torch.testing.assert_close(found[t : t + 1], expected, atol=1e-5, rtol=0)


def test_relative_motion(checkpoint):
    model = baselines.load("fomm", checkpoint=checkpoint)
    source, driving = frames(1), frames(3, seed=1)
    encoded = model.encode_source(source, {})
    found = model.reenact(encoded, driving, {}, relative_to=driving[:1])
    with torch.no_grad():
        keypoints = [model.kp_detector(image) for image in (source, driving[2:], driving[:1])]
        moved = relative_keypoints(*keypoints)
        expected = model.generator(source, kp_source=keypoints[0], kp_driving=moved)["prediction"]
    torch.testing.assert_close(found[2:], expected, atol=1e-5, rtol=0)
    still = model.reenact(encoded, source, {})
    torch.testing.assert_close(found[:1], still, atol=1e-4, rtol=0)  # the initial pose: the source as it is


def test_the_source_is_encoded_once(checkpoint, monkeypatch):
    model = baselines.load("fomm", checkpoint=checkpoint)
    images = []
    forward = KeypointDetector.forward
    monkeypatch.setattr(KeypointDetector, "forward", lambda self, x: images.append(len(x)) or forward(self, x))
    encoded = []
    first = model.generator.first.register_forward_hook(lambda *_: encoded.append(1))
    source = model.encode_source(frames(1), {})
    for seed in (1, 2):
        model.reenact(source, frames(5, seed), {})
    first.remove()
    assert images == [1, 5, 5]
    assert len(encoded) == 1


def test_the_spec_says_what_was_loaded(checkpoint):
    from curate.files import sha256_file

    spec = baselines.load("fomm", checkpoint=checkpoint.parent).spec  # a training folder will do
    assert (spec.name, spec.preset, spec.resolution, spec.kind) == ("fomm", "mini", 32, "model")
    assert spec.weights_sha256 == sha256_file(checkpoint)
    assert spec.checkpoint == "checkpoint.safetensors"
    assert spec.details == {"steps": 7}
    assert spec.parameters > 0
    json.dumps(spec.details)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(1, 3, 64, 64), r"images: expected shape \[any, 3, 32, 32\], got \[1, 3, 64, 64\]"),
        (torch.full((1, 3, 32, 32), 2.0), r"images: expected values in \[0, 1\], got 2 to 2"),
        (torch.full((1, 3, 32, 32), float("nan")), r"images: expected values in \[0, 1\], got nan to nan"),
        (torch.rand(0, 3, 32, 32), r"images: expected at least one image and one pixel, got float32 \[0, 3, 32, 32\]"),
        (torch.rand(2, 3, 32, 32), "images: expected at most 1 source image, which is what fomm uses, got 2"),
    ],
)
def test_wrong_source_images_are_named(checkpoint, images, message):
    model = baselines.load("fomm", checkpoint=checkpoint)
    with pytest.raises(InputError, match=message):
        model.encode_source(images, {})


@pytest.mark.parametrize(
    ("driving", "message"),
    [
        (torch.rand(2, 3, 64, 32), r"driving: expected shape \[any, 3, 32, 32\], got \[2, 3, 64, 32\]"),
        (torch.rand(0, 3, 32, 32), r"driving: expected at least one image and one pixel, got float32 \[0, 3, 32, 32\]"),
        (torch.full((1, 3, 32, 32), -0.1), r"driving: expected values in \[0, 1\], got -0.1 to -0.1"),
        (torch.full((1, 3, 32, 32), float("nan")), "driving: expected values in .* got nan"),
        (torch.zeros(1, 3, 32, 32, dtype=torch.uint8), r"driving: expected a floating tensor .*, got uint8"),
    ],
)
def test_wrong_driving_frames_are_named(checkpoint, driving, message):
    model = baselines.load("fomm", checkpoint=checkpoint)
    source = model.encode_source(frames(1), {})
    with pytest.raises(InputError, match=message):
        model.reenact(source, driving, {})
    with pytest.raises(InputError, match=r"relative_to: expected shape \[1, 3, 32, 32\], got \[2, 3, 32, 32\]"):
        model.reenact(source, frames(1), {}, relative_to=frames(2))


def test_an_absent_device_is_named(checkpoint):
    with pytest.raises(ValueError, match="device: expected"):
        baselines.load("fomm", checkpoint=checkpoint, device="gpu")
