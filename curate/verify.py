"""Whether a dataset is what it says: its clips, its two manifests and its ledger agree, byte by byte, row by row."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate import video
from curate.console import milestone, progress, say
from curate.dataset import MANIFEST
from curate.errors import BadVideo, UserError
from curate.files import sha256_file
from curate.ledger import LEDGER
from curate.ledger_queries import clip_path, manifest_rows, read
from curate.purge import tombstones

_AGAIN = "run the curate build that made the dataset once more"
_OF_THE_WHOLE = ("identity_id", "split", "duplicate_of")
_SYNTH = "synth.json"  # a dataset that was rendered: it has no ledger


@dataclass(frozen=True)
class Fault:
    """Something that is wrong, and how to mend it."""

    item: str
    what: str
    mend: str


@dataclass(frozen=True)
class Verified:
    """The result: how much was looked at, and all that is wrong."""

    clips: int
    gigabytes: float
    faults: tuple[Fault, ...]


def verify(out: Path) -> Verified:
    """Check every clip's hash, frame count and size, both manifests, and the ledger; nothing is written.

    `UserError` where `out` has no manifest that can be read at all.
    """
    rows = manifest_rows(out)
    faults = [*_manifests(out, rows)]
    size = 0
    with progress() as bar:
        task = bar.add_task("clips", total=len(rows), note="")
        for done, row in enumerate(rows, start=1):
            found = _clip(out, row)
            size += found[0]
            faults += found[1]
            bar.advance(task)
            if milestone(done, len(rows)):
                say(f"{done} of {len(rows)} clips")
    faults += _strays(out, rows)
    faults += _ledger(out, rows)
    return Verified(len(rows), size / 1e9, tuple(faults))


def _manifests(out: Path, rows: list[dict[str, Any]]) -> Iterator[Fault]:
    for name, count in Counter(str(row["clip_id"]) for row in rows).items():
        if count > 1:
            yield Fault(name, f"stands {count} times in {MANIFEST}", _AGAIN)
    path = (out / MANIFEST).with_suffix(".jsonl")
    if not path.is_file():
        yield Fault(path.name, "is not there", _AGAIN)
        return
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        others = {str(line["clip_id"]): line for line in lines}
    except (ValueError, KeyError, TypeError) as error:
        yield Fault(path.name, f"is no JSONL manifest ({error})", _AGAIN)
        return
    yield from _compared({str(row["clip_id"]): row for row in rows}, others, path.name)
    if len(lines) != len(others):
        yield Fault(path.name, "names a clip twice", _AGAIN)


def _compared(rows: dict[str, dict[str, Any]], others: dict[str, dict[str, Any]], name: str) -> Iterator[Fault]:
    """Where `others`, read from `name`, differ from the manifest's rows."""
    for clip_id in sorted(rows.keys() | others.keys()):
        if clip_id not in others:
            yield Fault(clip_id, f"is in {MANIFEST} and not in {name}", _AGAIN)
        elif clip_id not in rows:
            yield Fault(clip_id, f"is in {name} and not in {MANIFEST}", _AGAIN)
        else:
            ours, theirs = rows[clip_id], others[clip_id]
            differ = [key for key in sorted(ours.keys() | theirs.keys()) if not _same(ours.get(key), theirs.get(key))]
            if differ:
                yield Fault(clip_id, f"{MANIFEST} and {name} differ in {', '.join(differ)}", _AGAIN)


def _whole(row: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """The ledger's row of a clip with what the manifest adds to it: what only the whole dataset tells."""
    return {**told, **{name: row.get(name) for name in _OF_THE_WHOLE if told.get(name) is None}}


def _same(a: object, b: object) -> bool:
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


def _clip(out: Path, row: dict[str, Any]) -> tuple[int, list[Fault]]:
    """Bytes and faults of one clip."""
    name = str(row["clip_id"])
    try:
        path = clip_path(out, row)
    except UserError:
        return 0, [Fault(name, f"its path {row['path']!r} leads out of the dataset", _AGAIN)]
    if not path.is_file():
        return 0, [Fault(name, f"{row['path']} is not there", f"{_AGAIN}: it makes lost clips")]
    size, again = path.stat().st_size, f"delete {row['path']} and {_AGAIN}"
    if sha256_file(path) != row["sha256"]:
        return size, [Fault(name, f"{row['path']} has other bytes than its sha256 says", again)]
    try:
        info = video.info(path)
    except BadVideo as error:
        return size, [Fault(name, str(error), again)]
    faults = [
        Fault(name, f"{row['path']} has {found} {what}, the manifest says {row[column]}", again)
        for what, column, found in (
            ("frames", "n_frames", info.n_frames),
            ("columns", "width", info.width),
            ("lines", "height", info.height),
        )
        if found != row[column]
    ]
    return size, faults


def _strays(out: Path, rows: list[dict[str, Any]]) -> Iterator[Fault]:
    named = {(out / str(row["path"])).resolve() for row in rows}
    folder = out / "clips"
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if not path.is_dir() and path.resolve() not in named:
            place = path.relative_to(out).as_posix()
            yield Fault(place, "is in no manifest row", f"delete {place}")


def _ledger(out: Path, rows: list[dict[str, Any]]) -> Iterator[Fault]:
    if not (out / LEDGER).is_file():
        if not (out / _SYNTH).is_file():
            yield Fault(LEDGER, "is not there", _AGAIN)
        return
    contents = read(out)
    in_manifest = {str(row["clip_id"]): row for row in rows}
    in_ledger = {str(row["clip_id"]): row for row in contents.clips}
    yield from _compared(
        in_manifest, {clip: _whole(in_manifest.get(clip, {}), row) for clip, row in in_ledger.items()}, LEDGER
    )
    kept = {entry.item_id for entry in contents.items if entry.kind == "clip" and entry.kept}
    for clip_id in sorted(kept - in_manifest.keys()):
        yield Fault(clip_id, f"is kept by {LEDGER} and not in {MANIFEST}", _AGAIN)
    for clip_id in sorted(in_manifest.keys() - kept):
        yield Fault(clip_id, f"is in {MANIFEST} and not kept by {LEDGER}", _AGAIN)
    gone = tombstones(out)
    for row in rows:
        if any(tombstone.covers(row) for tombstone in gone.values()):
            yield Fault(str(row["clip_id"]), "was purged", f"curate purge {out} {row['clip_id']}")
