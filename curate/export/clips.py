"""What an export takes from a dataset: its clips with all manifest columns, under names that are safe anywhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.ledger_queries import clip_path, manifest_rows

DEFAULT_SPLIT = "train"
_YOUTUBE = re.compile(r"youtu(?:\.be/|be\.com/watch\?v=)([A-Za-z0-9_-]{11})(?![A-Za-z0-9_-])")


@dataclass(frozen=True)
class ExportClip:
    """One clip: its file and its manifest row."""

    path: Path
    row: dict[str, Any]

    @property
    def clip_id(self) -> str:
        """Its id in the manifest."""
        return str(self.row["clip_id"])

    @property
    def split(self) -> str:
        """Its split, as a folder name; `train` where the dataset has none."""
        return harmless(str(self.row["split"] or DEFAULT_SPLIT))

    @property
    def person(self) -> str:
        """Who is seen: the identity, or else the video."""
        return str(self.row["identity_id"] or self.row["video_id"])


def clips_of(out: Path) -> list[ExportClip]:
    """All clips of the dataset `out` in the order of their ids; `UserError` where there is no manifest."""
    return [ExportClip(clip_path(out, row), row) for row in manifest_rows(out)]


def splits(clips: Iterable[ExportClip]) -> dict[str, list[ExportClip]]:
    """Clips by split, splits in the order of their names."""
    found: dict[str, list[ExportClip]] = {}
    for clip in clips:
        found.setdefault(clip.split, []).append(clip)
    return dict(sorted(found.items()))


def public_ids(clips: Iterable[ExportClip]) -> dict[str, str]:
    """For each video id what other people know the video by: its YouTube id where its address holds one, else the id
    itself, made harmless; also where two videos would have one name."""
    known: dict[str, str] = {}
    for clip in clips:
        found = _YOUTUBE.search(str(clip.row["source_url"] or ""))
        known[str(clip.row["video_id"])] = found.group(1) if found else harmless(str(clip.row["video_id"]))
    names = Counter(known.values())
    return {video: name if names[name] == 1 else harmless(video) for video, name in known.items()}


def harmless(name: str) -> str:
    """A name as one part of a path: letters, digits, - _ . and no leading dot; the rest becomes an underscore.

    >>> harmless("../../etc/passwd"), harmless("-7TMJtnhiPM"), harmless("")
    ('_.._etc_passwd', '-7TMJtnhiPM', '_')
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).lstrip(".") or "_"
