"""Lists as text: lines with their numbers, errors that name file and line, YouTube ids, names that become paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from curate.errors import UserError
from curate.files import atomic, printable
from curate.lists.tube import Tube, Video

YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_LINK = re.compile(
    r"https?://(?:(?:www\.|m\.)?youtube\.com/(?:watch\?(?:[^#\s]*&)?v=|embed/|shorts/|v/)|youtu\.be/)"
    r"([A-Za-z0-9_-]{11})(?![A-Za-z0-9_-])"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_NAME_BYTES = 200  # of a name that becomes a file's name; the usual limit is 255, and prefixes and suffixes join it


def bad(path: Path, line: int | None, why: str) -> UserError:
    """The error for a list that cannot be read, at a line counted from 1."""
    where = f"{path}:{line}" if line else str(path)
    return UserError(printable(f"{where}: {why}"))


def read_text(path: Path) -> str:
    """A whole UTF-8 file with its line ends as they are; `UserError` if it is no text or has control characters."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad(path, None, f"is no UTF-8 text (byte {error.start})") from error
    control = _CONTROL.search(text)
    if control:
        raise bad(path, text.count("\n", 0, control.start()) + 1, f"has the control character {control.group()!a}")
    return text


def numbered(text: str) -> list[tuple[int, str]]:
    """Lines that are not blank, stripped, with their numbers from 1; a byte order mark is no part of the first."""
    lines = text.removeprefix("\ufeff").split("\n")
    return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with the line ends that `text` has, whole or not at all."""
    try:
        encoded = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise bad(path, None, f"would hold {text[error.start]!a}, which is no character") from error
    with atomic(path) as partial:
        partial.write_bytes(encoded)


def youtube_url(video_id: str) -> str | None:
    """The page of a YouTube id, or None for an id of another kind."""
    return f"https://www.youtube.com/watch?v={video_id}" if YOUTUBE_ID.fullmatch(video_id) else None


def youtube_id(url: str | None) -> str | None:
    """The YouTube id in a link, or None."""
    found = _LINK.match(url or "")
    return found.group(1) if found else None


def path_in(folder: Path, name: str, suffix: str = ".mp4") -> Path:
    """The path of a file named by a list, directly in `folder`; `UserError` for a name that could lie elsewhere."""
    if name in ("", ".", "..") or re.search(r"[/\\\x00-\x1f\x7f]", name):
        raise UserError(f"{name!r} cannot be the name of a file: it is empty, or has slashes or control characters")
    if len((name + suffix).encode("utf-8", "surrogatepass")) > _NAME_BYTES:
        raise UserError(f"{name[:40]!r}... cannot be the name of a file: it is over {_NAME_BYTES} bytes long")
    return folder / f"{name}{suffix}"


def videos_of(tubes: Iterable[Tube], urls: dict[str, str | None] | None = None) -> tuple[Video, ...]:
    """The videos that tubes lie in, in order; split and identity where all tubes of a video have the same.

    `urls` by video id; None: those of YouTube ids.
    """
    by_video: dict[str, list[Tube]] = {}
    for tube in tubes:
        by_video.setdefault(tube.video_id, []).append(tube)
    return tuple(
        Video(
            video_id,
            youtube_url(video_id) if urls is None else urls.get(video_id),
            split=_common([tube.split for tube in inside]),
            identity_id=_common([tube.identity_id for tube in inside]),
        )
        for video_id, inside in by_video.items()
    )


def _common(values: Sequence[str | None]) -> str | None:
    return values[0] if len(set(values)) == 1 else None


def whole(value: float | None, what: str) -> int:
    """A number that a list can only write without decimals; `UserError` that names `what` if it has some."""
    if value is None or value != int(value):
        raise UserError(f"{what} is {value}, and this format has whole numbers only")
    return int(value)
