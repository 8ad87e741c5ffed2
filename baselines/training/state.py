"""An unfinished run on the disk: all that its next step depends on."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from baselines.checkpoint import BadCheckpoint, write_whole
from baselines.training.errors import TrainingError
from baselines.training.learner import Learner

STATE = "state.pt"


@dataclass
class Progress:
    """How far a run is, and what it took. Random numbers are drawn from seed and step, so the step is their state."""

    step: int = 0
    seconds: float = 0.0
    waited: float = 0.0  # of the seconds: for frames


def store(out: Path, run: Mapping[str, Any], progress: Progress, learner: Learner) -> None:
    """Write OUT/state.pt, atomically."""
    state = {
        "run": dict(run),
        "progress": asdict(progress),
        "networks": {name: learner.networks[name].state_dict() for name in _learning(learner)},
        "average": {name: network.state_dict() for name, network in learner.average.items()},
        "optimisers": {name: optimiser.state_dict() for name, optimiser in learner.optimisers.items()},
        "scaler": learner.scaler.state_dict(),
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_whole(out / STATE, buffer.getvalue())


def restore(out: Path, run: Mapping[str, Any], learner: Learner) -> Progress:
    """Put the stored run back; a fresh `Progress` where nothing is stored.

    Raises `TrainingError` if it is a run with other settings, `BadCheckpoint` if the file is something else.
    """
    path = out / STATE
    if not path.is_file():
        return Progress()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        different = [key for key, value in run.items() if state["run"].get(key) != value]
        if different:
            raise TrainingError(
                f"{out} holds another run: "
                + ", ".join(f"{key} {state['run'].get(key)}, not {run[key]}" for key in different)
            )
        for name in _learning(learner):
            learner.networks[name].load_state_dict(state["networks"][name])
        for name, network in learner.average.items():
            network.load_state_dict(state["average"][name])
        for name, optimiser in learner.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        learner.scaler.load_state_dict(state["scaler"])
        return Progress(**state["progress"])
    except (RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise BadCheckpoint(f"{path} is no state of this model's training: {error}") from error


def last_good(out: Path) -> str:
    """Where the last networks are that are known to be sound."""
    if (out / STATE).is_file():
        step = torch.load(out / STATE, map_location="cpu", weights_only=True)["progress"]["step"]
        return f"the last good networks are those of step {step} in {out / STATE}"
    return "no networks were stored yet"


def _learning(learner: Learner) -> tuple[str, ...]:
    return (*learner.recipe.parts, *learner.recipe.discriminators)
