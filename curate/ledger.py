"""The ledger: a DuckDB file with a row for every video, shot, track and clip, kept or not, and why. Nothing disappears.

Only the process that drives a build writes it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from curate.errors import UserError
from curate.files import DISK_FULL, NO_ACCESS, PARTIAL

LEDGER = "ledger.duckdb"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    item_id VARCHAR PRIMARY KEY,
    kind VARCHAR NOT NULL,        -- video, shot, track, clip
    video_id VARCHAR NOT NULL,
    parent_id VARCHAR,            -- a clip's track, a track's shot, a shot's video
    stage VARCHAR NOT NULL,       -- the last stage that spoke of it
    verdict VARCHAR NOT NULL,     -- kept, doubtful, dropped, failed
    reason VARCHAR NOT NULL,      -- empty when kept
    error_class VARCHAR,          -- of a failure
    attempts INTEGER NOT NULL,
    wall_s DOUBLE, cpu_s DOUBLE,  -- of a video: all stages
    start_frame INTEGER, end_frame INTEGER,
    scores JSON NOT NULL
);
CREATE TABLE IF NOT EXISTS sources (
    path VARCHAR PRIMARY KEY,     -- relative to the input folder
    size BIGINT NOT NULL, changed_ns BIGINT NOT NULL,
    sha256 VARCHAR NOT NULL, video_id VARCHAR NOT NULL,
    settings VARCHAR NOT NULL     -- fingerprint of the settings it was last processed with
);
CREATE TABLE IF NOT EXISTS clips (
    clip_id VARCHAR PRIMARY KEY,
    video_id VARCHAR NOT NULL,
    manifest JSON NOT NULL        -- the clip's manifest row
);
CREATE TABLE IF NOT EXISTS traces (
    clip_id VARCHAR PRIMARY KEY,
    video_id VARCHAR NOT NULL,
    trace JSON NOT NULL           -- what tells near-duplicates and persons: Trace
);
"""


@dataclass(frozen=True)
class Item:
    """One row of `items`."""

    item_id: str
    kind: str
    video_id: str
    parent_id: str | None
    stage: str
    verdict: str
    reason: str = ""
    error_class: str | None = None
    attempts: int = 1
    wall_s: float | None = None
    cpu_s: float | None = None
    start_frame: int | None = None
    end_frame: int | None = None
    scores: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceFile:
    """One row of `sources`: a file of the input, as it was when it was processed."""

    path: str
    size: int
    changed_ns: int
    sha256: str
    video_id: str
    settings: str

    @property
    def is_copy(self) -> bool:
        """Whether another file has the same bytes; the id of a copy holds its path."""
        return "@" in self.video_id


@dataclass(frozen=True)
class Trace:
    """What tells a clip's near-duplicates and who is seen in it."""

    clip_id: str
    track: int
    hashes: tuple[tuple[float, int], ...]  # seconds of the video, hashes.face_hash
    embedding: tuple[float, ...] | None  # of unit length


