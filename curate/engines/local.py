"""Processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import Any

from curate.engines.interface import ONE_THREAD, Crashed, Outcome, Raised, Ready, Report, Worker, attempt

_NO_MORE = object()


class LocalEngine:
    """Every worker is a fresh Python process (nothing of the driver's state is inherited)."""

    def __init__(self, function: Callable[[Any], Any], workers: int) -> None:
        del workers  # the driver starts no more than that
        self._function = function

    def start(self, report: Report) -> Worker:
        """Start a process; it reports when it is up."""
        return LocalWorker(self._function, report)

    def close(self) -> None:
        """Nothing is held."""


class LocalWorker:
    """A process, a pipe to it, and a thread of the driver that listens."""

    def __init__(self, function: Callable[[Any], Any], report: Report) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, function), daemon=True)
        self._process.start()
        theirs.close()
        self._report = report
        self._tasks: SimpleQueue[Any] = SimpleQueue()
        threading.Thread(target=self._converse, daemon=True).start()

    def submit(self, task: Any) -> None:
        """Send a task to the process."""
        self._tasks.put(task)

    def kill(self) -> None:
        """SIGKILL; returns when the process is gone."""
        self._process.kill()
        self._process.join()
        self._tasks.put(_NO_MORE)

    def _converse(self) -> None:
        """Report what the process answers until it dies."""
        try:
            self._report(self, self._answer())
            while (task := self._tasks.get()) is not _NO_MORE:
                try:
                    self._pipe.send(task)
                except OSError:
                    raise
                except Exception as error:  # noqa: BLE001 it cannot be pickled
                    self._report(self, Raised(error))
                else:
                    self._report(self, self._answer())
        except (EOFError, OSError):
            self._report(self, Raised(Crashed("the process that worked on it died")))
        finally:
            self._pipe.close()

    def _answer(self) -> Outcome:
        wait([self._pipe, self._process.sentinel])
        if not self._pipe.poll():
            raise EOFError
        answer: Outcome = self._pipe.recv()
        return answer


def _serve(pipe: Connection, function: Callable[[Any], Any]) -> None:
    """The process: one thread of computation, the driver alone answers to Ctrl-C, and no life after the driver."""
    os.environ.update(ONE_THREAD)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_driver, daemon=True).start()
    pipe.send(Ready())
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        except Exception as error:  # noqa: BLE001 what it needs cannot be imported, say
            pipe.send(Raised(RuntimeError(f"the task cannot be read: {error}")))
            continue
        outcome = attempt(function, task)
        try:
            pipe.send(outcome)
        except Exception as error:  # noqa: BLE001 a result that cannot be pickled
            pipe.send(Raised(RuntimeError(f"its result cannot be sent: {error}")))


def _follow_driver() -> None:
    driver = multiprocessing.parent_process()
    if driver is not None:
        driver.join()
    os._exit(1)
