"""Where videos come from: the files of a folder, or what a list names, found in a folder or downloaded."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curate.errors import UserError
from curate.files import printable
from curate.listed import Wish

SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .flv .ts .mts .m2ts .mpg .mpeg .wmv .ogv .gif".split()  # noqa: SIM905
)


def _nothing() -> None:
    """What is done after use of a file that is the user's own."""


@dataclass(frozen=True)
class Present:
    """A file that can be worked on."""

    name: str  # key in the ledger: the path relative to the input's folder, or the list's name of the video
    path: Path
    video_id: str | None = None  # None: content-derived
    wish: Wish | None = None  # None: the faces are looked for
    known: Mapping[str, str] = field(default_factory=dict)  # manifest columns
    facts: Mapping[str, str] = field(default_factory=dict)  # what else is known of the video, for the ledger
    release: Callable[[], None] = _nothing  # called when the file is no longer needed


@dataclass(frozen=True)
class Absent:
    """A video of a list that could not be had, or of which nothing is wanted."""

    name: str
    video_id: str
    reason: str
    error_class: str | None  # None: it is dropped, not failed
    attempts: int = 0


def find_videos(source: Path, out: Path) -> list[Path]:
    """What is named as a video in a folder (all depths, sorted, without `out`), or the file given.

    Links to folders are not followed; that something cannot be read comes out later. `UserError` if there is none.
    """
    if not source.exists():
        raise UserError(f"{source}: no such file or folder")
    if source.is_file():
        return [source]
    inside = Path(os.path.realpath(out))  # unlike Path.resolve it bears links that lead in a circle
    found = sorted(
        path
        for path in _walk(source)
        if path.suffix.lower() in SUFFIXES and not Path(os.path.realpath(path)).is_relative_to(inside)
    )
    if not found:
        raise UserError(f"{source}: no video in it (looked for {' '.join(sorted(SUFFIXES))})")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():  # not rglob: it would pass over folders that may not be read
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry)
        else:
            yield entry


def video_id(path: Path, sha256: str) -> str:
    """Readable and content-derived: what is harmless of the file's name, and 8 hex digits of its content."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", path.stem).strip("._-")[:60]
    return f"{stem or 'video'}-{sha256[:8]}"


def from_folder(paths: Sequence[Path], source: Path) -> Iterator[Present]:
    """The videos that `find_videos` found in `source`."""
    root = source if source.is_dir() else source.parent
    for path in paths:
        yield Present(printable(path.relative_to(root).as_posix()), path)
