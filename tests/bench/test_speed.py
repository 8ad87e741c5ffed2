"""`bench speed`: what is counted is right, what is said is what was measured."""

import json

import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner

import baselines
from bench.cli import main
from bench.speed import Request, measure, speed
from curate.errors import MissingPrerequisite, UserError


@pytest.fixture
def macs(monkeypatch):
    """Multiply-accumulates of all 2D convolutions so far, counted from their sizes."""
    counted = [0]
    convolve = F.conv2d

    def count(x, weight, *args, **kwargs):
        out = convolve(x, weight, *args, **kwargs)
        counted[0] += out.numel() * weight[0].numel()
        return out

    monkeypatch.setattr(F, "conv2d", count)
    return counted


def test_work_is_counted_as_it_is_done(macs):
    found = measure(Request("fomm", batch=2, repeats=1))
    model = baselines.load("fomm")
    images = torch.rand(3, 3, 128, 128)
    macs[0] = 0
    source = model.encode_source(images[:1], {})
    assert found["gmac_source"] == round(macs[0] / 1e9, 3)
    macs[0] = 0
    model.reenact(source, images[1:], {})
    assert found["gmac_per_frame"] == round(macs[0] / 2e9, 3)
    assert found["parameters"] == model.spec.parameters
    assert found["weights"] == "fomm-mini.safetensors"
    assert found["weights_sha256"] == model.spec.weights_sha256


def test_times_are_of_one_frame_and_leave_warming_up_out(monkeypatch):
    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    clock = Clock()
    took = iter([50.0, 50.0, 1.0, 2.0, 9.0])  # two warm-up calls, then three

    def reenact(self, source, driving, extras, *, relative_to=None):
        clock.now += next(took)
        return driving

    model = type(baselines.load("truth"))
    monkeypatch.setattr(model, "reenact", lambda self, source, driving, extras: driving)
    monkeypatch.setattr("time.perf_counter", clock)
    monkeypatch.setattr("bench.speed._gmac", lambda *_: None)
    monkeypatch.setattr(model, "reenact", reenact)
    found = measure(Request("truth", batch=4, repeats=3))
    assert found["ms_per_frame"] == {"median": 500.0, "min": 250.0, "max": 2250.0}
    assert found["frames_per_second"] == 2.0
    assert found["ms_encode_source"]["max"] == 0


def test_the_command_says_what_was_measured_and_keeps_a_record(tmp_path):
    out = tmp_path / "speed.json"
    arguments = ["speed", "--model", "fomm-l", "--repeats", "3", "--out", str(out)]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    record = json.loads(out.read_text())
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert said["weights"] == record["weights"] == "random"
    assert said["parameters"] == f"{record['parameters']:,}"
    times = record["ms_per_frame"]
    assert 0 < times["min"] <= times["median"] <= times["max"]
    assert said["ms per driving frame"] == f"{times['median']:g} ({times['min']:g} to {times['max']:g}, 3 calls)"
    assert f"torch {torch.__version__}" in said["device"]
    assert 100 < record["peak_memory_mb"] < 3000


def test_models_are_given_what_they_need_and_precision_is_passed_on():
    found = measure(Request("marionette", precision="bf16", repeats=1))
    assert (found["model"], found["precision"], found["resolution"]) == ("marionette", "bf16", 128)


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        (Request("fom"), UserError, "unknown model 'fom'"),
        (Request("fomm", preset="big"), UserError, "unknown preset 'big'"),
        (Request("fomm", checkpoint="nowhere.safetensors"), MissingPrerequisite, "nowhere.safetensors does not exist"),
        (Request("truth", precision="bf16"), UserError, "precision bf16: truth has no networks"),
    ],
)
def test_what_cannot_be_measured_is_told(request_, error, message):
    with pytest.raises(error, match=message):
        (measure if request_.model in baselines.names() else speed)(request_)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_an_absent_device_is_named():
    with pytest.raises(MissingPrerequisite, match="there is no CUDA device here"):
        measure(Request("fomm", device="cuda"))
