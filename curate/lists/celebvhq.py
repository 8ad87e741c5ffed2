"""CelebV-HQ's json (Zhu et al. 2022): `clips`, by name, each with a YouTube id, seconds, and a box in fractions."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curate.errors import UserError
from curate.lists.text import bad, read_text, videos_of, write_text, youtube_id
from curate.lists.tube import RefBox, Span, Tube, VideoList

_EDGES = ("left", "top", "right", "bottom")
_LAYOUT = ".layout"  # no key of the file: indent, whether it ends in a line end, whether it is ASCII


def read(path: Path) -> VideoList:
    """Tubes in the file's order. What else a clip holds is an attribute: text as it is, all else as JSON."""
    text = read_text(path)
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise bad(path, getattr(error, "lineno", None), f"is no JSON: {error}") from error
    if not isinstance(table, dict) or not isinstance(table.get("clips"), dict):
        raise bad(path, None, 'has no "clips" with a clip for each name')
    tubes = tuple(_tube(path, name, clip) for name, clip in table["clips"].items())
    extra = {key: json.dumps(value, ensure_ascii=False) for key, value in table.items() if key != "clips"}
    indent = re.match(r"\{\n( *)", text)
    extra[_LAYOUT] = json.dumps([len(indent.group(1)) if indent else None, text.endswith("\n"), text.isascii()])
    return VideoList("celebvhq", videos_of(tubes), tubes, extra)


def _tube(path: Path, name: str, clip: Any) -> Tube:
    try:
        video_id, duration, box = clip["ytb_id"], clip["duration"], clip["bbox"]
        start, end = _number(duration["start_sec"]), _number(duration["end_sec"])
        left, top, right, bottom = (_number(box[edge]) for edge in _EDGES)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise bad(path, None, f"clip {name!r} has no ytb_id, duration or bbox as CelebV-HQ's have ({error})") from error
    if not isinstance(video_id, str) or not 0 <= start < end or left >= right or top >= bottom:
        raise bad(path, None, f"clip {name!r} is empty (needs 0 <= start_sec < end_sec, left < right, top < bottom)")
    others = {key: _as_text(value) for key, value in clip.items() if key not in ("ytb_id", "duration", "bbox")}
    return Tube(name, video_id, Span(start, end, "second"), RefBox(left, top, right, bottom, 1, 1), attributes=others)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return value


def _as_text(value: Any) -> str:
    """A JSON value as text; a string that reads as no other value is itself."""
    return value if isinstance(value, str) and _as_value(value) == value else json.dumps(value, ensure_ascii=False)


def _as_value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def write(listing: VideoList, path: Path) -> None:
    """Write all clips; the same JSON as was read, and the same bytes where that file was as Python writes it.

    `UserError` for a tube without seconds or without a box that fractions can say.
    """
    urls = {video.video_id: video.url for video in listing.videos}
    clips: dict[str, Any] = {}
    for tube in listing.tubes:
        if tube.name in clips:
            raise UserError(f"{tube.name} is named twice, and CelebV-HQ's format has a name once")
        clips[tube.name] = _clip(tube, urls)
    layout = json.loads(listing.extra.get(_LAYOUT, "[null, false, true]"))
    others = {key: json.loads(text) for key, text in listing.extra.items() if key != _LAYOUT}
    text = json.dumps({**others, "clips": clips}, indent=layout[0], ensure_ascii=layout[2])
    write_text(path, text + ("\n" if layout[1] else ""))


def _clip(tube: Tube, urls: Mapping[str, str | None]) -> dict[str, Any]:
    span, box = tube.span, tube.box
    if span is None or span.unit != "second":
        raise UserError(f"{tube.name}: CelebV-HQ's format has spans in seconds")
    if box is None or box.width is None or box.height is None:
        raise UserError(f"{tube.name}: CelebV-HQ's format has boxes in fractions of a frame of known size")
    sides = {"top": box.top, "bottom": box.bottom, "left": box.left, "right": box.right}
    if (box.width, box.height) != (1, 1):
        sides = {k: v / (box.height if k in ("top", "bottom") else box.width) for k, v in sides.items()}
    return {
        "ytb_id": youtube_id(urls.get(tube.video_id)) or tube.video_id,
        "duration": {"start_sec": span.start, "end_sec": span.end},
        "bbox": sides,
        **{key: _as_value(text) for key, text in tube.attributes.items()},
    }
