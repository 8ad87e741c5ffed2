"""Our own lists, JSONL and Parquet: the columns of the manifest, so that a dataset's manifest is a list too.

A row with a `clip_id` is a tube, one without is a video. Beside the manifest's columns there are `chunk` (Span.part),
`warning`, `attributes` (text by name) and `list_format`: that of the list it was written from, where that has a
convention of its own for crops; it is then the format of what is read.

`start_frame`, `end_frame` and `fps` say which frames at which rate; where they are absent, `start_s` and `end_s` are
the span. `width` and `height` are the size that is asked for, `ref_*` that of the frame in which the box was measured,
1 x 1 for fractions. A manifest's other columns become attributes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from curate.errors import UserError, unknown
from curate.files import atomic
from curate.lists.convention import CONVENTIONS
from curate.lists.text import bad, numbered, read_text, videos_of, write_text, youtube_id
from curate.lists.tube import RefBox, Span, Tube, Video, VideoList

Row = dict[str, Any]

_EDGES = ("box_left", "box_top", "box_right", "box_bottom")
_MORE = {"chunk": "int64", "warning": "string", "attributes": "string", "list_format": "string"}
_FIELDS = {"clip_id", "video_id", "source_url", "identity_id", "split", "width", "height", *_EDGES, *_MORE}
_FIELDS |= {"ref_width", "ref_height"}
_WORDS = {"attributes": "object of texts by name", "bool_": "boolean"}
_FRACTIONS = {*_EDGES, "ref_width", "ref_height"}  # whole numbers in the manifest, not in every list


def columns() -> dict[str, str]:
    """Names and kinds of all columns of a list."""
    from curate.manifest import COLUMNS

    return {**COLUMNS, **_MORE}


def read_jsonl(path: Path) -> VideoList:
    """Read one JSON object a line; `UserError` with the line for what is no row of a list."""
    rows = []
    for number, line in numbered(read_text(path)):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise bad(path, number, f"is no JSON: {error}") from error
        if not isinstance(row, dict):
            raise bad(path, number, "is no JSON object")
        rows.append((f"{path}:{number}", row))
    return _listing("jsonl", rows)


def read_parquet(path: Path) -> VideoList:
    """Read a Parquet file, or the manifest of a dataset's folder; `UserError` with the row, counted from 1."""
    import pyarrow.parquet as pq

    from curate.dataset import MANIFEST

    path = path / MANIFEST if path.is_dir() else path
    try:
        table = pq.read_table(path).to_pylist()
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no readable Parquet file: {error}".splitlines()[0]) from error
    for row in table:
        if isinstance(row.get("attributes"), str):
            row["attributes"] = _attributes(row["attributes"])
    return _listing("parquet", [(f"{path}, row {number}", row) for number, row in enumerate(table, 1)])


def _attributes(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text  # no object: an error where the row is checked


def _listing(name: str, rows: Sequence[tuple[str, Row]]) -> VideoList:
    kinds = columns()
    videos: dict[str, Video] = {}
    tubes: list[Tube] = []
    urls: dict[str, str | None] = {}
    for where, row in rows:
        known = _checked(where, row, kinds)
        video_id = known.get("video_id") or youtube_id(known.get("source_url"))
        if not video_id:
            raise UserError(f"{where}: has neither a video_id nor a source_url on YouTube")
        urls[video_id] = urls.get(video_id) or known.get("source_url")
        try:
            if "clip_id" in known:
                tubes.append(_tube(video_id, known))
            else:
                videos[video_id] = _video(video_id, known)
        except ValueError as error:
            raise UserError(f"{where}: {error}") from error
    inferred = [video for video in videos_of(tubes, urls) if video.video_id not in videos]
    formats = {row.get("list_format") for _, row in rows}
    meant = formats.pop() if len(formats) == 1 else None
    return VideoList(meant if meant in CONVENTIONS else name, (*videos.values(), *inferred), tuple(tubes))


_KINDS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "bool_": lambda value: isinstance(value, bool),
    "int64": lambda value: isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 62,
    "float64": lambda value: isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300,
}


def _checked(where: str, row: Row, kinds: Mapping[str, str]) -> Row:
    """The cells that are not NULL; `UserError` for a column that does not exist or a value of another kind."""
    for name, value in row.items():
        if name not in kinds:
            raise UserError(f"{where}: {unknown('column', str(name), kinds)}")
        if value is None:
            continue
        if name == "attributes":
            right = isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
        else:
            right = _KINDS["float64" if name in _FRACTIONS else kinds[name]](value)
        if not right:
            raise UserError(f"{where}: {name} {value!r} is no {_WORDS.get(name, kinds[name])}")
    return {name: value for name, value in row.items() if value is not None}


def _tube(video_id: str, row: Row) -> Tube:
    span = _span(row)
    spent = {"start_frame", "end_frame", "fps"} if span and span.unit == "frame" else {"start_s", "end_s"}
    return Tube(
        name=row["clip_id"],
        video_id=video_id,
        span=span,
        box=_box(row),
        identity_id=row.get("identity_id"),
        split=row.get("split"),
        resize=_pair(row, "width", "height"),
        warning=row.get("warning", ""),
        attributes=_others(row, spent),
    )


def _video(video_id: str, row: Row) -> Video:
    if {"start_frame", "start_s", *_EDGES} & set(row):
        raise ValueError("has a span or a box, so it is a clip, and a clip needs a clip_id")
    url, file = row.get("source_url"), row.get("path")
    return Video(video_id, url, file, row.get("split"), row.get("identity_id"), _others(row, {"path"}))


