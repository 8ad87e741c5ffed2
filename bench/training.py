"""`bench train`: training with a progress bar."""

from __future__ import annotations

from pathlib import Path

import baselines
from baselines import training
from bench.baseline_errors import baseline_errors
from bench.datasets import open_dataset
from curate.console import milestone, progress, say
from curate.errors import unknown


def train_with_progress(
    model: str,
    dataset: str | Path,
    out: Path,
    *,
    preset: str = "mini",
    steps: int | None = None,
    resume: bool = False,
    seed: int = 0,
    device: str = "cpu",
) -> Path:
    """Train and give the checkpoint's path; `steps` None: as many as the model's recipe says. Raises `UserError`.

    `dataset` is a folder or the name of one that is made at first use; its test split is left out.
    """
    if model not in baselines.names():
        raise unknown("model", model, baselines.names())
    root = open_dataset(dataset).root
    with progress() as bar, baseline_errors():
        item = bar.add_task(f"train {model}", total=steps, note="")

        def show(step: int, total: int, losses: dict[str, float]) -> None:
            loss = f"loss {sum(losses.values()):.3f}"
            bar.update(item, total=total, completed=step, note=loss)
            if milestone(step, total):
                say(f"step {step} of {total}: {loss}")

        return training.train(
            model, root, out, preset=preset, steps=steps, seed=seed, resume=resume, device=device, on_step=show
        )
