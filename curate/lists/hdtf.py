"""HDTF: five text files a subset, `{RD,WDA,WRA}_{video_url,resolution,annotion_time,crop_wh,crop_ratio}.txt`.

Clip i of a video is the i-th span of its line in `annotion_time`, named `{video}_{i}`. Its crop is in pixels of a frame
whose height `resolution` names; the width is not published. Some clips have no crop.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from curate.errors import UserError
from curate.lists.text import bad, numbered, read_text, whole, write_text
from curate.lists.tube import RefBox, Span, Tube, Video, VideoList

KINDS = ("video_url", "resolution", "annotion_time", "crop_wh", "crop_ratio")
SIDE = 512  # pixels; what the authors resize every crop to
_FILE = re.compile(rf"(.+)_({'|'.join(KINDS)})\.txt")
_SPAN = re.compile(r"(\d{1,4}):([0-5]\d)-(\d{1,4}):([0-5]\d)")
_NO_CROP = "the list has no crop for this clip: the whole frame is meant"
_NO_HEIGHT = "the list does not say of which frame height the crop is: pixels of the video as it is are taken"

Rows = dict[str, tuple[int, list[str]]]
"""First word of a line, without `.mp4`, to the line's number and its other words."""


def subsets(path: Path) -> list[str]:
    """The subsets that a folder holds, or the one that a file belongs to."""
    if path.is_dir():
        return sorted({found.group(1) for file in path.iterdir() if (found := _FILE.fullmatch(file.name))})
    found = _FILE.fullmatch(path.name)
    return [found.group(1)] if found else []


def read(path: Path) -> VideoList:
    """All subsets of a folder, or the one that a file belongs to; videos and clips in the files' order."""
    folder = path if path.is_dir() else path.parent
    names = subsets(path)
    if not names:
        raise bad(path, None, "has no files of HDTF, such as RD_video_url.txt")
    extra: dict[str, str] = {}
    videos: list[Video] = []
    tubes: list[Tube] = []
    for subset in names:
        of_subset = _subset(folder, subset, extra)
        videos += of_subset[0]
        tubes += of_subset[1]
    return VideoList("hdtf", tuple(videos), tuple(tubes), extra)


def _subset(folder: Path, subset: str, extra: dict[str, str]) -> tuple[list[Video], list[Tube]]:
    tables = {kind: _rows(folder / f"{subset}_{kind}.txt", kind, extra) for kind in KINDS}
    heights, urls = tables["resolution"], tables["video_url"]
    for kind in ("resolution", "annotion_time"):
        for name, (number, _) in tables[kind].items():
            if name not in urls:
                raise bad(folder / f"{subset}_{kind}.txt", number, f"{name} has no line in {subset}_video_url.txt")
    tubes: dict[str, Tube] = {}
    for name, (number, spans) in tables["annotion_time"].items():
        for index, text in enumerate(spans):
            clip = f"{name}_{index}"
            span = _span(folder / f"{subset}_annotion_time.txt", number, text)
            crop = tables["crop_wh"].get(clip)
            height = int(heights[name][1][0]) if name in heights else 0
            box = _box(crop[1], height) if crop else None
            ratio = tables["crop_ratio"].get(clip)
            attributes = {"subset": subset, **({"ratio": ratio[1][0]} if ratio else {})}
            warning = _NO_CROP if box is None else "" if height else _NO_HEIGHT
            tubes[clip] = Tube(
                clip, name, span, box, resize=(SIDE, SIDE) if box else None, warning=warning, attributes=attributes
            )
    for kind in ("crop_wh", "crop_ratio"):
        for clip, (number, _) in tables[kind].items():
            if clip not in tubes:
                raise bad(folder / f"{subset}_{kind}.txt", number, f"{clip} is no clip of {subset}_annotion_time.txt")
    videos = []
    for name, (_, words) in urls.items():
        attributes = {"subset": subset, **({"resolution": heights[name][1][0]} if name in heights else {})}
        videos.append(Video(name, words[0], attributes=attributes))
    return videos, list(tubes.values())


_WORDS = {  # what follows the name on a line of each file
    "video_url": re.compile(r"https?://\S+"),
    "resolution": re.compile(r"\d{1,5}"),
    "annotion_time": re.compile(rf"{_SPAN.pattern}( {_SPAN.pattern})*"),
    "crop_wh": re.compile(r"\d{1,5} [1-9]\d{0,4} \d{1,5} [1-9]\d{0,4}"),
    "crop_ratio": re.compile(r"\d{1,3}(\.\d+)?"),
}


