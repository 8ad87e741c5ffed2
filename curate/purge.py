"""Take a video or a clip out of a dataset for good: its files and rows go, a tombstone keeps builds from making it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from curate import manifest
from curate.dataset import MANIFEST
from curate.errors import UserError
from curate.files import atomic
from curate.ledger import LEDGER, Item, Ledger, SourceFile
from curate.ledger_queries import Contents, Entry, manifest_rows, read

TOMBSTONES = "tombstones.jsonl"
_DOWNLOADS = ("raw", "facts", "downloads")  # folders of a dataset in which a download leaves files


@dataclass(frozen=True)
class Tombstone:
    """What must not come back. A clip's names its span and box, because other settings give it another id."""

    id: str  # of the video or the clip
    video_id: str
    sha256: str | None  # of the video's file
    date: str  # 2026-01-31, UTC
    reason: str
    start_frame: int | None = None  # of a clip; None: the whole video is gone
    end_frame: int | None = None
    box: tuple[int, int, int, int] | None = None

    @property
    def is_video(self) -> bool:
        """Whether it stands for a whole video."""
        return self.start_frame is None

    def covers(self, row: Mapping[str, Any]) -> bool:
        """Whether a clip with the manifest columns video_id, start_frame, end_frame, box_* must not be made.

        So it is if it is of this video and, where one clip was purged, shares frames and a part of the picture with it.
        """
        if row["video_id"] != self.video_id:
            return False
        if self.start_frame is None or self.end_frame is None:
            return True
        if row["start_frame"] >= self.end_frame or row["end_frame"] <= self.start_frame:
            return False
        edges = [row[f"box_{side}"] for side in ("left", "top", "right", "bottom")]
        if self.box is None or any(edge is None for edge in edges):
            return True
        middle = ((edges[0] + edges[2]) / 2, (edges[1] + edges[3]) / 2)
        ours = ((self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2)
        return _inside(middle, self.box) or _inside(ours, edges)


def _inside(point: tuple[float, float], box: Sequence[float]) -> bool:
    return box[0] <= point[0] < box[2] and box[1] <= point[1] < box[3]


def tombstones(out: Path) -> dict[str, Tombstone]:
    """The tombstones of the dataset `out` by id, none if it has none; `UserError` where the file is damaged."""
    path = out / TOMBSTONES
    if not path.is_file():
        return {}
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            value = json.loads(line)
            box = value.pop("box")
            stone = Tombstone(**value, box=None if box is None else tuple(box))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(f"{path}, line {number}: no tombstone ({error}); mend or remove the line") from error
        found[stone.id] = stone
    return found


@dataclass(frozen=True)
class Purged:
    """What was taken out."""

    tombstones: tuple[Tombstone, ...]
    files: tuple[str, ...]  # removed, relative to the dataset
    clips_left: int


def purge(out: Path, ids: Sequence[str], reason: str = "") -> Purged:
    """Remove videos and clips from the dataset `out`.

    An id is that of a video or clip of the ledger, or the name of a video's file without its ending (a YouTube id).
    Goes on where a killed run stopped; ids that are purged already stay so. Files outside `out` are never touched.
    `UserError` for an id that the ledger has not, before anything is removed.
    """
    contents = read(out)
    today = datetime.now(UTC).date().isoformat()
    before = tombstones(out)
    stones = [before.get(stone.id, stone) for name in ids for stone in _found(contents, name, today, reason)]
    stones = list({stone.id: stone for stone in stones}.values())
    # first of all: nothing brings it back from here on
    _write_tombstones(out, {**before, **{stone.id: stone for stone in stones}})
    with Ledger(out / LEDGER) as ledger:
        sources = {file.video_id: file for file in ledger.sources().values()}
        for video_id in dict.fromkeys(stone.video_id for stone in stones):
            here = {stone.id: stone for stone in stones if stone.video_id == video_id}
            source = sources.get(video_id) or SourceFile(video_id, 0, 0, "", video_id, "")  # it never had a file
            _forget(ledger, source, contents, here)
        rows = _left(out, {str(row["clip_id"]) for row in ledger.manifest_rows()})
    manifest.write(out, rows)
    wanted = {(out / str(row["path"])).resolve() for row in rows}
    files = [path for stone in stones for path in _files(out, stone, contents) if path.resolve() not in wanted]
    for path in files:
        path.unlink(missing_ok=True)
    removed = [path.relative_to(out).as_posix() for path in files]
    if (out / "report" / "report.json").is_file():  # it shows pictures of what is gone
        shutil.rmtree(out / "report")
        removed.append("report")
    return Purged(tuple(stones), tuple(dict.fromkeys(removed)), len(rows))


def _left(out: Path, clips: set[str]) -> list[dict[str, Any]]:
    """The manifest's rows of clips that the ledger still has: persons and splits stay as they were. Duplicates of what
    is gone become those of the first of them."""
    path = out / MANIFEST
    rows = [row for row in (manifest_rows(out) if path.is_file() else []) if row["clip_id"] in clips]
    heirs: dict[str, str] = {}
    for row in rows:
        original = row["duplicate_of"]
        if original is not None and original not in clips:
            heir = heirs.setdefault(original, row["clip_id"])
            row["duplicate_of"] = None if heir == row["clip_id"] else heir
    return rows


def _found(contents: Contents, name: str, date: str, reason: str) -> Iterator[Tombstone]:
    sha256 = {source["video_id"]: source["sha256"] for source in contents.sources}
    videos = contents.of("video")
    clip = next((entry for entry in contents.of("clip") if entry.item_id == name), None)
    if clip is not None:
        yield _of_clip(clip, sha256.get(clip.video_id), date, reason)
        return
    matching = [video for video in videos if video.item_id == name] or [
        video for video in videos if name in _names(video.item_id, contents)
    ]
    if not matching:
        near = get_close_matches(name, [entry.item_id for entry in videos], n=2, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise UserError(f"the ledger has no video or clip {name!r}{hint}")
    for entry in matching:
        yield Tombstone(entry.item_id, entry.video_id, sha256.get(entry.item_id), date, reason)


def _of_clip(clip: Entry, sha256: str | None, date: str, reason: str) -> Tombstone:
    box = clip.scores.get("box")
    where = (int(box[0]), int(box[1]), int(box[2]), int(box[3])) if isinstance(box, list) and len(box) == 4 else None
    return Tombstone(clip.item_id, clip.video_id, sha256, date, reason, clip.start_frame, clip.end_frame, where)


def _write_tombstones(out: Path, stones: dict[str, Tombstone]) -> None:
    with atomic(out / TOMBSTONES) as partial, partial.open("w", encoding="utf-8") as lines:
        for name in sorted(stones):
            lines.write(json.dumps(asdict(stones[name]), ensure_ascii=False) + "\n")


def _forget(ledger: Ledger, source: SourceFile, contents: Contents, stones: Mapping[str, Tombstone]) -> None:
    """Put the tombstones of one video in place of its rows, or of those of its clips."""
    whole = any(stone.is_video for stone in stones.values())
    left = [] if whole else [entry for entry in contents.items if entry.video_id == source.video_id]
    items = [_as_item(entry) for entry in left if entry.item_id not in stones]
    clips = [row for row in contents.clips if row["video_id"] == source.video_id and row["clip_id"] not in stones]
    traces = [trace for video, trace in ledger.traces() if video == source.video_id and trace.clip_id not in stones]
    stones_as_items = [_item(stone) for stone in stones.values()]
    ledger.replace(source, [*items, *stones_as_items], [] if whole else clips, [] if whole else traces)


def _as_item(entry: Entry) -> Item:
    columns = {**vars(entry), **entry.others}
    return Item(**{field.name: columns[field.name] for field in fields(Item)})


def _item(stone: Tombstone) -> Item:
    return Item(
        item_id=stone.id,
        kind="video" if stone.is_video else "clip",
        video_id=stone.video_id,
        parent_id=None if stone.is_video else stone.video_id,
        stage="purge",
        verdict="purged",
        reason=f"{stone.date}: {stone.reason}" if stone.reason else stone.date,
        start_frame=stone.start_frame,
        end_frame=stone.end_frame,
        scores={} if stone.box is None else {"box": list(stone.box)},
    )


def _files(out: Path, stone: Tombstone, contents: Contents) -> Iterator[Path]:
    """What the dataset's folder holds of it: clips by their names, the analysis, a raw file that was kept."""
    name = re.escape(stone.id)
    pattern = re.compile(rf"{name}_\d+_\d+_[0-9a-f]{{8}}\.mp4" if stone.is_video else rf"{name}\.mp4")
    yield from _in(out / "clips", lambda name: pattern.fullmatch(name) is not None)
    for row in contents.clips:
        if row["clip_id"] == stone.id or (stone.is_video and row["video_id"] == stone.id):
            path = out / str(row["path"])
            if path.is_file() and path.resolve().is_relative_to(out.resolve()):
                yield path
    if stone.is_video:
        yield from _in(out / "analysis", lambda name: name == f"{stone.id}.json")
        names = {stone.id, *_names(stone.id, contents)}
        for folder in _DOWNLOADS:
            yield from _in(out / folder, lambda name: _belongs(name, names))


def _names(video_id: str, contents: Contents) -> set[str]:
    """What a video's files may be called: the id without its hash, and the stem of the file or the name in a list."""
    stems = {Path(source["path"]).stem for source in contents.sources if source["video_id"] == video_id}
    return {re.sub(r"-[0-9a-f]{8}$", "", video_id), *stems}


def _belongs(file: str, names: set[str]) -> bool:
    """Whether a file, or the folder of a download that was not finished, is named for one of some videos: by the name
    alone, or with a dot and what says which part of the video it is."""
    return any(re.fullmatch(rf"{re.escape(name)}(\.[A-Za-z0-9.-]+)*", file) for name in names)


def _in(folder: Path, wanted: Callable[[str], bool]) -> list[Path]:
    """The files of a folder that are wanted by their name, or by that of the folder in it where they lie."""
    paths = sorted(folder.rglob("*")) if folder.is_dir() else []
    return [path for path in paths if not path.is_dir() and wanted(path.relative_to(folder).parts[0])]
