"""`baselines` knows nothing of commands and raises ValueErrors; here they get the exit codes of commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from baselines.checkpoint import MissingCheckpoint
from curate.errors import MissingPrerequisite, UserError


@contextmanager
def baseline_errors() -> Iterator[None]:
    """Turn missing weights into `MissingPrerequisite`, any other ValueError of loading or training into `UserError`."""
    try:
        yield
    except MissingCheckpoint as error:
        raise MissingPrerequisite(str(error)) from error
    except ValueError as error:
        raise UserError(str(error)) from error
