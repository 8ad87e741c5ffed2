"""`bench train`: training with a progress bar, and what it needs from this package."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import baselines
from baselines import training
from baselines.training import Aids, Options, Stopped
from baselines.training.state import last_good
from baselines.training.trainer import REPORT
from bench.baseline_errors import baseline_errors
from bench.datasets import open_dataset
from bench.evaluators.suite import Observation, open_suite
from bench.judges import JUDGES
from curate.console import milestone, progress, say
from curate.errors import UserError, unknown
from curate.synth.named import cache

if TYPE_CHECKING:
    from baselines.training.extras import Maker

FEATURES = {"landmarks68": "landmarks", "pose": "pose", "mask": "mask"}  # extras -> what an evaluator calls them
TURNED = "landmarks3d"  # those of a mean head, turned as the evaluator sees it


class TrainingStopped(UserError):
    """Asked to end early, a training did."""

    exit_code = 1


def open_maker() -> Maker:
    """What gives extras to clips that bring no truth: the builtin evaluators, as when models are driven."""
    suite = open_suite()
    seen: list[Any] = [None, None]  # frames and their observation: several extras are asked of the same frames

    def make(name: str, frames: Any) -> Any:
        if seen[0] is None or seen[0].shape != frames.shape or (seen[0] != frames).any():
            seen[:] = [frames, Observation(suite, frames)]
        return mean_head(seen[1].pose) if name == TURNED else getattr(seen[1], FEATURES[name])

    return make


def mean_head(angles: NDArray[np.float32]) -> NDArray[np.float32]:
    """The 68 landmarks [T, 68, 3] of a mean head at rest, in mm from its centre, turned by angles [T, 3] (degrees)."""
    import torch

    from baselines.head_model import synthetic
    from models.pose import rotation

    head = synthetic()
    points = head.mean[head.landmarks.long()]
    turned = (points - points.mean(0)) @ rotation(torch.as_tensor(angles, dtype=torch.float32), "camera").mT
    return np.asarray(turned, np.float32)


def train_with_progress(model: str, dataset: str | Path, out: Path, options: Options) -> Path:
    """Train and give the checkpoint's path. Raises `UserError`, or `MissingPrerequisite` for absent weights.

    `dataset` is a folder or the name of one that is made at first use; its test split is left out. Frames at the
    model's size are kept in the user's cache folder, unless `options` name another.
    """
    if model not in baselines.names():
        raise unknown("model", model, baselines.names())
    root = open_dataset(dataset).root
    options = replace(options, cache=options.cache or cache() / "training")
    with progress() as bar, baseline_errors():
        item = bar.add_task(f"train {model}", total=options.steps, note="")

        def show(step: int, total: int, losses: dict[str, float]) -> None:
            loss = f"loss {sum(losses.values()):.3f}"
            bar.update(item, total=total, completed=step, note=loss)
            if milestone(step, total):
                say(f"step {step} of {total}: {loss}")

        try:
            path = training.train(model, root, out, options, aids=aids(), on_step=show)
        except Stopped as stopped:
            raise TrainingStopped(str(stopped)) from stopped
        except OSError:
            say(last_good(out))
            raise
    told = json.loads((out / REPORT).read_text(encoding="utf-8"))
    if told["seconds"]:
        say(
            f"{told['steps']} steps in {told['seconds']:.0f} s, {told['steps_per_second']} a second; "
            f"waited for frames {told['data_wait_share']:.1%} of that"
        )
    return path


def aids() -> Aids:
    """What training takes from this package."""
    return Aids(JUDGES, open_maker)


def describe(model: str, dataset: str | Path, options: Options) -> dict[str, Any]:
    """What `train_with_progress` would do: data, recipe, sizes, and the time of a step from a few real ones."""
    if model not in baselines.names():
        raise unknown("model", model, baselines.names())
    opened = open_dataset(dataset)
    with baseline_errors():
        plan = training.plan(model, opened.root, options.cache or cache() / "training", options, aids=aids())
    recipe, first = plan.recipe, plan.first
    before: list[str] = []
    while first:
        before.insert(0, f"{first.recipe.name}, {first.steps} steps of {first.seconds_per_step:.3f} s")
        first = first.first
    return {
        "model": model,
        "recipe": recipe.name,
        **({"before it": "; ".join(before)} if before else {}),
        "dataset": f"{opened.name}: {plan.clips} clips, {plan.frames} frames to train on",
        "resolution": recipe.resolution,
        "batch": plan.batch,
        "steps": plan.steps,
        "losses": ", ".join(f"{name} {value:g}" for name, value in recipe.weights.items()),
        "parameters": ", ".join(f"{name} {count:,}" for name, count in plan.parameters.items()),
        "seconds per step": round(plan.seconds_per_step, 3),
        "hours": round(plan.seconds / 3600, 2),
    }
