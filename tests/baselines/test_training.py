"""Training: it learns, it can be killed, and it stops where it must."""

import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import baselines
import baselines.objectives.fomm
from baselines.checkpoint import BadCheckpoint
from baselines.training import Options, TrainingError, plan, read_recipe, train
from baselines.training.log import LOG
from baselines.training.state import STATE
from baselines.training.strip import png
from models.errors import UnknownName

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _one_thread(tiny):
    torch.set_num_threads(1)


def losses(out):
    lines = [json.loads(line) for line in (out / LOG).read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("seconds", "waited")} for line in lines]


def test_the_loss_falls_and_the_checkpoint_loads(dataset, tmp_path, recipe):
    seen = []
    options = Options(recipe=recipe, steps=40, batch=4, strip_every=20)
    path = train("fomm", dataset, tmp_path / "out", options, on_step=lambda *call: seen.append(call))
    log = losses(tmp_path / "out")
    assert [line["step"] for line in log] == list(range(1, 41))
    pixels = [line["pixels"] for line in log]
    assert sum(pixels[-5:]) < 0.8 * sum(pixels[:5])
    assert seen[-1][:2] == (40, 40)
    assert set(seen[0][2]) == {"pixels", "gradients", "equivariance_value", "equivariance_jacobian"}
    model = baselines.load("fomm", checkpoint=path)
    assert model.spec.details["steps"] == 40
    told = json.loads((tmp_path / "out" / "training.json").read_text())
    assert (told["clips"], told["clip_frames"], told["steps"], told["batch"]) == (2, 20, 40, 4)
    assert 0 <= told["data_wait_share"] < 1
    assert sorted(path.name for path in (tmp_path / "out" / "samples").iterdir()) == ["0000020.png", "0000040.png"]


@pytest.mark.parametrize("killed_at", [3, 5])
def test_an_interrupted_run_goes_on_bit_for_bit(dataset, tmp_path, recipe, killed_at):
    options = Options(recipe=recipe, steps=6, batch=2, seed=3, save_every=2)
    whole = train("fomm", dataset, tmp_path / "whole", options)

    def kill(step, steps, told):
        if step == killed_at:
            raise KeyboardInterrupt

    out = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        train("fomm", dataset, out, options, on_step=kill)
    with pytest.raises(TrainingError, match="holds an earlier run"):
        train("fomm", dataset, out, options)
    again = train("fomm", dataset, out, Options(recipe=recipe, steps=6, batch=2, seed=3, resume=True, workers=1))
    assert again.read_bytes() == whole.read_bytes()
    assert losses(out) == losses(tmp_path / "whole")
    assert not list(out.rglob(".partial-*"))


def test_resume_begins_where_nothing_is_stored_and_refuses_another_run(dataset, tmp_path, recipe):
    train("fomm", dataset, tmp_path, Options(recipe=recipe, steps=1, batch=2, resume=True))
    with pytest.raises(TrainingError, match="holds another run: seed 0, not 1"):
        train("fomm", dataset, tmp_path, Options(recipe=recipe, steps=1, batch=2, seed=1, resume=True))
    (tmp_path / STATE).write_bytes(b"half a file")
    with pytest.raises(BadCheckpoint, match=STATE):
        train("fomm", dataset, tmp_path, Options(recipe=recipe, steps=1, batch=2, resume=True))


@pytest.mark.parametrize("of", ["loss", "gradient"])
def test_what_is_not_finite_stops_the_run(dataset, tmp_path, recipe, monkeypatch, of):
    objective, count = baselines.objectives.fomm.generator_losses, 0

    def diverges(networks, *arguments):
        nonlocal count
        count += 1
        found, outputs = objective(networks, *arguments)
        if count == 4:
            weight = networks["kp_detector"].kp.bias
            found["pixels"] = found["pixels"] * float("nan") if of == "loss" else ((weight - weight).abs() ** 0.5).sum()
        return found, outputs

    monkeypatch.setattr(baselines.objectives.fomm, "generator_losses", diverges)
    named = "the loss" if of == "loss" else "a gradient"
    with pytest.raises(
        TrainingError, match=f"step 4: {named} is not finite.*last good networks are those of step 2 in .*{STATE}"
    ):
        train("fomm", dataset, tmp_path, Options(recipe=recipe, steps=6, batch=2, save_every=2))
    state = torch.load(tmp_path / STATE, weights_only=True)
    assert state["progress"]["step"] == 2
    assert all(tensor.isfinite().all() for tensor in state["networks"]["kp_detector"].values())


