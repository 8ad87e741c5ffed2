"""What can go wrong in a way that a person can mend: one line for them, one exit code for their script."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Wrong use or wrong input. The message is one line that names the item; exit code 2."""

    exit_code = 2


class MissingPrerequisite(UserError):
    """Something outside the code is absent (network, weights, a package); the message names the mend; exit code 3."""

    exit_code = 3


class BadVideo(UserError):
    """A file that is no readable video. `error_class` goes to the ledger."""

    error_class = "unreadable"


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """Error for a name that does not exist, with the nearest names that do.

    >>> str(unknown("task", "same_id", ["same-id", "cross-id"]))
    "unknown task 'same_id': did you mean same-id? (known: cross-id, same-id)"
    """
    known = sorted(known)
    near = get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f": did you mean {' or '.join(near)}?" if near else ":"
    return UserError(f"unknown {kind} {name!r}{hint} (known: {', '.join(known)})".replace(": (", " ("))
