"""Runs tasks in processes. Every task ends in a result or an error, also when its process dies or hangs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from curate.engines.interface import Crashed, Engine, Outcome, Raised, Ready, TimedOut, Worker
from curate.errors import unknown

__all__ = ["ENGINES", "Crashed", "TimedOut", "run"]

ENGINES = ("local", "ray")
MAX_STILLBORN = 3  # processes that die while they start: memory may be short for a moment

Task = TypeVar("Task")
Result = TypeVar("Result")


def run(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    workers: int,
    engine: str = "local",
    limit_s: float | None = None,
) -> Generator[tuple[Task, Result | Exception], None, None]:
    """Run `function` over `tasks` in `workers` processes; gives each task with its result or error, as they end.

    `tasks` is read in a thread of its own, at most `workers` ahead of those that run; an error it raises is raised here
    when the tasks before it have ended. A task that takes longer than `limit_s` seconds ends as `TimedOut`, its process
    is killed. One whose process dies is tried once more when nothing else runs, then it is `Crashed`. Every process
    computes on one thread, so that results do not depend on the number of workers. Closing the generator kills what
    runs. Raises `MissingPrerequisite` where the engine is not installed.
    """
    events: SimpleQueue[_Came[Task] | _NoMore | _Reported] = SimpleQueue()
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    place: Engine | None = None  # opened when there is work: Ray takes seconds
    source = _Source(tasks, workers, events)
    waiting: deque[Task] = deque()
    suspects: deque[Task] = deque()  # their process died: each is tried again alone
    again: Task | None = None
    starting: set[Worker] = set()
    idle: list[Worker] = []
    busy: dict[Worker, tuple[Task, float]] = {}  # with the time at which it has to be done
    no_more: _NoMore | None = None
    stillborn = 0

    def report(worker: Worker, outcome: Outcome) -> None:
        events.put(_Reported(worker, outcome))

    def give(task: Task) -> None:
        worker = idle.pop()
        busy[worker] = task, time.monotonic() + (limit_s or float("inf"))
        worker.submit(task)

    try:
        while True:
            while waiting and idle:
                give(waiting.popleft())
                source.advance()
            only_suspects = no_more is not None and not waiting and not busy
            if only_suspects and not suspects:
                break
            if only_suspects and idle:
                again = suspects.popleft()
                give(again)
            wanted = len(waiting) or int(only_suspects and bool(suspects) and not idle)
            while len(starting) < wanted and len(starting) + len(busy) < workers:
                place = place or _open(engine, function, workers)
                starting.add(place.start(report))
            try:
                event = events.get(timeout=_until(min((end for _, end in busy.values()), default=float("inf"))))
            except Empty:
                for worker in [worker for worker, (_, end) in busy.items() if end <= time.monotonic()]:
                    worker.kill()
                    yield busy.pop(worker)[0], TimedOut(f"took longer than {limit_s:g} s")
                continue
            if isinstance(event, _Came):
                waiting.append(event.task)
            elif isinstance(event, _NoMore):
                no_more = event
            elif isinstance(event.outcome, Ready):
                starting.remove(event.worker)
                idle.append(event.worker)
                stillborn = 0
            elif event.worker in busy:
                task = busy.pop(event.worker)[0]
                crashed = isinstance(event.outcome, Raised) and isinstance(event.outcome.error, Crashed)
                if not crashed:
                    idle.append(event.worker)
                if crashed and task is not again:
                    suspects.append(task)
                else:
                    yield task, event.outcome.error if isinstance(event.outcome, Raised) else event.outcome.value
            elif event.worker in starting:
                starting.remove(event.worker)
                stillborn += 1
                if stillborn > MAX_STILLBORN:
                    raise Crashed(f"{stillborn} processes in a row died before they had any work")
            elif event.worker in idle:
                idle.remove(event.worker)
        if no_more is not None and no_more.error is not None:
            raise no_more.error
    finally:
        source.stop()
        for worker in (*starting, *idle, *busy):
            worker.kill()
        if place is not None:
            place.close()


def _open(engine: str, function: Callable[[Task], Result], workers: int) -> Engine:
    if engine == "local":
        from curate.engines.local import LocalEngine

        return LocalEngine(function, workers)
    from curate.engines.ray import RayEngine

    return RayEngine(function, workers)


def _until(end: float) -> float | None:
    return None if end == float("inf") else max(0.0, end - time.monotonic())


@dataclass(frozen=True)
class _Came(Generic[Task]):
    task: Task


@dataclass(frozen=True)
class _NoMore:
    error: BaseException | None


@dataclass(frozen=True)
class _Reported:
    worker: Worker
    outcome: Outcome


class _Source(Generic[Task]):
    """Reads an iterable in a thread, no more than `ahead` tasks beyond those that were taken."""

    def __init__(
        self, tasks: Iterable[Task], ahead: int, events: SimpleQueue[_Came[Task] | _NoMore | _Reported]
    ) -> None:
        self._tasks, self._events = tasks, events
        self._room = threading.Semaphore(ahead)
        self._stopped = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def advance(self) -> None:
        """A task was taken: one more may be read."""
        self._room.release()

    def stop(self) -> None:
        """Read no more; a task that is being made is waited for, but not long."""
        self._stopped = True
        self._room.release()
        self._thread.join(timeout=1)

    def _read(self) -> None:
        error: BaseException | None = None
        try:
            iterator = iter(self._tasks)
            try:
                while self._may_go_on():
                    self._events.put(_Came(next(iterator)))
            except StopIteration:
                pass
            finally:
                if callable(close := getattr(iterator, "close", None)):
                    close()  # a generator cleans up in the thread that ran it
        except BaseException as raised:  # noqa: BLE001 it is raised again where the results are read
            error = raised
        self._events.put(_NoMore(error))

    def _may_go_on(self) -> bool:
        self._room.acquire()
        return not self._stopped
