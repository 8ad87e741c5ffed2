"""`bench suite`: every model on every task that it can do, each task in one pass for all of them, and one leaderboard.

What an earlier call measured is used again, task by task, as long as data, weights, networks, protocol and code are
the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import baselines
import leaderboard
from baselines.interface import Reenactor
from bench import provenance, tasks
from bench.baseline_errors import baseline_errors
from bench.datasets import open_dataset
from bench.drive import features_needed
from bench.entrants import Driven
from bench.evaluators.suite import Suite, open_suite
from bench.one_pass import COPY, Pass
from bench.plan import make_plan, settle_task
from bench.tasks.base import Task, unable
from curate.console import say
from curate.errors import MissingPrerequisite, UserError, unknown
from curate.files import sha256_text, write_json
from leaderboard.standings import Board, boards
from leaderboard.store import DEFAULT_FILE

DATASET = "synthheads"
DONE = "done.json"  # in a task's folder: what it was measured from, and the run folders
CALIBRATION = "calibration"


@dataclass(frozen=True)
class SuiteRequest:
    """What `bench suite` is asked."""

    preset: str = "mini"
    dataset: str = DATASET
    models: tuple[str, ...] = ()  # none: all that have weights of this preset
    tasks: tuple[str, ...] = ()  # none: all
    limit: int | None = None
    out: str = "suite"
    seed: int = 0
    device: str = "cpu"


@dataclass(frozen=True)
class Entry:
    """One task of a suite: who takes part, and why others do not."""

    task: Task
    models: tuple[str, ...]
    left_out: dict[str, str] = field(default_factory=dict)  # model -> reason


@dataclass(frozen=True)
class SuiteResult:
    """What a suite leaves."""

    folders: list[Path]
    failures: dict[str, str]  # "run: pair" -> why there are no frames
    boards: list[Board]
    leaderboard: Path


def entries(request: SuiteRequest) -> list[Entry]:
    """The tasks and who takes part in each. Raises `UserError` for unknown names, `MissingPrerequisite` where a model
    that was named has no weights."""
    known = tasks.available()
    for name in request.tasks:
        if name not in known:
            raise unknown("task", name, known)
    loaded = dict(_loadable(request))
    suite = open_suite(None)
    return [_entry(known[name], loaded, suite) for name in request.tasks or known]


def run_suite(request: SuiteRequest) -> SuiteResult:
    """Measure, collect the run folders in a leaderboard beside them; raises what `entries` raises."""
    planned = [entry for entry in entries(request) if entry.models]
    if not planned:
        raise UserError("no task has a model that can do it")
    state = _state(request)
    out = Path(request.out)
    folders: list[Path] = []
    failures: dict[str, str] = {}
    for number, entry in enumerate(planned, start=1):
        say(f"[{number}/{len(planned)}] {entry.task.id}: {', '.join(entry.models)}")
        done = _measure(entry, request, state, out / entry.task.id)
        folders += [out / entry.task.id / name for name in done["runs"]]
        failures |= done["failures"]
    board = out / DEFAULT_FILE
    board.unlink(missing_ok=True)  # it holds nothing that the run folders do not
    with leaderboard.open(board) as store:
        for folder in folders:
            store.ingest(folder)
        return SuiteResult(folders, failures, boards(store), board)


def _loadable(request: SuiteRequest) -> Iterator[tuple[str, Reenactor]]:
    for name in request.models or baselines.names():
        if name not in baselines.names():
            raise unknown("model", name, baselines.names())
        try:
            with baseline_errors():
                model = baselines.load(name, preset=request.preset, device=request.device)
        except MissingPrerequisite as missing:
            if request.models:
                raise
            say(f"{name} is left out: {missing}")
            continue
        if model.spec.kind != CALIBRATION:
            yield name, model


def _entry(task: Task, loaded: dict[str, Reenactor], suite: Suite) -> Entry:
    able: list[str] = []
    left_out: dict[str, str] = {}
    for name, model in loaded.items():
        if why := _why_not(task, model, suite):
            left_out[name] = why
        else:
            able.append(name)
    return Entry(task, tuple(able), left_out)


def _why_not(task: Task, model: Reenactor, suite: Suite) -> str:
    """Why a model cannot take part in a task; "": it can."""
    if why := unable(task.motion, model.spec):
        return why
    if lacking := sorted(set(features_needed(model)) & set(suite.missing)):
        return f"it needs {lacking[0]}: {suite.missing[lacking[0]]}"
    try:
        if task.rows:
            task.rows(task, [model])
    except UserError as error:
        return str(error)
    return ""


def _state(request: SuiteRequest) -> str:
    """Of everything but the task that scores depend on."""
    networks = {kind: asdict(info) for kind, info in open_suite(None).networks.items()}
    dataset = open_dataset(request.dataset)
    asked = {key: value for key, value in asdict(request).items() if key not in ("models", "tasks", "out")}
    return json.dumps([dataset.fingerprint, networks, asked, provenance.git_state()], sort_keys=True)


def _measure(entry: Entry, request: SuiteRequest, state: str, out: Path) -> dict[str, Any]:
    """The names of the run folders of a task and what failed, from an earlier call or measured now."""
    with baseline_errors():
        models = [baselines.load(name, preset=request.preset, device=request.device) for name in entry.models]
        copy = baselines.load(COPY, device=request.device)
    protocol, task = settle_task(entry.task.id, None, None, request.limit)
    weights = {model.spec.name: model.spec.weights_sha256 for model in models}
    wanted = sha256_text(json.dumps([state, protocol.id, protocol.definition_sha256, weights], sort_keys=True))
    if (out / DONE).is_file():
        done: dict[str, Any] = json.loads((out / DONE).read_text(encoding="utf-8"))
        if done["state"] == wanted and all((out / name).is_dir() for name in done["runs"]):
            say(f"      measured before: {out}")
            return done
    plan = make_plan(protocol, task, request.dataset, seed=request.seed, limit=request.limit, variants=False)
    suite = open_suite(None)
    one = Pass(
        plan,
        suite,
        arguments={**asdict(request), "task": task.id},
        out=out,
        seed=request.seed,
        limit=request.limit,
        device=request.device,
        driven=sorted({kind for model in models for kind in features_needed(model)}),
    )
    framing = {row.spec.name: row for row in one.calibration(Driven(copy, request.device))}
    rows = task.rows(task, models) if task.rows else models
    own = [
        framing.pop(row.spec.name) if row.spec.name in framing else Driven(row, request.device) for row in _once(rows)
    ]
    results = one.run([*own, *framing.values()])
    left = {
        "state": wanted,
        "runs": [result.folder.name for result in results],
        "failures": {f"{r.folder.name}: {pair}": why for r in results for pair, why in r.failures.items()},
    }
    write_json(out / DONE, left)
    return left


def _once(rows: Sequence[Reenactor]) -> list[Reenactor]:
    """Rows without those whose name came before."""
    return list({row.spec.name: row for row in rows}.values())
