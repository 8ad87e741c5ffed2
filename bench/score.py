"""`bench score`: measure frames that somebody else made, by the same pairs, metrics and records as `bench run`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import baselines
from bench.baseline_errors import baseline_errors
from bench.datasets import DEFAULT as DEFAULT_DATASET
from bench.entrants import REENCODED, SHUFFLED, TRUTH, Driven
from bench.evaluators.suite import open_suite
from bench.one_pass import COPY, Pass, Result
from bench.plan import make_plan, settle_task
from bench.predictions import Predicted, Survey, survey
from curate.errors import UserError
from curate.files import printable

LONGEST_NAME = 80
TAKEN = (TRUTH, REENCODED, SHUFFLED, COPY)


@dataclass(frozen=True)
class ScoreRequest:
    """What `bench score` is asked; `score` explains each."""

    predictions: str
    task: str
    name: str
    dataset: str = DEFAULT_DATASET
    suite: str | None = None
    limit: int | None = None
    shots: int | None = None
    variants: bool = False
    out: str = "runs"
    seed: int = 0
    protocol: str | None = None


def score(
    request: ScoreRequest, tell: Callable[[Survey], None] = lambda found: None, *, dry_run: bool = False
) -> tuple[Survey, list[Result]]:
    """What was found, which `tell` is given before anything is scored, and the results: the predictions' first, then
    the calibration rows'; none with `dry_run`.

    `predictions` is a folder as `bench.predictions` says; a frame that is not there or cannot be read counts as failed.
    `name` is what tables call them. All else is as of `bench.run`, and so are the signatures. Raises `UserError` for
    what cannot be scored at all.
    """
    name = request.name.strip()
    if not name or name in TAKEN or len(name) > LONGEST_NAME or printable(name) != name:
        raise UserError(
            f"name: expected 1 to {LONGEST_NAME} printable characters, and none of {', '.join(TAKEN)}, got "
            f"{printable(request.name)[:LONGEST_NAME]!r}"
        )
    protocol, task = settle_task(request.task, request.protocol, request.shots, request.limit)
    if task.rows is not None:
        raise UserError(f"task {task.id} measures more than frames: it needs the model itself, with bench run")
    suite = open_suite(request.suite)
    plan = make_plan(protocol, task, request.dataset, seed=request.seed, limit=request.limit, variants=request.variants)
    found = survey(Path(request.predictions), plan.pairs, plan.task)
    tell(found)
    if dry_run:
        return found, []
    one = Pass(
        plan,
        suite,
        arguments=asdict(request) | {"found": found.facts()},
        out=Path(request.out),
        seed=request.seed,
        limit=request.limit,
        device="cpu",
    )
    with baseline_errors():
        copy = Driven(baselines.load(COPY), "cpu")
    return found, one.run([Predicted(name, found), *one.calibration(copy)])
