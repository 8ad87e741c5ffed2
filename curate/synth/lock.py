"""One process at a time in a folder: a lock that the system takes back when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curate.console import say
from curate.errors import UserError

LOCK = ".lock"


@contextmanager
def locked(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold `folder` (made if need be). While another process does: wait for it, or `UserError`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    handle = _acquire(path, wait)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before the lock is let go: whoever gets it then sees that the file is gone
        os.close(handle)


def _acquire(path: Path, wait: bool) -> int:
    told = False
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if not wait:
                    raise UserError(f"{path.parent} is in use by another process") from error
                if not told:
                    say(f"waiting for another process, which is at work in {path.parent}")
                    told = True
                fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_still(path, handle):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_still(path: Path, handle: int) -> bool:
    """Whether the file that was locked is the one that others see."""
    try:
        seen = path.stat()
    except FileNotFoundError:
        return False
    ours = os.fstat(handle)
    return (seen.st_dev, seen.st_ino) == (ours.st_dev, ours.st_ino)
