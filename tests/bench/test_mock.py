"""`bench mock`: each fault that a model can have is told in words, and a good model has none."""

import json
import time

import pytest
import torch
from click.testing import CliRunner

from baselines.interface import ModelSpec, Source
from bench.cli import main
from bench.mock import mock
from curate.errors import UserError


class Good:
    """Moves the source a little by the brightness of each driving frame."""

    spec = ModelSpec("good", "mini", 32, capabilities=("relative", "redirect"))

    def __init__(self, preset="mini", checkpoint=None, device="cpu"):
        self.calls = 0

    def encode_source(self, images, extras):
        return Source(images)

    def reenact(self, source, driving, extras, *, relative_to=None):
        return (source.images[:1] * driving.mean(dim=(1, 2, 3), keepdim=True)).clamp(0, 1)

    def redirect(self, source, yaw, pitch, roll):
        return source.images[:1].expand(len(yaw), -1, -1, -1)


class NoSpec(Good):
    spec = None


class Needs(Good):
    spec = ModelSpec("x", "mini", 32, needs=("depth",))


class UndeclaredNeed(Good):
    spec = ModelSpec("x", "mini", 32)

    def reenact(self, source, driving, extras, *, relative_to=None):
        return driving * extras["mask"]


class UndeclaredCapability(Good):
    spec = ModelSpec("x", "mini", 32)


class NoMethod(Good):
    spec = ModelSpec("x", "mini", 32, capabilities=("codec",))


class Wrong(Good):
    """Its output goes through `spoil`."""

    def reenact(self, source, driving, extras, *, relative_to=None):
        return self.spoil(super().reenact(source, driving, extras), driving)


class Shape(Wrong):
    spoil = staticmethod(lambda out, driving: out.permute(0, 2, 3, 1))


class Size(Wrong):
    spoil = staticmethod(lambda out, driving: out[..., ::2, ::2])


class Half(Wrong):
    spoil = staticmethod(lambda out, driving: out.half())


class NumpyGiven(Wrong):
    spoil = staticmethod(lambda out, driving: out.numpy())


class NaN(Wrong):
    spoil = staticmethod(lambda out, driving: out / 0 * 0)


class Signed(Wrong):
    spoil = staticmethod(lambda out, driving: out * 2 - 1)


class Bytes(Wrong):
    spoil = staticmethod(lambda out, driving: out * 255)


class Over(Wrong):
    spoil = staticmethod(lambda out, driving: out + 0.7)


class Raises(Wrong):
    def spoil(self, out, driving):
        raise ValueError("no such keypoint\nand more")


class InPlace(Wrong):
    spoil = staticmethod(lambda out, driving: (driving.mul_(0.5), out)[1])


class Batches(Wrong):
    spoil = staticmethod(lambda out, driving: out * driving.mean())


class Random(Wrong):
    def spoil(self, out, driving):
        self.calls += 1
        return out * (0.5 + 0.1 * (self.calls % 5))


class Leaks(Good):
    def encode_source(self, images, extras):
        self.kept = images
        return Source(images)

    def reenact(self, source, driving, extras, *, relative_to=None):
        return super().reenact(Source(self.kept), driving, extras)


class NotRelative(Good):
    def reenact(self, source, driving, extras):
        return super().reenact(source, driving, extras)


class Slow(Good):
    def encode_source(self, images, extras):
        time.sleep(0.05)
        return Source(images)


def look(kind: type) -> dict[str, tuple[str, str]]:
    return {finding.what: (finding.level, finding.why) for finding in mock(f"{__name__}:{kind.__name__}")}


def test_a_good_model_has_no_fault():
    found = look(Good)
    assert {level for level, _ in found.values()} == {"ok"}
    assert set(found) == {
        "specification",
        "encode_source",
        "frames",
        "determinism",
        "batches",
        "state between pairs",
        "capability relative",
        "capability redirect",
    }


