"""What an engine is: something that starts processes which do one task at a time and can be killed."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Environment of every process that works, so that results do not depend on how many there are."""


class Crashed(Exception):
    """The process that ran a task died (out of memory, a fault in a decoder)."""


class TimedOut(Exception):
    """A task ran longer than allowed; its process was killed."""


@dataclass(frozen=True)
class Ready:
    """First thing a worker reports: its process is up and takes tasks."""


@dataclass(frozen=True)
class Returned:
    """A task ended with a value."""

    value: Any


@dataclass(frozen=True)
class Raised:
    """A task ended with an error, or its process died (`Crashed`)."""

    error: Exception


Outcome = Ready | Returned | Raised


class Worker(Protocol):
    """One process. It reports `Ready` once, then one outcome for each task; after `Crashed` it is of no more use."""

    def submit(self, task: Any) -> None:
        """Begin a task; the process must be ready and do nothing else."""

    def kill(self) -> None:
        """End the process at once, whatever it does."""


Report = Callable[[Worker, Outcome], None]
"""Takes the outcomes of a worker, from any thread."""


class Engine(Protocol):
    """Starts workers; closed when all work is done or given up."""

    def start(self, report: Report) -> Worker:
        """Start a worker; does not wait for it."""

    def close(self) -> None:
        """Give back what the engine holds; workers are dead by then."""


def attempt(function: Callable[[Any], Any], task: Any) -> Returned | Raised:
    """In the worker: what became of a task, in a form that can be sent to the driver."""
    try:
        return Returned(function(task))
    except Exception as error:  # noqa: BLE001 the driver decides what it means
        return Raised(_sendable(error))
    except BaseException as error:  # noqa: BLE001 a task that calls sys.exit() ends there, its process does not
        return Raised(RuntimeError(f"{type(error).__name__}: {error}"))


def _sendable(error: Exception) -> Exception:
    """The error itself, or one that says the same where it cannot be pickled (some classes cannot be made again)."""
    try:
        whole = type(pickle.loads(pickle.dumps(error))) is type(error)  # noqa: S301 bytes of a moment ago
    except Exception:  # noqa: BLE001 whatever its class does when it is made again
        whole = False
    if whole:
        return error
    if isinstance(error, OSError):
        return OSError(error.errno, error.strerror, error.filename)
    return RuntimeError(f"{type(error).__name__}: {error}")
