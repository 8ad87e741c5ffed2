"""`bench demo`: everything this project does, once, small, on people that it renders itself."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

import baselines
import curate
import leaderboard
from baselines.checkpoint import CHECKPOINT
from baselines.training import Options
from bench import datasets, provenance
from bench.baseline_errors import baseline_errors
from bench.curation_check import check
from bench.evaluators.suite import open_suite
from bench.one_pass import Result
from bench.runner import Request, measure
from bench.training import train_with_progress
from curate import engine
from curate.console import say
from curate.errors import UserError
from curate.files import sha256_file, sha256_text, write_json
from curate.settings import SelectionSettings, Settings
from curate.synth.raw import RawRecipe, make_raw
from leaderboard.page import write_page
from leaderboard.standings import Board, boards
from leaderboard.store import DEFAULT_FILE

MODEL = "fomm"
TASKS = ("same-id", "cross-id")
DATASET = datasets.DEFAULT
STEPS = 160  # of training, after those of its keypoints: about a minute on one core
RAW = RawRecipe(seconds=1.2, height=300)
MIN_RES = 128
PARTS = 6
DONE = "done.json"  # in a folder: what a finished part left there, by name


@dataclass(frozen=True)
class DemoResult:
    """What a demo ends with."""

    boards: list[Board]
    page: Path


def run_demo(out: Path) -> DemoResult:
    """Raw videos, curation, a dataset, training, both tasks, leaderboard and page below `out`; what is there already is
    used again."""
    raw, curated = out / "videos", out / "curated"
    workers = os.cpu_count() or 1
    with _part(1, "render raw videos: cuts, several people, nobody, darkness, bars"):
        _checked("rendering", make_raw(raw, RAW, workers=workers).failed)
    with _part(2, "curate them: find shots, faces and tracks, crop and encode clips"):
        report = curate.build(raw, curated, Settings(selection=SelectionSettings(min_res=MIN_RES)), workers=workers)
        _checked("curation", report.failed)
        say(f"      {report.clips} clips in {report.manifest}; {check(raw, curated)}")
    with _part(3, f"{DATASET}: people of whom everything is known, in clips as curation makes them"):
        dataset = datasets.open_dataset(DATASET)
        say(f"      {len(dataset.clips)} clips in {dataset.root}")
    with _part(4, f"train {MODEL}, preset mini, for {STEPS} steps, on all people but the test split's"):
        checkpoint = _train(dataset.root, out / f"training-{dataset.fingerprint[:8]}")
    with _part(5, f"run {' and '.join(TASKS)} for {MODEL}, truth and source-copy, on the test split"):
        state = [dataset.fingerprint, sha256_file(checkpoint), provenance.git_state()]
        networks = {kind: asdict(info) for kind, info in open_suite(None).networks.items()}
        runs = out / "runs" / sha256_text(json.dumps([*state, networks], sort_keys=True))[:8]
        folders = _run_tasks(checkpoint, runs, workers)
    with _part(6, "collect the runs in a leaderboard and write its page"):
        (out / DEFAULT_FILE).unlink(missing_ok=True)  # it holds nothing that the run folders do not
        with leaderboard.open(out / DEFAULT_FILE) as store:
            for folder in folders:
                store.ingest(folder)
            return DemoResult(boards(store), write_page(store, out / "page").path)


def _checked(what: str, failed: Sequence[tuple[str, str]]) -> None:
    if failed:
        raise UserError(f"{what} failed for {failed[0][0]}: {failed[0][1]}")


def _train(root: Path, training: Path) -> Path:
    """The checkpoint of an earlier call, or a new one; an unfinished training goes on."""
    checkpoint, earlier = training / CHECKPOINT, training.is_dir()
    try:
        if not checkpoint.is_file():
            with _one_thread():
                return train_with_progress(MODEL, root, training, Options(steps=STEPS, resume=True))
        with baseline_errors():
            baselines.load(MODEL, checkpoint=checkpoint)
    except UserError as error:
        if not earlier:
            raise
        raise UserError(f"{training} is of another version: delete it and run the demo again ({error})") from error
    return checkpoint


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch compute on one thread: the same weights on any number of cores, and no slower on a busy machine, where
    threads of so small a model wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _run_tasks(checkpoint: Path, runs: Path, workers: int) -> list[Path]:
    """The run folders of all tasks, each task measured in a process of its own unless an earlier call did."""
    requests = [
        Request(task, MODEL, DATASET, checkpoint=str(checkpoint), out=str(runs / task))
        for task in TASKS
        if not (runs / task / DONE).is_file()
    ]
    for request, result in engine.run(_measure, requests, min(workers, len(TASKS))):
        if isinstance(result, Exception):
            raise result
        write_json(Path(request.out) / DONE, [of_model.folder.name for of_model in result])
    return [runs / task / name for task in TASKS for name in json.loads((runs / task / DONE).read_text())]


def _measure(request: Request) -> list[Result]:
    with _one_thread():  # also where the process had loaded torch before it was told so
        return measure(request)


@contextmanager
def _part(number: int, what: str) -> Iterator[None]:
    """Say what begins, and how long it took."""
    say(f"[{number}/{PARTS}] {what}")
    start = time.perf_counter()
    yield
    say(f"      {time.perf_counter() - start:.1f} s")
