"""The training loop. A run can be killed at any time and goes on; on a CPU the result is the same, bit for bit."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from baselines.checkpoint import CHECKPOINT, save, write_whole
from baselines.training.data import open_reader
from baselines.training.errors import Stopped, TrainingError
from baselines.training.learner import NotFinite
from baselines.training.log import Log
from baselines.training.rows import Rows, batches
from baselines.training.setup import Aids, Options, Setup, find_recipe, options_before, set_up, workers_for
from baselines.training.state import STATE, Progress, last_good, restore, store
from baselines.training.strip import write_strip

REPORT = "training.json"
SAMPLES = "samples"
FIRST = "first"

OnStep = Callable[[int, int, dict[str, float]], None]


@dataclass
class _Asked:
    """Whether the run was asked to stop."""

    stop: bool = False


def train(
    name: str,
    dataset_root: Path,
    out: Path,
    options: Options | None = None,
    *,
    aids: Aids | None = None,
    on_step: OnStep | None = None,
) -> Path:
    """Train model `name` on a curated dataset, all but its test split; gives the path of OUT/checkpoint.safetensors.

    OUT also gets state.pt (to go on with), train.jsonl, training.json (what it took) and samples/. With
    `options.resume` an unfinished run in `out` goes on; without it, `out` must hold no run. Where the recipe names one
    that comes first, training starts from what that leaves in OUT/first, unless `options.start` names other weights.
    `on_step(step, steps, losses)` is called after every step. Raises `TrainingError`, or its `Stopped` after a SIGTERM.
    """
    options, aids = options or Options(), aids or Aids()
    if not options.resume and (out / STATE).exists():
        raise TrainingError(f"{out} holds an earlier run: go on with --resume, or name another folder")
    cache = options.cache or out / "cache"
    recipe = find_recipe(name, options)
    if recipe.first and options.start is None:
        if not (out / FIRST / CHECKPOINT).is_file():
            before = replace(options_before(recipe, options), cache=cache, resume=True)
            train(name, dataset_root, out / FIRST, before, aids=aids, on_step=on_step)
        options = replace(options, start=out / FIRST)
    setup = set_up(name, dataset_root, cache, options, aids)
    learner, run = setup.learner, _identity(setup, options)
    progress = restore(out, run, learner) if options.resume else Progress()
    alone = learner.group.rank == 0  # the process that writes
    with _asked_to_stop() as asked:
        out.mkdir(parents=True, exist_ok=True)
        rows = _rows(setup, options, cache)
        source = batches(
            rows,
            done=progress.step,
            steps=setup.steps,
            batch=setup.batch,
            accumulate=options.accumulate,
            rank=learner.group.rank,
            workers=workers_for(options, rows.reader),
            device=learner.device,
        )
        with Log(out if alone else None, progress.step, wandb=options.wandb, run=run) as log:
            for step in range(progress.step + 1, setup.steps + 1):
                started = time.perf_counter()
                taken = [next(source) for _ in range(options.accumulate)]
                waited = time.perf_counter() - started
                learner.set_rate(0.1 ** sum(step > fraction * setup.steps for fraction in setup.recipe.decay_at))
                try:
                    losses, prediction, stop = learner.step(step, taken, asked.stop)
                except NotFinite as error:
                    raise TrainingError(f"step {step}: {error}; {last_good(out)}") from error
                seconds = time.perf_counter() - started
                progress = Progress(step, progress.seconds + seconds, progress.waited + waited)
                log.write(step, {**losses, "seconds": round(seconds, 4), "waited": round(waited, 4)})
                last = stop or step == setup.steps
                if alone and prediction is not None and (last or step % options.strip_every == 0):
                    write_strip(out / SAMPLES / f"{step:07}.png", taken[-1], prediction)
                if alone and (last or step % options.save_every == 0):
                    log.flush()
                    store(out, run, progress, learner)
                if on_step is not None:
                    on_step(step, setup.steps, losses)
                if stop:
                    raise Stopped(f"stopped after step {step} of {setup.steps}: go on with --resume")
        path = out / CHECKPOINT
        if alone:
            recipe = setup.recipe
            switches = dict(recipe.switches)
            save(path, learner.saved(), model=name, preset=recipe.preset, steps=setup.steps, switches=switches)
            _report(out, run, setup, progress)
        learner.group.wait()
    return path


def _rows(setup: Setup, options: Options, cache: Path) -> Rows:
    """Frames and extras, made by the first process if they are missing."""
    workers = 2 if options.workers is None else options.workers
    group = setup.learner.group
    if group.rank == 0:
        open_reader(setup.clips, cache, workers)
        setup.extras.prepare(workers)
    group.wait()
    return Rows(open_reader(setup.clips, cache, workers), setup.extras, setup.recipe, options.seed)


def _identity(setup: Setup, options: Options) -> dict[str, Any]:
    """What a run that goes on must have in common with what was stored."""
    return {
        "model": setup.name,
        "recipe": setup.recipe.name,
        "seed": options.seed,
        "steps": setup.steps,
        "batch": setup.batch,
        "accumulate": options.accumulate,
        "processes": setup.learner.group.world,
        "precision": setup.learner.precision,
        "start": setup.start,
        "frames": setup.clips.fingerprint,
    }


def _report(out: Path, run: dict[str, Any], setup: Setup, progress: Progress) -> None:
    recipe, clips = setup.recipe, setup.clips
    told = {
        **run,
        "preset": recipe.preset,
        "dataset": clips.dataset.name,
        "fingerprint": clips.dataset.fingerprint,
        "clips": len(clips.chosen),
        "clip_frames": clips.frames,
        "device": str(setup.learner.device),
        "seconds": round(progress.seconds, 1),
        "steps_per_second": round(progress.step / progress.seconds, 3) if progress.seconds else None,
        "data_wait_share": round(progress.waited / progress.seconds, 4) if progress.seconds else None,
    }
    write_whole(out / REPORT, (json.dumps(told, indent=1, sort_keys=True) + "\n").encode())


@contextmanager
def _asked_to_stop() -> Iterator[_Asked]:
    """SIGTERM asks; the run stops after the step it is at."""
    asked = _Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(*_: object) -> None:
        asked.stop = True

    before = signal.signal(signal.SIGTERM, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)
