"""Keep the stack that a thread handles signals on.

OpenVINO's CPU plugin gives the thread that loads it a stack of its own for signals, and unmaps that memory when it is
unloaded. Any signal with a Python handler is then handled in memory that is gone or somebody else's: a crash, or zeros
in an array. (torch sets such a handler for the end of child processes when a DataLoader has workers.)
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _Stack(ctypes.Structure):
    """`stack_t` of <signal.h> on Linux."""

    _fields_ = (("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


def current() -> tuple[int | None, int, int] | None:
    """Address, flags (2: none is set) and size of this thread's signal stack; None on systems other than Linux."""
    if not sys.platform.startswith("linux"):
        return None
    stack = _Stack()
    _sigaltstack(None, ctypes.byref(stack))
    return stack.address, stack.flags, stack.size


@contextmanager
def kept() -> Iterator[None]:
    """Whatever happens inside, this thread has the signal stack of before when it ends."""
    before = current()
    try:
        yield
    finally:
        if before is not None:
            _sigaltstack(ctypes.byref(_Stack(*before)), None)


def _sigaltstack(new: object, old: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.sigaltstack(new, old):
        code = ctypes.get_errno()
        raise OSError(code, "sigaltstack failed")
