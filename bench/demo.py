"""`bench demo`: everything this project does, once, small, on videos that it makes itself."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

import baselines
import curate
import leaderboard
from baselines.checkpoint import CHECKPOINT
from bench import provenance
from bench.baseline_errors import baseline_errors
from bench.demo_data import make_videos
from bench.evaluators.suite import open_suite
from bench.runner import Request, measure
from bench.training import train_with_progress
from curate.console import say
from curate.dataset import Dataset
from curate.errors import UserError
from curate.files import sha256_file, sha256_text, write_json
from curate.settings import SelectionSettings, Settings
from leaderboard.page import write_page
from leaderboard.standings import Board, boards
from leaderboard.store import DEFAULT_FILE

MODEL = "fomm"
TASKS = ("same-id", "cross-id")
STEPS = 280  # of training: about a minute and a half on one core
SECONDS = 2.4  # of each video: each half of the one with a cut is long enough for a clip
MIN_RES = 256
PARTS = 5
DONE = "done.json"  # in a folder: what a finished part left there, by name


@dataclass(frozen=True)
class DemoResult:
    """What a demo ends with."""

    boards: list[Board]
    page: Path


def run_demo(out: Path) -> DemoResult:
    """Videos, curation, training, both tasks, leaderboard and page below `out`; what is there already is used again."""
    videos, root, training = out / "videos", out / "demo-clips", out / "training"
    with _part(1, "make six short videos from one portrait by known motion"):
        _once(videos, lambda: make_videos(videos, seconds=SECONDS))
    with _part(2, "curate them: find shots, faces and tracks, crop and encode clips"):
        settings = Settings(selection=SelectionSettings(min_res=MIN_RES))
        report = curate.build(videos, root, settings, workers=os.cpu_count() or 1)
        if report.failed:
            raise UserError(f"curation failed for {report.failed[0][0]}: {report.failed[0][1]}")
        say(f"      {report.clips} clips in {report.manifest}")
    with _part(3, f"train {MODEL}, preset mini, for {STEPS} steps"):
        checkpoint = _train(root, training)
    with _part(4, f"run {' and '.join(TASKS)} for {MODEL}, truth and source-copy (on the clips it was trained on)"):
        state = [Dataset.open(root).fingerprint, sha256_file(checkpoint), provenance.git_state()]
        networks = {kind: asdict(info) for kind, info in open_suite(None).networks.items()}
        runs = out / "runs" / sha256_text(json.dumps([*state, networks], sort_keys=True))[:8]
        folders = [folder for task in TASKS for folder in _runs(task, root, checkpoint, runs / task)]
    with _part(5, "collect the runs in a leaderboard and write its page"):
        (out / DEFAULT_FILE).unlink(missing_ok=True)  # it holds nothing that the run folders do not
        with leaderboard.open(out / DEFAULT_FILE) as store:
            for folder in folders:
                store.ingest(folder)
            return DemoResult(boards(store), write_page(store, out / "page").path)


def _train(root: Path, training: Path) -> Path:
    """The checkpoint of an earlier call, or a new one; an unfinished training goes on."""
    checkpoint, earlier = training / CHECKPOINT, training.is_dir()
    try:
        if not checkpoint.is_file():
            with _one_thread():
                return train_with_progress(MODEL, root, training, steps=STEPS, resume=True)
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


def _runs(task: str, root: Path, checkpoint: Path, out: Path) -> list[Path]:
    request = Request(task, MODEL, str(root), checkpoint=str(checkpoint), out=str(out))
    return _once(out, lambda: [result.folder for result in measure(request)])


def _once(folder: Path, make: Callable[[], list[Path]]) -> list[Path]:
    """What `make` puts into `folder`, made only when an earlier call did not."""
    marker = folder / DONE
    if marker.is_file():
        return [folder / name for name in json.loads(marker.read_text())]
    made = make()
    write_json(marker, [path.name for path in made])
    return made


@contextmanager
def _part(number: int, what: str) -> Iterator[None]:
    """Say what begins, and how long it took."""
    say(f"[{number}/{PARTS}] {what}")
    start = time.perf_counter()
    yield
    say(f"      {time.perf_counter() - start:.1f} s")
