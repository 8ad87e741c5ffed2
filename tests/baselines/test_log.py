"""Logs: JSON lines always, TensorBoard and wandb where they are installed."""

import json
from types import SimpleNamespace

import pytest

from baselines.training import TrainingError, log
from baselines.training.log import LOG, Log


class Fake:
    """Stands for both packages, and remembers what it is given."""

    def __init__(self):
        self.calls = []

    def find(self, name):
        return name if name in ("tensorboard", "wandb") else None

    def load(self, name):
        made = SimpleNamespace(
            add_scalar=lambda *call: self.calls.append(call),
            log=lambda values, step: self.calls.append((step, values)),
            close=lambda: self.calls.append("closed"),
            finish=lambda: self.calls.append("finished"),
        )

        def start(*given, **named):
            self.calls.append((name, given, named))
            return made

        return SimpleNamespace(SummaryWriter=start, init=start)


def lines(out):
    return [json.loads(line) for line in (out / LOG).read_text().splitlines()]


def test_a_run_that_goes_on_drops_what_came_after_its_last_stored_step(tmp_path):
    with Log(tmp_path, 0, run={}) as first:
        for step in (1, 2, 3):
            first.write(step, {"loss": step / 2})
    with Log(tmp_path, 2, run={}) as second:
        second.write(3, {"loss": 7.0})
    assert lines(tmp_path) == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 1.0}, {"step": 3, "loss": 7.0}]
    with Log(None, 0, run={}) as none:
        none.write(1, {"loss": 1.0})
    with Log(tmp_path, 0, run={}):
        pass
    assert lines(tmp_path) == []


def test_the_others_are_told_the_same(tmp_path, monkeypatch):
    fake = Fake()
    monkeypatch.setattr(log, "find_spec", fake.find)
    monkeypatch.setattr(log, "import_module", fake.load)
    with Log(tmp_path, 4, wandb=True, run={"seed": 3}) as both:
        both.write(5, {"loss": 0.5})
    assert fake.calls == [
        ("torch.utils.tensorboard", (str(tmp_path / "tensorboard"),), {"purge_step": 5}),
        ("wandb", (), {"dir": str(tmp_path), "config": {"seed": 3}, "resume": "allow"}),
        ("loss", 0.5, 5),
        (5, {"loss": 0.5}),
        "closed",
        "finished",
    ]


def test_wandb_that_is_asked_for_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setattr(log, "find_spec", lambda name: None)
    with pytest.raises(TrainingError, match="wandb is asked for and not installed"):
        Log(tmp_path, 0, wandb=True, run={})
