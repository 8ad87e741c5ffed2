"""Run records and published tables in; comparison, page and exports out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leaderboard.store import Store

DEFAULT_FILE = "leaderboard.duckdb"  # in the current folder


def open(path: Path | str, *, read_only: bool = False) -> Store:
    """Open a leaderboard file, made when absent unless `read_only` (see `leaderboard.store.Store`)."""
    from leaderboard.store import Store

    return Store(path, read_only=read_only)
