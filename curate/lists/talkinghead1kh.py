"""TalkingHead-1KH: `{split}_video_tubes.txt` and the ids beside it (Wang et al. 2021).

A line is `{id}_{chunk}, H, W, S, E, L, T, R, B`: frames S to E, E included, of a 60 s chunk of the video. Its authors
cut chunks at keyframes without encoding again, so where a chunk begins depends on the encoding that was downloaded:
tubes of every chunk but the first carry a warning. The first begins with the video, so its frames are the video's, in
every encoding of the same frame rate.
"""

from __future__ import annotations

import re
from pathlib import Path

from curate.errors import UserError
from curate.lists import ids
from curate.lists.text import YOUTUBE_ID, bad, numbered, read_text, videos_of, whole, write_text, youtube_url
from curate.lists.tube import RefBox, Span, Tube, Video, VideoList

CHUNK_SECONDS = 60
_CHUNK = re.compile(r"(.+)_(\d{4})")


def _warning(chunk: int) -> str:
    return (
        f"frames are counted from chunk {chunk}, which begins at the first keyframe after {CHUNK_SECONDS * chunk} s: "
        "in another encoding of the video than the list's authors had, that may be another frame"
        if chunk
        else ""
    )


def tube_name(chunk_name: str, start: int, last: int, box: tuple[int, int, int, int]) -> str:
    """Name of the clip, without `.mp4`: `{chunk}_S{S}_E{E}_L{L}_T{T}_R{R}_B{B}`."""
    left, top, right, bottom = box
    return f"{chunk_name}_S{start}_E{last}_L{left}_T{top}_R{right}_B{bottom}"


def read(path: Path) -> VideoList:
    """Tubes in the file's order; videos are those of the ids beside it, where they are, and of tubes."""
    split = ids.split_of(path)
    tubes = [_tube(path, number, line, split) for number, line in numbered(read_text(path))]
    beside = _ids_path(path)
    named = ids.read(beside).videos if beside is not None and beside.is_file() else ()
    known = {video.video_id for video in named}
    return VideoList(
        "talkinghead1kh", (*named, *(v for v in videos_of(tubes) if v.video_id not in known)), tuple(tubes)
    )


def _tube(path: Path, number: int, line: str, split: str | None) -> Tube:
    chunk_name, *rest = (part.strip() for part in line.split(","))
    named = _CHUNK.fullmatch(chunk_name)
    if not named or not YOUTUBE_ID.fullmatch(named.group(1)):
        raise bad(path, number, f"{chunk_name!r} is no chunk's name (YouTube id, _ and four digits)")
    if len(rest) != 8 or not all(re.fullmatch(r"\d{1,9}", part) for part in rest):
        raise bad(path, number, "a line is: chunk, H, W, S, E, L, T, R, B")
    height, width, start, last, left, top, right, bottom = map(int, rest)
    if start > last or left >= right or top >= bottom or not height or not width:
        raise bad(path, number, "the tube is empty (needs S <= E, L < R, T < B, H and W above 0)")
    video_id, chunk = named.group(1), int(named.group(2))
    return Tube(
        name=tube_name(chunk_name, start, last, (left, top, right, bottom)),
        video_id=video_id,
        span=Span(start, last + 1, "frame", part=chunk),
        box=RefBox(left, top, right, bottom, width, height),
        split=split,
        warning=_warning(chunk),
    )


def write(listing: VideoList, path: Path) -> None:
    """Write the tubes, and the ids beside them if the name ends in `_video_tubes.txt`; no last line end, as published.

    `UserError` for a tube that has no frames of a chunk or no box in pixels of a known frame.
    """
    write_text(path, "\n".join(_line(tube) for tube in listing.tubes))
    beside = _ids_path(path)
    if beside is not None:
        ids.write(VideoList("ids", tuple(_named(video) for video in listing.videos)), beside)


def _named(video: Video) -> Video:
    return video if video.url else Video(video.video_id, youtube_url(video.video_id))


def _line(tube: Tube) -> str:
    span, box = tube.span, tube.box
    if (
        span is None
        or span.part is None
        or box is None
        or box.height is None
        or not YOUTUBE_ID.fullmatch(tube.video_id)
    ):
        raise UserError(f"{tube.name}: TalkingHead-1KH's format has boxes in frames of {CHUNK_SECONDS} s chunks only")
    numbers = (box.height, box.width, span.start, span.end - 1, box.left, box.top, box.right, box.bottom)
    chunk = f"{tube.video_id}_{span.part:04d}"
    return ", ".join([chunk, *(str(whole(value, f"a number of {tube.name}")) for value in numbers)])


def _ids_path(tubes: Path) -> Path | None:
    if not tubes.name.endswith("_video_tubes.txt"):
        return None
    return tubes.with_name(tubes.name.replace("_video_tubes.txt", "_video_ids.txt"))
