"""Processes that Ray starts: here, or on the cluster that RAY_ADDRESS names (its machines must share the folders).

Ray's own processes die with the driver: the kernel ends them when it is killed, its two small agents within minutes.
"""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from curate.engines.interface import ONE_THREAD, Crashed, Outcome, Raised, Ready, Report, Returned, Worker, attempt
from curate.errors import MissingPrerequisite

_OBJECT_STORE = 80 << 20  # bytes, about the least that Ray takes: results are rows, pictures go through files
_FOLDER = "curate-ray-"  # Ray's logs and sockets
_LONGEST = 16  # characters of the folder around it: names of sockets may have 107, Ray adds over 60


class RayEngine:
    """A Ray of its own with as many processors as workers, or the cluster named by RAY_ADDRESS."""

    def __init__(self, function: Callable[[Any], Any], workers: int) -> None:
        _set_up()
        try:
            import ray
        except ImportError as error:
            raise MissingPrerequisite(
                "the engine ray needs the package ray: pip install talkinghead-bench[ray]"
            ) from error
        self._ray, self._function = ray, function
        self._folder: str | None = None
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            self._begin(workers)
        self._actor = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(_Actor)

    def _begin(self, workers: int) -> None:
        _say_nothing()
        address = os.environ.get("RAY_ADDRESS")
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        runtime: dict[str, Any] = {"env_vars": ONE_THREAD}
        if address:
            package = importlib.import_module(self._function.__module__.partition(".")[0])
            runtime["py_modules"] = [str(Path(str(package.__file__)).parent)]
        else:
            _remove_leftovers()
            self._folder = tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir=_short_folder())
            options |= {
                "num_cpus": workers,
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE,
                "_temp_dir": self._folder,
                "_node_ip_address": "127.0.0.1",
            }
        try:
            self._ray.init(address=address or "local", runtime_env=runtime, **options)
        except (OSError, RuntimeError, ValueError) as error:
            self.close()
            where = f"at RAY_ADDRESS={address}" if address else "on this machine"
            raise MissingPrerequisite(f"Ray does not start {where}: {str(error).splitlines()[0]}") from error

    def start(self, report: Report) -> Worker:
        """Ask Ray for a process; it reports when it is up."""
        return RayWorker(self._ray, self._actor.remote(self._function, str(Path.cwd())), report)

    def close(self) -> None:
        """End Ray if it was started here, and remove its logs."""
        if self._is_ours:
            self._ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


class RayWorker:
    """An actor that takes one processor."""

    def __init__(self, ray: Any, actor: Any, report: Report) -> None:
        self._ray, self._actor, self._report = ray, actor, report
        self._follow(actor.ready.remote())

    def submit(self, task: Any) -> None:
        """Send a task to the actor."""
        self._follow(self._actor.run.remote(task))

    def kill(self) -> None:
        """End the actor's process."""
        self._ray.kill(self._actor, no_restart=True)

    def _follow(self, reference: Any) -> None:
        reference.future().add_done_callback(lambda future: self._report(self, self._outcome(future)))

    def _outcome(self, future: Future[Outcome]) -> Outcome:
        error = future.exception()
        if error is None:
            return future.result()
        if isinstance(error, self._ray.exceptions.RayActorError):
            return Raised(Crashed("the process that worked on it died"))
        return Raised(error if isinstance(error, Exception) else RuntimeError(str(error)))


class _Actor:
    """In a process of Ray's."""

    def __init__(self, function: Callable[[Any], Any], folder: str) -> None:
        os.environ.update(ONE_THREAD)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.chdir(folder)  # paths in tasks may be relative to the driver's
        self._function = function

    def ready(self) -> Ready:
        return Ready()

    def run(self, task: Any) -> Returned | Raised:
        return attempt(self._function, task)


def _set_up() -> None:
    """Ray reads its environment when it is imported: no statistics to its makers, and a token of this process alone for
    a Ray of its own (else it makes one and leaves it in the home folder)."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not os.environ.get("RAY_ADDRESS") and "RAY_AUTH_MODE" not in os.environ and "ray" not in sys.modules:
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))


def _say_nothing() -> None:
    """Keep Ray from printing to stdout that a process died, which is where results go; the ledger says it."""
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_, **__: None


def _short_folder() -> Path:
    folder = tempfile.gettempdir()
    return Path(folder if len(folder) <= _LONGEST else "/tmp")  # noqa: S108 mkdtemp makes a private one in it


def _remove_leftovers() -> None:
    """Remove the folders of drivers that were killed."""
    for folder in _short_folder().glob(f"{_FOLDER}*"):
        try:
            os.kill(int(folder.name.removeprefix(_FOLDER).partition("-")[0]), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (ValueError, PermissionError):
            continue
