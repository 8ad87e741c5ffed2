"""The DuckDB file behind the leaderboard: it can always be rebuilt from run folders and published tables.

One process writes at a time. DuckDB lets no second process in while the first holds the file, so opening waits, with
a bound.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

from curate.errors import UserError
from leaderboard import DEFAULT_FILE as DEFAULT_FILE

WAIT_SECONDS = 60.0
QUERY_SECONDS = 60.0  # of a query that someone typed
QUERY_ROWS = 1_000_000
_SAFE = (
    "autoinstall_known_extensions = false",
    "autoload_known_extensions = false",
    "enable_external_access = false",
    "lock_configuration = true",
)
MIGRATIONS = Path(__file__).with_name("migrations")
PUBLISHED = Path(__file__).with_name("published")


class Store:
    """An open leaderboard file; use it as a context manager or `close` it, others wait meanwhile."""

    def __init__(self, path: Path | str, *, read_only: bool = False, wait: float = WAIT_SECONDS) -> None:
        """Open `path`, made when absent unless `read_only`; waits up to `wait` seconds for a process that holds it.

        Raises UserError when the file is absent (read-only), held for longer, no DuckDB file or of a newer version.
        """
        self.path = Path(path)
        if read_only and not self.path.is_file():
            raise UserError(f"there is no leaderboard {self.path}: make it with `leaderboard ingest RUN...`")
        if not self.path.parent.is_dir():
            raise UserError(f"the folder of {self.path} does not exist")
        self.connection = _connect(self.path, read_only, wait)
        try:
            if read_only:
                self._check_version()
            else:
                self._migrate()
                self._load_published()
        except BaseException:
            self.connection.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others at the file."""
        self.connection.close()

    def rows(self, query: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
        """The rows of a query as dicts."""
        result = self.connection.execute(query, parameters or [])
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def query(
        self, text: str, *, seconds: float = QUERY_SECONDS, most: int = QUERY_ROWS
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names and rows of a query that someone typed: it reaches no other file and loads no extension; open
        read-only, it changes nothing. It is stopped after `seconds`, and may give `most` rows.

        From here on this store's connection cannot open files. Raises UserError for what DuckDB refuses.
        """
        if not self.rows("SELECT current_setting('lock_configuration') AS locked")[0]["locked"]:
            for setting in _SAFE:
                self.connection.execute(f"SET {setting}")
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.connection.interrupt()

        timer = threading.Timer(seconds, stop)
        timer.start()
        try:
            result = self.connection.execute(text)
            rows = result.fetchmany(most + 1)
            names = [column[0] for column in result.description or []]
        except (duckdb.Error, RuntimeError) as error:  # RuntimeError: interrupted
            if late.is_set():
                raise UserError(f"the query failed: it took longer than {seconds:g} s") from error
            raise UserError(f"the query failed: {' '.join(str(error).split())}") from error
        finally:
            timer.cancel()
        if len(rows) > most:
            raise UserError(f"the query failed: it gives more than {most:,} rows; add a LIMIT")
        return names, rows

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """All or nothing: committed at the end, rolled back on any error."""
        self.connection.begin()
        try:
            yield self.connection
            self.connection.commit()
        except BaseException:
            self.connection.rollback()
            raise

    def ingest(self, folder: Path) -> bool:
        """Take in one run folder; False when it is already there. `UserError` says why a folder is refused."""
        from leaderboard.ingest import ingest_run

        return ingest_run(self, folder)

    def _version(self) -> int:
        tables = {name for (name,) in self.connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        if "migrations" not in tables:
            if tables:
                raise UserError(f"{self.path} is a DuckDB file but no leaderboard: it has tables of something else")
            return 0
        return max(
            (version for (version,) in self.connection.execute("SELECT version FROM migrations").fetchall()), default=0
        )

    def _check_version(self) -> None:
        version, newest = self._version(), max(_migrations())
        if version > newest:
            raise UserError(f"{self.path} was made by a newer version: update this program, or rebuild the file")
        if version < newest:
            raise UserError(f"{self.path} was made by an older version: any `leaderboard ingest` brings it up to date")

    def _migrate(self) -> None:
        version = self._version()
        self.connection.execute("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, name VARCHAR)")
        for number, path in sorted(_migrations().items()):
            if number > version:
                with self.transaction() as connection:
                    connection.execute(path.read_text(encoding="utf-8"))
                    connection.execute("INSERT INTO migrations VALUES (?, ?)", [number, path.stem])
        self._check_version()

    def _load_published(self) -> None:
        """Make what it has of papers equal to the files in published/."""
        from leaderboard.published.load import fingerprints, load

        loaded = dict(self.connection.execute("SELECT name, sha256 FROM published_files").fetchall())
        if loaded != fingerprints(PUBLISHED):
            with self.transaction() as connection:
                load(connection, PUBLISHED)


def open_or_empty(path: Path) -> Store:
    """The file to read from; one in memory with the papers alone where there is no file yet."""
    return Store(path, read_only=True) if path.is_file() else Store(":memory:")


def _migrations() -> dict[int, Path]:
    """Number -> file of each migration that ships: 0001_runs.sql is number 1."""
    return {int(path.name.split("_")[0]): path for path in MIGRATIONS.glob("*.sql")}


def _connect(path: Path, read_only: bool, wait: float) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + wait
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only)
        except duckdb.IOException as error:
            text = str(error)
            if "lock" not in text:
                raise UserError(f"{path} cannot be opened: {text.splitlines()[0]}") from error
            if time.monotonic() >= deadline:
                holder = re.search(r"PID (\d+)", text)
                who = f"process {holder[1]}" if holder else "another process"
                raise UserError(f"{path} is held by {who}: waited {wait:g} s, try again later") from error
        time.sleep(min(0.1, wait))