def test_what_cannot_be_trained_is_said_before_anything_is_written(tmp_path, recipe):
    out = tmp_path / "out"
    with pytest.raises(TrainingError, match="truth has nothing to train"):
        train("truth", tmp_path, out)
    with pytest.raises(TrainingError, match="at least one step and one row a step, got steps 0, batch 4"):
        train("fomm", tmp_path, out, Options(recipe=recipe, steps=0))
    with pytest.raises(TrainingError, match="a batch of 4 cannot be computed in 3 equal parts"):
        train("fomm", tmp_path, out, Options(recipe=recipe, accumulate=3))
    with pytest.raises(UnknownName, match=r"preset 'papr': did you mean paper\?"):
        train("fomm", tmp_path, out, Options(preset="papr"))
    with pytest.raises(UnknownName, match=r"recipe 'fomm-mni': did you mean fomm-mini"):
        train("fomm", tmp_path, out, Options(recipe="fomm-mni"))
    assert not out.exists()


def test_a_plan_tells_sizes_and_time_and_writes_nothing(dataset, tmp_path, recipe):
    found = plan("fomm", dataset, tmp_path / "cache", Options(recipe=recipe))
    assert (found.clips, found.frames, found.batch, found.steps) == (2, 20, 4, read_recipe(recipe).steps)
    assert set(found.parameters) == {"generator", "kp_detector"}
    assert found.seconds_per_step > 0
    assert not (tmp_path / "cache").exists()


SCRIPT = """
import sys, torch
import baselines.fomm, models.fomm
from pathlib import Path
from baselines.training import Options, Stopped, train
torch.set_num_threads(1)
dataset, out, recipe, resume = sys.argv[1:]
options = Options(recipe=recipe, steps=12, batch=2, seed=5, save_every=3, resume=resume == "resume")
try:
    train("fomm", Path(dataset), Path(out), options, on_step=lambda step, *_: print(step, flush=True))
except Stopped as stopped:
    sys.exit(str(stopped))
"""


def run(dataset, out, recipe, resume, until=None, kill=None):
    """A training in a process of its own; `kill`: the signal it gets after step `until`."""
    command = [sys.executable, "-c", SCRIPT, str(dataset), str(out), str(recipe), resume]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if until is not None and int(line) == until:
            os.kill(process.pid, kill)
            break
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


def test_a_killed_process_goes_on_bit_for_bit(dataset, tmp_path, recipe):
    options = Options(recipe=recipe, steps=12, batch=2, seed=5, save_every=3)
    whole = train("fomm", dataset, tmp_path / "whole", options)
    out = tmp_path / "killed"
    assert run(dataset, out, recipe, "new", until=5, kill=signal.SIGKILL)[0] == -signal.SIGKILL
    assert not (out / "checkpoint.safetensors").exists()
    code, errors = run(dataset, out, recipe, "resume", until=8, kill=signal.SIGTERM)
    assert code == 1
    assert "go on with --resume" in errors
    assert 8 <= torch.load(out / STATE, weights_only=True)["progress"]["step"] < 12
    assert train("fomm", dataset, out, replace(options, resume=True)).read_bytes() == whole.read_bytes()
    assert losses(out) == losses(tmp_path / "whole")


def test_a_png_is_what_a_decoder_reads():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    with Image.open(io.BytesIO(png(pixels))) as image:
        assert np.array_equal(np.asarray(image), pixels)
