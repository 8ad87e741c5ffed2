"""Run folders as the board that the leaderboard shows of them, by way of a leaderboard that holds nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import leaderboard
from leaderboard.standings import ALL, Board, boards


def board(folders: Sequence[Path]) -> Board:
    """The board of runs of one pass, with the means, intervals and signatures that the leaderboard would give."""
    with TemporaryDirectory() as scratch, leaderboard.open(Path(scratch) / "runs.duckdb") as store:
        for folder in folders:
            store.ingest(folder)
        (found,) = boards(store, ALL)
    measured = all(row.origin == "measured" for row in found.rows)
    return replace(found, source="measured") if measured else found