class Ledger:
    """Opened by one process at a time; `UserError` when another one has it."""

    def __init__(self, path: Path) -> None:
        import duckdb

        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if not path.exists():
                _create(path)
            self._db = duckdb.connect(str(path))
            self._db.execute(_SCHEMA)
        except duckdb.Error as error:
            _raise_of_disk(error, path)
            if "lock" in str(error).lower():
                raise UserError(f"{path} is in use by another process; wait for it or choose another --out") from error
            raise UserError(f"{path} cannot be opened: {str(error).splitlines()[0]}") from error
        self._path = path

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        import duckdb

        try:
            self._db.close()
        except duckdb.Error as error:
            if kind is None:  # else what went wrong first is told
                _raise_of_disk(error, self._path)
                raise

    def sources(self) -> dict[str, SourceFile]:
        """All processed files by path."""
        rows = self._db.execute("SELECT path, size, changed_ns, sha256, video_id, settings FROM sources").fetchall()
        return {row[0]: SourceFile(*row) for row in rows}

    def all_attempts(self) -> dict[str, int]:
        """How often each video was tried."""
        rows = self._db.execute("SELECT item_id, attempts FROM items WHERE kind = 'video'").fetchall()
        return {str(row[0]): int(row[1]) for row in rows}

    def replace(
        self,
        source: SourceFile,
        items: Sequence[Item],
        clips: Sequence[dict[str, Any]],
        traces: Sequence[Trace] = (),
    ) -> list[str]:
        """Store all rows of one video in one transaction, in place of what was there; gives the paths (in the dataset)
        of clips that are no longer wanted."""
        db = self._db
        db.begin()
        try:
            rows = db.execute("SELECT manifest FROM clips WHERE video_id = ?", [source.video_id]).fetchall()
            old = {json.loads(row[0])["path"] for row in rows}
            db.execute("DELETE FROM clips WHERE video_id = ?", [source.video_id])
            db.execute("DELETE FROM items WHERE video_id = ?", [source.video_id])
            db.execute("DELETE FROM traces WHERE video_id = ?", [source.video_id])
            for trace in traces:
                values = [trace.clip_id, source.video_id, json.dumps(asdict(trace))]
                db.execute("INSERT INTO traces VALUES (?, ?, ?)", values)
            for item in items:
                values = [*vars(item).values()]
                values[-1] = json.dumps(item.scores, sort_keys=True)
                db.execute(f"INSERT INTO items VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608 marks only
            for clip in clips:
                text = json.dumps(clip, sort_keys=True)
                db.execute("INSERT INTO clips VALUES (?, ?, ?)", [clip["clip_id"], source.video_id, text])
            db.execute("INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?, ?)", [*vars(source).values()])
            db.commit()
        except BaseException as error:
            with suppress(Exception):  # after an error of the disk DuckDB refuses even that
                db.rollback()
            _raise_of_disk(error, self._path)
            raise
        return sorted(old - {clip["path"] for clip in clips})

    def manifest_rows(self) -> list[dict[str, Any]]:
        """The manifest rows of all clips, in the order of their ids."""
        rows = self._db.execute("SELECT manifest FROM clips ORDER BY clip_id").fetchall()
        return [json.loads(row[0]) for row in rows]

    def effort(self, video_id: str) -> tuple[int, float | None, float | None]:
        """Attempts, wall and CPU seconds of a video; 0 and None where it has no row."""
        row = self._db.execute("SELECT attempts, wall_s, cpu_s FROM items WHERE item_id = ?", [video_id]).fetchone()
        return (0, None, None) if row is None else (int(row[0]), row[1], row[2])

    def traces(self) -> list[tuple[str, Trace]]:
        """Video and trace of all clips that have one, in the order of clip ids."""
        rows = self._db.execute("SELECT video_id, trace FROM traces ORDER BY clip_id").fetchall()
        return [(str(row[0]), _trace(json.loads(row[1]))) for row in rows]

    def failures(self) -> list[tuple[str, str]]:
        """File and reason of every video that failed."""
        rows = self._db.execute(
            "SELECT scores->>'file', reason FROM items WHERE verdict = 'failed' ORDER BY item_id"
        ).fetchall()
        return [(str(row[0]), str(row[1])) for row in rows]

    def counts(self) -> list[tuple[str, str, str, int]]:
        """Kind, verdict, reason (numbers in it left out, so that alike reasons stand together) and how many."""
        rows = self._db.execute(
            """
            SELECT * FROM (
                SELECT kind, verdict, regexp_replace(reason, '[0-9][0-9.,%]*', '#', 'g') AS why, count(*) AS n
                FROM items GROUP BY ALL
            ) ORDER BY list_position(['video', 'shot', 'track', 'clip'], kind), verdict != 'kept', n DESC, verdict, why
            """
        ).fetchall()
        return [(str(row[0]), str(row[1]), str(row[2]), int(row[3])) for row in rows]


def _create(path: Path) -> None:
    """Make an empty ledger under another name first: a kill in between would leave a file that is none."""
    import duckdb

    partial = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    try:
        with duckdb.connect(str(partial)) as db:
            db.execute(_SCHEMA)
        try:
            os.link(partial, path)
        except FileExistsError:
            pass  # another process was quicker
        except OSError:
            partial.replace(path)  # a file system without hard links
    finally:
        for leftover in (partial, partial.with_name(f"{partial.name}.wal")):
            leftover.unlink(missing_ok=True)


def _raise_of_disk(error: BaseException, path: Path) -> None:
    """Raise DuckDB's error as the `OSError` that it tells of, if it does."""
    for code in (*DISK_FULL, *NO_ACCESS):
        if os.strerror(code) in str(error):
            raise OSError(code, os.strerror(code), str(path)) from error


def _trace(value: dict[str, Any]) -> Trace:
    hashes = tuple((float(time), int(hash_)) for time, hash_ in value["hashes"])
    return Trace(value["clip_id"], value["track"], hashes, value["embedding"] and tuple(value["embedding"]))
