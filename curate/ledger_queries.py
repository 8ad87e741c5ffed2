"""Questions to a finished dataset's ledger and manifest, both opened read-only; columns are found by their names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.dataset import MANIFEST
from curate.errors import UserError
from curate.ledger import LEDGER

KINDS = ("video", "shot", "track", "clip")
_NUMBER = re.compile(r"[0-9][0-9.,%]*")


@dataclass(frozen=True)
class Entry:
    """One item of the ledger, with its length in seconds where its video's frame rate is known."""

    item_id: str
    kind: str
    video_id: str
    parent_id: str | None
    verdict: str
    reason: str
    error_class: str | None
    attempts: int
    wall_s: float | None
    cpu_s: float | None
    start_frame: int | None
    end_frame: int | None
    seconds: float | None
    scores: dict[str, Any]
    others: dict[str, Any]  # columns that the ledger has besides

    @property
    def kept(self) -> bool:
        """Whether it was kept."""
        return self.verdict == "kept"


@dataclass(frozen=True)
class Contents:
    """A ledger as it was when it was read."""

    items: tuple[Entry, ...]  # videos, shots, tracks, clips, then others; each in the order of ids
    sources: tuple[dict[str, Any], ...]  # input files by path
    clips: tuple[dict[str, Any], ...]  # manifest rows by clip id

    def of(self, kind: str) -> list[Entry]:
        """The items of one kind."""
        return [entry for entry in self.items if entry.kind == kind]


def read(out: Path) -> Contents:
    """Read the ledger of the dataset folder `out`; `UserError` where there is none or another process has it."""
    import duckdb

    path = out / LEDGER
    if not path.is_file():
        raise UserError(f"{out} has no {LEDGER}; make a dataset with: curate build --input VIDEOS --out {out}")
    try:
        db = duckdb.connect(str(path), read_only=True)
    except duckdb.Error as error:
        if "lock" in str(error).lower():
            raise UserError(f"{path} is in use by another process; wait for it") from error
        raise UserError(f"{path} cannot be opened: {str(error).splitlines()[0]}") from error
    try:
        items = _rows(db.execute("SELECT * FROM items"))
        sources = _rows(db.execute("SELECT * FROM sources ORDER BY path"))
        clips = [json.loads(row["manifest"]) for row in _rows(db.execute("SELECT * FROM clips ORDER BY clip_id"))]
    except duckdb.Error as error:
        raise UserError(f"{path} is no ledger of this program: {str(error).splitlines()[0]}") from error
    finally:
        db.close()
    for row in items:
        row["scores"] = json.loads(row["scores"])
    rates = {row["video_id"]: row["scores"].get("fps") for row in items if row["kind"] == "video"}
    entries = [_entry(row, rates.get(row["video_id"])) for row in items]
    rank = {kind: i for i, kind in enumerate(KINDS)}
    entries.sort(key=lambda entry: (rank.get(entry.kind, len(KINDS)), entry.item_id))
    return Contents(tuple(entries), tuple(sources), tuple(clips))


def _rows(cursor: Any) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _entry(row: dict[str, Any], fps: object) -> Entry:
    known = {name: row.pop(name, None) for name in Entry.__dataclass_fields__ if name not in ("seconds", "others")}
    start, end = known["start_frame"], known["end_frame"]
    timed = isinstance(fps, int | float) and fps > 0 and start is not None and end is not None
    seconds = (end - start) / fps if timed else None
    return Entry(**known, seconds=seconds, others=row)


def manifest_rows(out: Path) -> list[dict[str, Any]]:
    """All columns of a dataset's manifest.parquet, a dict a clip in the order of ids; `UserError` if it has none."""
    import pyarrow.parquet as pq

    path = out / MANIFEST
    if not path.is_file():
        raise UserError(
            f"{out} is no dataset: it has no {MANIFEST}; make one with: curate build --input VIDEOS --out {out}"
        )
    try:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return sorted(rows, key=lambda row: str(row["clip_id"]))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} is no readable manifest: {error}") from error


def clip_path(out: Path, row: dict[str, Any]) -> Path:
    """Where a manifest row's clip lies; `UserError` if that is outside the dataset."""
    path = out / str(row["path"])
    if not path.resolve().is_relative_to(out.resolve()):
        raise UserError(f"{out / MANIFEST}: clip {row['clip_id']!r} lies outside the dataset's folder")
    return path


def total_seconds(entries: Iterable[Entry]) -> float:
    """Seconds of all entries whose length is known."""
    return sum(entry.seconds or 0.0 for entry in entries)


@dataclass(frozen=True)
class Group:
    """Items of one kind and verdict with alike reasons."""

    kind: str
    verdict: str
    reason: str
    count: int
    seconds: float


def grouped(entries: Iterable[Entry]) -> list[Group]:
    """Items counted by kind, verdict and reason; a number that differs between alike reasons is written #."""
    members: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        members.setdefault((entry.kind, entry.verdict, _NUMBER.sub("\0", entry.reason)), []).append(entry)
    groups = [
        Group(kind, verdict, common_reason([m.reason for m in found]), len(found), total_seconds(found))
        for (kind, verdict, _), found in members.items()
    ]
    rank = {kind: i for i, kind in enumerate(KINDS)}
    return sorted(groups, key=lambda g: (rank.get(g.kind, 9), g.verdict != "kept", -g.count, g.verdict, g.reason))


def common_reason(reasons: Sequence[str]) -> str:
    """One text for reasons that differ in numbers alone.

    >>> common_reason(["native side 200 < 256", "native side 240 < 256"])
    'native side # < 256'
    """
    numbers = [_NUMBER.findall(reason) for reason in reasons]
    shared = iter(column[0] if len(set(column)) == 1 else "#" for column in zip(*numbers, strict=True))
    return _NUMBER.sub(lambda _: next(shared), reasons[0])
