"""The engine: every task ends in a result or an error, also when processes die or hang; tasks are read as needed."""

import builtins
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from curate import engine
from curate.errors import MissingPrerequisite, UserError


class Fussy(Exception):
    """Cannot be made again from its pickle."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


def work(task: tuple[int, str]) -> int | str:
    number, what = task
    if what == "raise":
        raise UserError(f"task {number}")
    if what == "fussy":
        raise Fussy("two", "words")
    if what == "disk":
        raise OSError(28, "No space left on device", "name")
    if what == "exit":
        sys.exit(7)
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hang":
        time.sleep(600)
    if what == "thread":
        return " ".join(os.environ[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"))
    if what.startswith("/"):  # dies the first time only, as where its neighbours took the memory
        if not Path(what).exists():
            Path(what).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "second time"
    return number * number


def check_all_outcomes(name: str, tmp_path: Path, limit_s: float) -> None:
    kinds = ["", "die", "", "raise", "fussy", "disk", "exit", "thread", "hang", str(tmp_path / "once"), ""]
    tasks = list(enumerate(kinds))
    outcome = dict(engine.run(work, tasks, 2, name, limit_s=limit_s))
    assert len(outcome) == len(tasks)
    by_kind = {what: outcome[number, what] for number, what in tasks}
    assert [outcome[task] for task in tasks if not task[1]] == [0, 4, 100]
    assert isinstance(by_kind["die"], engine.Crashed)
    assert isinstance(by_kind["raise"], UserError)
    assert str(by_kind["raise"]) == "task 3"
    assert str(by_kind["fussy"]) == "Fussy: two words"
    assert isinstance(by_kind["disk"], OSError)
    assert by_kind["disk"].errno == 28
    assert str(by_kind["exit"]) == "SystemExit: 7"
    assert by_kind["thread"] == "1 1"
    assert isinstance(by_kind["hang"], engine.TimedOut)
    assert by_kind[kinds[-2]] == "second time"


def test_results_errors_deaths_and_hangs_are_told_apart(tmp_path: Path) -> None:
    check_all_outcomes("local", tmp_path, limit_s=2)


def test_tasks_are_read_little_by_little_and_results_come_before_the_last_task() -> None:
    read: list[int] = []
    held = threading.Event()

    def tasks() -> Iterator[tuple[int, str]]:
        for number in range(60):
            if number == 50:
                assert held.wait(20)  # the slow one: results of the others must not wait for it
            read.append(number)
            yield number, ""

    seen = []
    for task, _ in engine.run(work, tasks(), 2):
        seen.append(task[0])
        if len(seen) <= 40:
            assert len(read) <= len(seen) + 2 * 2 + 1  # two run, two are ahead, one may just have ended
        if len(seen) == 50:
            held.set()
    assert sorted(seen) == list(range(60))


def test_an_error_of_the_tasks_reaches_the_caller_after_the_results() -> None:
    def tasks() -> Iterator[tuple[int, str]]:
        yield 3, ""
        raise UserError("the list ends here")

    results = engine.run(work, tasks(), 1)
    assert next(results) == ((3, ""), 9)
    with pytest.raises(UserError, match="the list ends here"):
        next(results)


def test_closing_kills_what_runs_and_closes_the_tasks() -> None:
    closed = threading.Event()

    def tasks() -> Iterator[tuple[int, str]]:
        try:
            yield from [(1, ""), (2, "hang"), (3, "hang")]
        finally:
            closed.set()

    start = time.monotonic()
    with closing(engine.run(work, tasks(), 2)) as results:
        assert next(results) == ((1, ""), 1)
    assert time.monotonic() - start < 20
    assert closed.wait(5)


def tell(path: Path) -> None:
    path.write_text(str(os.getpid()))
    time.sleep(600)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


DRIVER = """
import sys
from pathlib import Path
from curate import engine
from tests.curate.test_engine import tell
list(engine.run(tell, map(Path, sys.argv[1:]), 2))
"""


def test_no_process_outlives_a_killed_driver(tmp_path: Path) -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("looks at processes through /proc")
    notes = [tmp_path / "a", tmp_path / "b"]
    code = (
        "import sys; from pathlib import Path; from curate import engine; from tests.curate.test_engine import tell\n"
    )
    code += "if __name__ == '__main__': list(engine.run(tell, map(Path, sys.argv[1:]), 2))"
    driver = subprocess.Popen([sys.executable, "-c", code, *map(str, notes)], cwd=Path(__file__).parents[2])
    end = time.monotonic() + 30
    while not all(note.exists() and note.read_text() for note in notes):
        assert time.monotonic() < end
        assert driver.poll() is None
        time.sleep(0.05)
    driver.kill()
    driver.wait()
    pids = [int(note.read_text()) for note in notes]
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < end
        time.sleep(0.05)


class Deadly:
    """A function that ends the process which reads it."""

    def __call__(self, task: int) -> int:
        return task

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (3,)


def test_processes_that_cannot_start_are_an_error_and_no_endless_loop() -> None:
    with pytest.raises(engine.Crashed, match="4 processes in a row died"):
        next(engine.run(Deadly(), [1, 2, 3], 1))


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(UserError, match="unknown engine 'rai': did you mean ray"):
        next(engine.run(work, [], 1, "rai"))


def test_ray_that_is_not_installed_is_named_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_ray(name: str, *rest: object, **more: object) -> object:
        if name == "ray":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    with pytest.raises(MissingPrerequisite, match=r"pip install talkinghead-bench\[ray\]"):
        next(engine.run(work, [(1, "")], 1, "ray"))


RAY = """
import os, sys
from pathlib import Path
from tests.curate.test_engine import check_all_outcomes
check_all_outcomes("ray", Path(sys.argv[1]), limit_s=4)
print(os.getpid())
"""


def test_ray_does_the_same_and_leaves_nothing_behind(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", RAY, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**environment, "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    pid = int(done.stdout)  # and nothing else: results go to stdout
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["once"]  # no token in the home folder
    assert not list(Path(tempfile.gettempdir()).glob(f"curate-ray-{pid}-*"))
