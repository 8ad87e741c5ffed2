"""The engine: every task ends in a result or an error, also when processes die."""

import os
import signal
from pathlib import Path

from curate import engine
from curate.errors import UserError


def work(task: tuple[int, str]) -> int:
    number, what = task
    if what == "raise":
        raise UserError(f"task {number}")
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def test_results_errors_and_deaths_are_told_apart() -> None:
    tasks = [(0, ""), (1, "die"), (2, ""), (3, "raise"), (4, "")]
    outcome = dict(engine.run(work, tasks, 2))
    assert len(outcome) == 5
    assert [outcome[task] for task in tasks if not task[1]] == [0, 4, 16]
    assert isinstance(outcome[1, "die"], engine.Crashed)
    assert isinstance(outcome[3, "raise"], UserError)


def threads(_: Path) -> str:
    return os.environ["OMP_NUM_THREADS"]


def test_workers_compute_on_one_thread() -> None:
    assert [result for _, result in engine.run(threads, [Path()], 1)] == ["1"]
