"""Lists of pairs as files: our own, and those that papers published, each read into the same rows.

Ours is a CSV file with the columns source and driving (ids of clips), and, where a pair is not whole clips, source_at
and driving_at (frames, with spaces between) and initial (the driving frame since which motion is relative). Published
ones name videos and frames as paths of somebody's disk:

- "fomm": source, driving, frame: two videos and the driving frame that is most like the source
- "frames": two frames each, .../<video>.mp4/<frame>.png, and MCNet's third column `anchor`, the initial driving frame;
  a video in place of the driving frame is taken whole. Of CelebV's, .../<person>/Image/<name>_<frame>.jpg, the person
  is the video. Their frames are numbered from 0, as far as one can see from the numbers.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.tasks.base import Pair
from curate.console import say
from curate.errors import UserError, unknown
from curate.files import atomic, printable

if TYPE_CHECKING:
    from curate.dataset import Clip

COLUMNS = ("source", "driving", "source_at", "driving_at", "initial")
LARGEST = 256 << 20  # bytes of a list
_FRAME = re.compile(r"(?:.*/)?(?P<video>[^/]+)\.mp4/?(?P<frame>\d{1,9})\.(?:png|jpg)", re.ASCII)
_VIDEO = re.compile(r"(?:.*/)?(?P<video>[^/]+)\.mp4", re.ASCII)
_CELEBV = re.compile(r"(?:.*/)?(?P<video>[^/]+)/Image/[^/]+_(?P<frame>\d{1,10})\.jpg", re.ASCII)


@dataclass(frozen=True)
class Listed:
    """A pair as a list has it, by the names that the list has for videos."""

    source: str
    driving: str
    source_at: tuple[int, ...] = ()  # frames; empty: as the task says
    driving_at: tuple[int, ...] = ()
    initial: int | None = None


def read(path: Path, form: str) -> list[Listed]:
    """The pairs of a file in the form "clips" (ours), "fomm" or "frames"; `UserError` names the line that is wrong."""
    if form not in READERS:
        raise unknown("form of a pair list", form, READERS)
    if path.stat().st_size > LARGEST:
        raise UserError(f"{path} is larger than {LARGEST} bytes: no list of pairs")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no CSV file: {error}") from error
    if not rows or rows[0][:2] not in (["source", "driving"], ["source_frame", "driving_video"]):
        raise UserError(f"{path}: the first line must name the columns source and driving")
    found = []
    for number, row in enumerate(rows[1:], start=2):
        try:
            found.append(READERS[form](row))
        except (ValueError, IndexError) as error:
            raise UserError(f"{path}, line {number}: {printable(str(error))[:200]}") from error
    single = list(dict.fromkeys(found))
    if len(single) < len(found):
        if form == "clips":
            raise UserError(f"{path} has a pair twice")
        say(f"{path.name} has {len(found) - len(single)} of its {len(found)} pairs twice: each is taken once")
    return single


def write(path: Path, pairs: Iterable[Pair]) -> None:
    """Write pairs in our own form, atomically; equal pairs give equal bytes."""
    with atomic(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        rows = [_row(pair) for pair in pairs]
        width = max((i + 1 for row in rows for i, cell in enumerate(row) if cell), default=2)
        writer.writerows([COLUMNS[:width], *(row[:width] for row in rows)])


def resolve(listed: Sequence[Listed], clips: Mapping[str, Clip]) -> tuple[list[Pair], list[str]]:
    """The pairs whose clips are there, and the names of those that are not; `clips` by the names of `names_of`.

    `UserError` when a frame lies outside its clip: then it is another clip than the list's.
    """
    pairs: list[Pair] = []
    lacking: dict[str, None] = {}
    for one in listed:
        source, driving = clips.get(plain(one.source)), clips.get(plain(one.driving))
        lacking |= dict.fromkeys(name for name, clip in ((one.source, source), (one.driving, driving)) if clip is None)
        if source is None or driving is None:
            continue
        initial = () if one.initial is None else (one.initial,)
        for clip, frames in ((source, one.source_at), (driving, (*one.driving_at, *initial))):
            if frames and max(frames) >= clip.n_frames:
                raise UserError(
                    f"the list asks for frame {max(frames)} of {clip.clip_id}, which has {clip.n_frames}: it was cut "
                    "otherwise than the list's clip"
                )
        pairs.append(Pair(source, driving, one.source_at, one.driving_at, one.initial))
    return pairs, list(lacking)


def names_of(clips: Sequence[Clip], list_names: Mapping[str, str]) -> dict[str, Clip]:
    """Clips by their ids and by the names that they have in the list they were cut from (clip id -> name)."""
    named = {plain(list_names[clip.clip_id]): clip for clip in clips if clip.clip_id in list_names}
    return named | {clip.clip_id: clip for clip in clips}


def plain(name: str) -> str:
    """A video's name without its suffix and without zeros before its last number: WDA_A_000.mp4 is WDA_A_0."""
    return re.sub(r"(?<=_)0+(?=\d+$)", "", name.removesuffix(".mp4"))


def _row(pair: Pair) -> tuple[str, ...]:
    frames = (" ".join(map(str, at)) for at in (pair.source_at, pair.driving_at))
    return (pair.source.clip_id, pair.driving.clip_id, *frames, "" if pair.initial is None else str(pair.initial))


def _clips(row: Sequence[str]) -> Listed:
    source, driving, *more = row
    frames = [tuple(map(int, cell.split())) for cell in (*more, "", "")[:2]]
    if not source or not driving or any(i < 0 for at in frames for i in at):
        raise ValueError("expected two clips, and frames that are not negative")
    initial = int(more[2]) if more[2:] and more[2] else None
    return Listed(source, driving, frames[0], frames[1], initial)


def _fomm(row: Sequence[str]) -> Listed:
    videos = [_match(_VIDEO, cell)["video"] for cell in row[:2]]
    initial = int(float(row[2])) if row[2:] and row[2] else None
    return Listed(videos[0], videos[1], initial=initial)


def _frames(row: Sequence[str]) -> Listed:
    source, driving = _frame(row[0]), _frame(row[1])
    if not source[1]:
        raise ValueError(f"expected a frame, got {row[0]!r}")
    anchor = _frame(row[2])[1] if row[2:] and row[2] else ()
    return Listed(source[0], driving[0], source[1], driving[1], anchor[0] if anchor else None)


def _frame(cell: str) -> tuple[str, tuple[int, ...]]:
    found = _FRAME.fullmatch(cell) or _CELEBV.fullmatch(cell)
    if found:
        return found["video"], (int(found["frame"]),)
    return _match(_VIDEO, cell)["video"], ()


def _match(pattern: re.Pattern[str], cell: str) -> re.Match[str]:
    found = pattern.fullmatch(cell)
    if found is None:
        raise ValueError(f"expected the name of a video, got {cell!r}")
    return found


READERS = {"clips": _clips, "fomm": _fomm, "frames": _frames}
