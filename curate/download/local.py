"""Videos of a list that the user has already: found by their names in a folder."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from curate.download.facts import Facts, from_info
from curate.download.session import Piece

SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".m4v", ".avi", ".flv", ".ts", ".mpg", ".mpeg", ".wmv", ".ogv")
_CHUNK = re.compile(r"(.+)_(\d{4})")


class LocalVideos:
    """The videos of a folder, at any depth. A file belongs to an id when its stem is the id, or the id, `_` and the
    four digits of a TalkingHead-1KH chunk; where two files have one stem, the first suffix of `SUFFIXES` counts."""

    def __init__(self, folder: Path) -> None:
        self._by_stem: dict[str, Path] = {}
        self._chunks: dict[str, dict[int, Path]] = defaultdict(dict)
        for path in sorted(_files(folder), key=lambda path: (SUFFIXES.index(path.suffix.lower()), path)):
            self._by_stem.setdefault(path.stem, path)
            if match := _CHUNK.fullmatch(path.stem):
                self._chunks[match[1]].setdefault(int(match[2]), path)

    def find(self, video_id: str) -> tuple[Piece, ...]:
        """The files of a video, chunks in order; none: it is not there."""
        if whole := self._by_stem.get(video_id):
            return (Piece(whole),)
        return tuple(Piece(path, part=number) for number, path in sorted(self._chunks.get(video_id, {}).items()))

    def facts(self, video_id: str, url: str | None) -> Facts | None:
        """What yt-dlp's `<id>.info.json` beside a whole file says, if there is one."""
        path = self._by_stem.get(video_id)
        beside = path.with_name(f"{path.stem}.info.json") if path else None
        if beside is None or not beside.is_file():
            return None
        try:
            info = json.loads(beside.read_text(encoding="utf-8"))
            return from_info(info, video_id, url or str(info.get("webpage_url") or ""))
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            return None  # somebody's file of that name, but not what yt-dlp writes


def _files(folder: Path) -> Iterator[Path]:
    for entry in _entries(folder):
        if entry.is_dir() and not entry.is_symlink():
            yield from _files(entry)
        elif entry.suffix.lower() in SUFFIXES and entry.is_file():
            yield entry


def _entries(folder: Path) -> Iterable[Path]:
    try:
        return sorted(folder.iterdir())
    except PermissionError:
        return ()