def _span(row: Row) -> Span | None:
    frames, seconds = _pair(row, "start_frame", "end_frame"), _pair(row, "start_s", "end_s")
    if frames:
        span = Span(*frames, "frame", fps=row.get("fps"), part=row.get("chunk"))
    elif seconds:
        span = Span(*seconds, "second")
    else:
        return None
    if not 0 <= span.start < span.end:
        raise ValueError(f"the span {span.start:g} to {span.end:g} is empty")
    if span.fps is not None and span.fps <= 0:
        raise ValueError(f"fps is {span.fps:g}")
    return span


def _box(row: Row) -> RefBox | None:
    if not any(name in row for name in _EDGES):
        return None
    if not all(name in row for name in _EDGES):
        raise ValueError(f"a box needs all of {', '.join(_EDGES)}")
    left, top, right, bottom = (row[name] for name in _EDGES)
    box = RefBox(left, top, right, bottom, row.get("ref_width"), row.get("ref_height"))
    if box.left >= box.right or box.top >= box.bottom or 0 in (box.width, box.height):
        raise ValueError("the box or the frame it lies in is empty")
    return box


def _pair(row: Row, first: str, second: str) -> tuple[Any, Any] | None:
    if (first in row) != (second in row):
        raise ValueError(f"{first} and {second} belong together")
    return (row[first], row[second]) if first in row else None


def _others(row: Row, spent: set[str]) -> dict[str, str]:
    """What else a row says, as text by column's name, and its attributes."""
    texts = {name: _text(value) for name, value in row.items() if name not in _FIELDS | spent}
    return {**texts, **row.get("attributes", {})}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def write_jsonl(listing: VideoList, path: Path) -> None:
    """Write one JSON object a line, without NULL columns; what only the list's own files hold (`extra`) is lost."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(listing)]
    write_text(path, "".join(lines))


def write_parquet(listing: VideoList, path: Path) -> None:
    """Write Parquet with all columns; box and frame are whole numbers unless one of them is not."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, kinds = _rows(listing), columns()
    if any(isinstance(row.get(name), float) for row in rows for name in _FRACTIONS):
        kinds |= dict.fromkeys(_FRACTIONS, "float64")
    for row in rows:
        if "attributes" in row:
            row["attributes"] = json.dumps(row["attributes"], ensure_ascii=False)
    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in kinds.items()])
    try:
        table = pa.Table.from_pylist(rows, schema=schema)
    except UnicodeEncodeError as error:
        raise bad(path, None, f"would hold {error.object!a}, which is no text") from error
    with atomic(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def _rows(listing: VideoList) -> list[Row]:
    kinds = columns()
    urls = {video.video_id: video.url for video in listing.videos}
    rows: list[Row] = []
    if listing.videos != videos_of(listing.tubes, urls):
        for video in listing.videos:
            row = {"video_id": video.video_id, "source_url": video.url, "path": video.file}
            row |= {"identity_id": video.identity_id, "split": video.split}
            rows.append(_with_others(row, video.attributes, kinds, {"start_frame", "start_s", "path"}))
    rows += [_with_others(*_tube_row(tube, urls), kinds=kinds) for tube in listing.tubes]
    if listing.format in CONVENTIONS:
        rows = [{**row, "list_format": listing.format} for row in rows]
    return rows


def _tube_row(tube: Tube, urls: Mapping[str, str | None]) -> tuple[Row, Mapping[str, str]]:
    span, box = tube.span, tube.box
    row: Row = {"clip_id": tube.name, "video_id": tube.video_id, "source_url": urls.get(tube.video_id)}
    row |= {"identity_id": tube.identity_id, "split": tube.split, "warning": tube.warning or None}
    if tube.resize:
        row |= dict(zip(("width", "height"), tube.resize, strict=True))
    if box:
        sides = (box.left, box.top, box.right, box.bottom, box.width, box.height)
        row |= {name: _plain(value) for name, value in zip((*_EDGES, "ref_width", "ref_height"), sides, strict=True)}
    if span and span.unit == "frame":
        row |= {"start_frame": _plain(span.start), "end_frame": _plain(span.end), "fps": span.fps, "chunk": span.part}
    elif span:
        row |= {"start_s": span.start, "end_s": span.end}
    return row, tube.attributes


def _plain(value: float | None) -> float | None:
    return int(value) if value is not None and value == int(value) else value


def _with_others(
    row: Row, attributes: Mapping[str, str], kinds: Mapping[str, str], taken: set[str] | None = None
) -> Row:
    """The row with its attributes: those that are a manifest column's value in that column, the others together."""
    if taken is None:
        in_frames = "start_frame" in row
        taken = {"start_frame", "end_frame", *(["fps"] if in_frames else ["start_s", "end_s"])}
    others = {}
    for name, text in attributes.items():
        value = _value(text, kinds[name]) if name in kinds and name not in _FIELDS | taken else None
        if value is None:
            others[name] = text
        else:
            row[name] = value
    return {name: value for name, value in {**row, "attributes": others or None}.items() if value is not None}


def _value(text: str, kind: str) -> Any:
    """The value whose text this is, or None if there is none of that kind."""
    if kind == "string":
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if kind == "float64" and not isinstance(value, float):  # a float column would give 0.0 back for 0
        return None
    return value if _KINDS[kind](value) and _text(value) == text else None
