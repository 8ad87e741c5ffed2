"""The leaderboard's file made anew from run folders: nothing in it is there alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.errors import UserError
from curate.files import atomic
from leaderboard.ingest import ingest
from leaderboard.store import Store


@dataclass(frozen=True)
class Rebuilt:
    """What the new file has."""

    runs: int
    refused: dict[Path, str]  # folder -> reason


def rebuild(path: Path, folders: Sequence[Path] = ()) -> Rebuilt:
    """Replace the file at `path` by one made from `folders`, or from those that its runs came from.

    Raises UserError, and leaves the file as it is, when a run that it has would be lost.
    """
    known: dict[str, str] = {}
    if path.is_file():
        with Store(path) as old:
            known = {row["run_id"]: row["folder"] for row in old.rows("SELECT run_id, folder FROM runs")}
    sources = list(folders) or [Path(folder) for folder in known.values()]
    if not sources:
        raise UserError(f"{path} has no runs: name the run folders to make it from")
    if gone := sorted(str(folder) for folder in sources if not folder.is_dir()):
        raise UserError(f"{gone[0]} is gone: name the run folders to make {path} from")
    with atomic(path) as partial:
        with Store(partial) as new:
            report = ingest(new, sources)
            there = {row["run_id"] for row in new.rows("SELECT run_id FROM runs")}
            new.connection.execute("CHECKPOINT")
        if lost := sorted(set(known) - there):
            raise UserError(f"{len(lost)} runs would be lost, {lost[0][:80]!r} of {known[lost[0]]} among them")
    return Rebuilt(len(there), report.refused)