@pytest.mark.parametrize(
    ("kind", "what", "level", "why"),
    [
        (NoSpec, "specification", "wrong", "must be a baselines.interface.ModelSpec, is nothing"),
        (Needs, "needs", "wrong", "needs 'depth' of every frame, and bench gives only: landmarks68, mask"),
        (UndeclaredNeed, "reenact", "wrong", "it must declare it: needs=('mask',)"),
        (UndeclaredCapability, "capabilities", "warning", "has redirect but does not declare 'redirect'"),
        (NoMethod, "capabilities", "wrong", "can do 'codec', and has no method encode_motion"),
        (Shape, "shape", "wrong", "[4, 32, 32, 3] for driving frames [4, 3, 32, 32]; channels come second"),
        (Size, "output size", "wrong", "frames of [16, 16] pixels for driving frames of [32, 32]"),
        (Half, "dtype", "wrong", "torch.float16"),
        (NumpyGiven, "frames", "wrong", "it gives a ndarray"),
        (NaN, "values", "wrong", "NaN"),
        (Signed, "range", "wrong", "as of [-1, 1]"),
        (Bytes, "range", "wrong", "as of [0, 255]"),
        (Over, "range", "warning", "are cut to [0, 1]"),
        (Raises, "reenact", "wrong", "reenact raised ValueError: no such keypoint"),
        (InPlace, "inputs", "wrong", "changes the driving frames"),
        (Batches, "batches", "warning", "change when they are driven one by one"),
        (Random, "determinism", "wrong", "the same call with the same seed gives other frames"),
        (Leaks, "state between pairs", "wrong", "keep all that belongs to a source in Source"),
        (NotRelative, "reenact with relative_to", "wrong", "unexpected keyword argument 'relative_to'"),
        (Slow, "encode_source", "warning", "is slow"),
    ],
)
def test_each_fault_is_told_in_words(kind, what, level, why, monkeypatch):
    monkeypatch.setattr("bench.mock.SLOW_ENCODE_S", 0.04)
    found = look(kind)
    assert found[what][0] == level
    assert why in found[what][1]
    assert "\n" not in found[what][1]


def test_models_that_are_not_there():
    for name, message in (("fom", "did you mean fomm"), ("no.module:X", "cannot be loaded"), ("json:X", "cannot be")):
        with pytest.raises(UserError, match=message):
            mock(name)


def test_the_command_says_it_and_gives_a_code():
    done = CliRunner().invoke(main, ["mock", "--model", f"{__name__}:Shape"])
    assert done.exit_code == 1
    assert "wrong   shape: [4, 32, 32, 3]" in done.stdout
    good = CliRunner().invoke(main, ["mock", "--model", f"{__name__}:Good", "--json"])
    assert good.exit_code == 0
    assert json.loads(good.stdout)[0] == {"level": "ok", "what": "specification", "why": "good, resolution 32"}


def test_models_that_need_extras_get_ones_that_fit():
    seen = {}

    class Needy(Good):
        spec = ModelSpec("x", "mini", 48, needs=("landmarks68", "mask"), shots=3, capabilities=("redirect",))

        def reenact(self, source, driving, extras, *, relative_to=None):
            seen.update({name: value.shape for name, value in extras.items()})
            assert 0 <= extras["landmarks68"].min() <= extras["landmarks68"].max() < 48
            assert len(source.images) == 3
            return driving

    globals()["Needy"] = Needy
    assert {level for level, _ in look(Needy).values()} == {"ok"}
    assert set(map(tuple, seen.values())) == {(1, 68, 2), (1, 1, 48, 48)} or seen["mask"] == torch.Size((4, 1, 48, 48))


def test_a_model_that_follows_no_frames_is_asked_for_what_it_can_do(monkeypatch):
    class Turner(Good):
        spec = ModelSpec("turner", "mini", 32, capabilities=("redirect",), follows=False)

        def reenact(self, source, driving, extras, *, relative_to=None):
            raise AssertionError

    monkeypatch.setattr("tests.bench.test_mock.Good", Turner)
    found = mock("tests.bench.test_mock:Good")
    assert [(finding.level, finding.what) for finding in found][1:] == [
        ("ok", "encode_source"),
        ("ok", "capability redirect"),
    ]
