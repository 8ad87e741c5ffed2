"""The lists of FOMM's video-preprocessing: `vox-metadata.csv` and, without persons, `taichi-metadata.csv`.

`start` and `end` count frames of the whole video at `fps`, `end` excluded; `bbox` is left-top-right-bottom in pixels of
`width` x `height`, already expanded.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from curate.errors import UserError
from curate.lists.text import bad, numbered, read_text, videos_of, whole, write_text
from curate.lists.tube import RefBox, Span, Tube, VideoList

COLUMNS = ("video_id", "start", "end", "bbox", "fps", "width", "height")
SPLIT, PERSON = "partition", "person_id"  # columns that follow in published lists; the authors' cropping writes neither
SIDE = 256  # pixels; what the authors resize every crop to
_BOX = re.compile(r"(-?\d{1,9})-(-?\d{1,9})-(-?\d{1,9})-(-?\d{1,9})")
_FPS = re.compile(r"\d{1,4}(\.\d+)?")


def tube_name(person: str | None, video_id: str, start: int, end: int) -> str:
    """Name of the clip, without `.mp4`: `{person}#{video}#{start:06}#{end:06}`."""
    return "#".join([*([person] if person else []), video_id, f"{start:06}", f"{end:06}"])


def read(path: Path) -> VideoList:
    """Tubes in the file's order, repeated rows too; `UserError` for a row that does not fit the header."""
    lines = numbered(read_text(path))
    header = tuple(lines[0][1].split(",")) if lines else ()
    if header[: len(COLUMNS)] != COLUMNS or header[len(COLUMNS) :] not in ((), (SPLIT,), (SPLIT, PERSON)):
        raise bad(path, 1, f"the header is not {','.join(COLUMNS)}, then {SPLIT} or {SPLIT},{PERSON} or nothing")
    tubes = tuple(_tube(path, number, line, header) for number, line in lines[1:])
    return VideoList("fomm", videos_of(tubes), tubes)


def _tube(path: Path, number: int, line: str, header: tuple[str, ...]) -> Tube:
    cells = line.split(",")
    if len(cells) != len(header):
        raise bad(path, number, f"{len(cells)} columns, and the header has {len(header)}")
    row = dict(zip(header, cells, strict=True))
    box = _BOX.fullmatch(row["bbox"])
    if box is None:
        raise bad(path, number, f"bbox {row['bbox'][:60]!r} is not left-top-right-bottom")
    if not all(re.fullmatch(r"\d{1,9}", row[name]) for name in ("start", "end", "width", "height")):
        raise bad(path, number, "start, end, width and height are whole numbers")
    start, end, width, height = (int(row[name]) for name in ("start", "end", "width", "height"))
    left, top, right, bottom = (int(value) for value in box.groups())
    fps = float(row["fps"]) if _FPS.fullmatch(row["fps"]) else 0.0
    if not fps:
        raise bad(path, number, f"fps {row['fps']!r} is no frame rate")
    if start >= end or left >= right or top >= bottom or not width or not height:
        raise bad(path, number, "the tube is empty (needs start < end, left < right, top < bottom, a frame size)")
    if not all(cells):
        raise bad(path, number, "a cell is empty")
    person = row.get(PERSON)
    return Tube(
        name=tube_name(person, row["video_id"], start, end),
        video_id=row["video_id"],
        span=Span(start, end, "frame", fps=fps),
        box=RefBox(left, top, right, bottom, width, height),
        identity_id=person,
        split=row.get(SPLIT),
        resize=(SIDE, SIDE),
        attributes={} if row["fps"] == _fps(fps) else {"fps_as_written": row["fps"]},
    )


def write(listing: VideoList, path: Path) -> None:
    """Write the tubes, with splits if one has one, and with persons if all have splits and persons.

    `UserError` for a tube that this format cannot say.
    """
    with_split = any(tube.split for tube in listing.tubes)
    with_person = with_split and all(tube.identity_id for tube in listing.tubes)
    header = (*COLUMNS, *([SPLIT] if with_split else []), *([PERSON] if with_person else []))
    rows = [",".join(header), *(_line(tube, with_split, with_person) for tube in listing.tubes)]
    write_text(path, "\n".join(rows) + "\n")


def _line(tube: Tube, with_split: bool, with_person: bool) -> str:
    span, box = tube.span, tube.box
    if span is None or span.part is not None or (span.unit == "frame" and span.fps is None):
        raise UserError(f"{tube.name}: this format counts frames of the whole video at a known rate")
    if box is None or box.width is None or box.height is None or (box.width, box.height) == (1, 1):
        raise UserError(f"{tube.name}: this format has boxes in pixels of a known frame size")
    if with_split and not tube.split:
        raise UserError(f"{tube.name} is in no split, and others of the list are; this format names one on each row")
    rate = span.fps or 25.0
    start, end = (span.start, span.end) if span.unit == "frame" else _frames(span, rate)
    numbers = [str(whole(value, f"a number of {tube.name}")) for value in (start, end)]
    sides = "-".join(
        str(whole(value, f"a side of {tube.name}")) for value in (box.left, box.top, box.right, box.bottom)
    )
    size = [str(whole(value, f"the frame of {tube.name}")) for value in (box.width, box.height)]
    fps = tube.attributes.get("fps_as_written", _fps(rate))
    cells = [tube.video_id, *numbers, sides, fps, *size]
    cells += [tube.split or ""] if with_split else []
    cells += [tube.identity_id or ""] if with_person else []
    if any("," in cell or "\n" in cell for cell in cells):
        raise UserError(f"{tube.name}: a comma or a line end cannot be in a cell of this format")
    return ",".join(cells)


def _frames(span: Span, rate: float) -> tuple[int, int]:
    """The frames at `rate` whose times lie in a span of seconds."""
    return math.ceil(span.start * rate - 1e-6), math.ceil(span.end * rate - 1e-6)


def _fps(rate: float) -> str:
    return f"{rate:g}" if rate == int(rate) else repr(rate)
