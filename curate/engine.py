"""Where work runs: local processes. A task that kills its process is found and reported; the others go on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class Crashed(Exception):
    """The process that ran a task died (out of memory, a fault in a decoder)."""


def run(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[tuple[Task, Result | Exception]]:
    """Run `function` over `tasks` in `workers` processes; gives each task with its result or error, as they end.

    Every process computes on one thread, so that results do not depend on the number of workers.
    """
    waiting = list(reversed(tasks))
    suspects: list[Task] = []  # were running when a process died: each is tried again alone
    while waiting or suspects:
        alone = not waiting
        queue = suspects if alone else waiting
        pool = _pool(1 if alone else workers)
        running: dict[Future[Result], Task] = {}
        broken = False
        try:
            while (queue or running) and not broken:
                while queue and len(running) < (1 if alone else workers):
                    task = queue.pop()
                    running[pool.submit(function, task)] = task
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    task = running.pop(future)
                    error = future.exception()
                    if isinstance(error, BrokenProcessPool):
                        broken = True
                        if alone:
                            yield task, Crashed("the process that worked on it died")
                        else:
                            suspects.append(task)
                    elif isinstance(error, Exception):
                        yield task, error
                    elif error is None:
                        yield task, future.result()
            suspects.extend(running.values())
        finally:
            pool.shutdown(wait=not broken, cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare, initargs=(os.getpid(),))


def _prepare(parent: int) -> None:
    """In a new process: one thread of computation, the driver alone answers to Ctrl-C, and no life after the driver."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
