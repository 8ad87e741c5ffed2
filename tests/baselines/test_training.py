"""Training: it learns, it can be killed, and it stops where it must."""

import json

import pytest
import torch

import baselines.fomm
from baselines import training
from baselines.checkpoint import BadCheckpoint
from baselines.training import LOG, STATE, TrainingError, load_frames, train
from models.errors import UnknownName


@pytest.fixture(autouse=True)
def _one_thread(tiny):
    torch.set_num_threads(1)


def losses(out):
    return [json.loads(line) for line in (out / LOG).read_text().splitlines()]


def test_the_loss_falls_and_the_checkpoint_loads(dataset, tmp_path):
    seen = []
    path = train("fomm", dataset, tmp_path, steps=40, batch=4, on_step=lambda *call: seen.append(call))
    log = losses(tmp_path)
    assert [line["step"] for line in log] == list(range(1, 41))
    pixels = [line["pixels"] for line in log]
    assert sum(pixels[-5:]) < 0.8 * sum(pixels[:5])
    assert seen[-1][:2] == (40, 40)
    assert set(seen[0][2]) == {"pixels", "gradients", "equivariance_value", "equivariance_jacobian"}
    model = baselines.load("fomm", checkpoint=path)
    assert model.spec.details == {"steps": 40}


@pytest.mark.parametrize("killed_at", [3, 5])
def test_a_killed_run_goes_on_bit_for_bit(dataset, tmp_path, monkeypatch, killed_at):
    monkeypatch.setattr(training, "SAVE_EVERY", 2)
    whole = train("fomm", dataset, tmp_path / "whole", steps=6, batch=2, seed=3)

    def kill(step, steps, told):
        if step == killed_at:
            raise KeyboardInterrupt

    out = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        train("fomm", dataset, out, steps=6, batch=2, seed=3, on_step=kill)
    with pytest.raises(TrainingError, match="holds an earlier run"):
        train("fomm", dataset, out, steps=6, batch=2, seed=3)
    again = train("fomm", dataset, out, steps=6, batch=2, seed=3, resume=True)
    assert again.read_bytes() == whole.read_bytes()
    assert losses(out) == losses(tmp_path / "whole")
    assert not list(out.glob(".partial-*"))


def test_resume_begins_where_nothing_is_stored_and_refuses_another_run(dataset, tmp_path):
    train("fomm", dataset, tmp_path, steps=1, batch=2, resume=True)
    with pytest.raises(TrainingError, match="holds another run: seed 0, not 1"):
        train("fomm", dataset, tmp_path, steps=1, batch=2, seed=1, resume=True)
    (tmp_path / STATE).write_bytes(b"half a file")
    with pytest.raises(BadCheckpoint, match=STATE):
        train("fomm", dataset, tmp_path, steps=1, batch=2, resume=True)


def test_a_loss_that_is_not_finite_stops_the_run(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SAVE_EVERY", 2)
    step, count = baselines.fomm.training_step, 0

    def diverges(*arguments):
        nonlocal count
        count += 1
        found = step(*arguments)
        return {**found, "pixels": found["pixels"] * float("nan")} if count == 4 else found

    monkeypatch.setattr(baselines.fomm, "training_step", diverges)
    with pytest.raises(
        TrainingError, match=f"step 4: the loss is not finite.*last good networks are those of step 2 in .*{STATE}"
    ):
        train("fomm", dataset, tmp_path, steps=6, batch=2)
    assert torch.load(tmp_path / STATE, weights_only=True)["step"] == 2


def test_what_cannot_be_trained_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(TrainingError, match="truth has nothing to train"):
        train("truth", tmp_path, tmp_path / "out")
    with pytest.raises(TrainingError, match="at least one step and one pair a step, got steps 0, batch 4"):
        train("fomm", tmp_path, tmp_path / "out", steps=0)
    with pytest.raises(UnknownName, match=r"preset 'papr': did you mean paper\?"):
        train("fomm", tmp_path, tmp_path / "out", preset="papr")
    assert not (tmp_path / "out").exists()


def test_frames_leave_out_the_test_split_and_stay_within_the_memory(dataset):
    frames = load_frames(dataset, 32)
    assert frames.pixels.shape == (20, 3, 32, 32)
    assert frames.starts.tolist() == [0, 10, 20]
    thinned = load_frames(dataset, 32, memory=8 * 3 * 32 * 32)
    assert torch.equal(thinned.pixels[:4], frames.pixels[[0, 2, 5, 7]])


def test_pairs_are_two_frames_of_one_clip(dataset):
    frames = load_frames(dataset, 32)
    source, driving = frames.pairs(64, torch.Generator().manual_seed(0))
    known = frames.pixels.float() / 255
    for a, b in zip(source, driving, strict=True):
        found = []
        for image in (a, b):
            difference = torch.minimum(
                (known - image).abs().amax((1, 2, 3)), (known.flip(-1) - image).abs().amax((1, 2, 3))
            )
            assert difference.min() == 0
            found.append(int(difference.argmin()))
        assert found[0] != found[1]
        assert found[0] // 10 == found[1] // 10