def _rows(path: Path, kind: str, extra: dict[str, str]) -> Rows:
    if not path.is_file():
        raise bad(path, None, "is missing; HDTF has five files a subset")
    extra[path.name] = read_text(path)
    rows: Rows = {}
    for number, line in numbered(extra[path.name]):
        name, *words = line.split()
        name = name.removesuffix(".mp4")
        if not _WORDS[kind].fullmatch(" ".join(words)):
            raise bad(path, number, f"{' '.join(words)!r} is not what a line of this file has after the name")
        if name in rows:
            raise bad(path, number, f"{name} was named before")
        rows[name] = (number, words)
    return rows


def _span(path: Path, number: int, text: str) -> Span:
    found = _SPAN.fullmatch(text)
    start_minute, start, end_minute, end = (int(value) for value in found.groups()) if found else (0, 0, 0, 0)
    span = Span(60 * start_minute + start, 60 * end_minute + end, "second")
    if span.start >= span.end:
        raise bad(path, number, f"{text} is no span of time")
    return span


def _box(words: list[str], height: int) -> RefBox:
    left, wide, top, high = (int(word) for word in words)
    return RefBox(left, top, left + wide, top + high, None, height or None)


def write(listing: VideoList, path: Path) -> None:
    """Write five files a subset into a folder. Lines that say what those read said keep their order and spelling.

    `path` is the folder, or one of the files: then all is written as that file's subset. `UserError` for a tube or a
    video that the format cannot say.
    """
    one = _FILE.fullmatch(path.name)
    folder = path.parent if one else path
    files: dict[str, dict[str, str]] = {}
    for video in listing.videos:
        if video.url is None:
            raise UserError(f"{video.video_id} has no URL, and HDTF's format names one for each video")
        subset = one.group(1) if one else _subset_of(video.video_id, video.attributes)
        tables = [files.setdefault(f"{subset}_{kind}.txt", {}) for kind in KINDS]
        _put(tables[0], video.video_id, video.url)
        _put(tables[1], f"{video.video_id}.mp4", video.attributes.get("resolution", ""))
        tubes = [tube for tube in listing.tubes if tube.video_id == video.video_id]
        _put(tables[2], f"{video.video_id}.mp4", " ".join(_span_text(tube) for tube in tubes))
        for index, tube in enumerate(tubes):
            clip = f"{video.video_id}_{index}.mp4"
            _put(tables[3], clip, _box_text(tube))
            _put(tables[4], clip, tube.attributes.get("ratio", ""))
    for name, lines in files.items():
        write_text(folder / name, _as_before(listing.extra.get(name, ""), lines))


def _put(table: dict[str, str], name: str, words: str) -> None:
    if words:
        if len(name.split()) != 1:
            raise UserError(f"{name!r} has spaces, which HDTF's format cannot have in a name")
        table[name] = f"{name} {words}"


def _subset_of(name: str, attributes: Mapping[str, str]) -> str:
    if "subset" not in attributes:
        raise UserError(f"{name} is in no subset: name one of the files to write, such as OUT/RD_video_url.txt")
    return attributes["subset"]


def _span_text(tube: Tube) -> str:
    if tube.span is None or tube.span.unit != "second":
        raise UserError(f"{tube.name}: HDTF's format has spans in seconds")
    ends = [whole(value, f"an end of {tube.name} in seconds") for value in (tube.span.start, tube.span.end)]
    return "-".join(f"{value // 60:02d}:{value % 60:02d}" for value in ends)


def _box_text(tube: Tube) -> str:
    box = tube.box
    if box is None:
        return ""
    if (box.width, box.height) == (1, 1):
        raise UserError(f"{tube.name}: HDTF's format has boxes in pixels")
    sides = (box.left, box.right - box.left, box.top, box.bottom - box.top)
    return " ".join(str(whole(value, f"a side of {tube.name}")) for value in sides)


def _as_before(old: str, lines: Mapping[str, str]) -> str:
    """The lines (by first word) in the order of `old`, each as it is spelled there if it has the same words."""
    left = dict(lines)
    out = []
    for line in old.split("\n") if old else []:
        words = line.removeprefix("\ufeff").split()
        if words and words[0] in left:
            new = left.pop(words[0])
            out.append(line if new.split() == words else new)
        elif not words:
            out.append(line)
    end = out.pop() if out and not out[-1].strip() else None
    text = "\n".join([*out, *left.values()])
    return text if end is None and old else f"{text}\n{end or ''}"
