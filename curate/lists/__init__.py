"""Lists of videos and tubes: those that others published, read and written exactly, and our own."""

from __future__ import annotations

from pathlib import Path

from curate.lists.formats import FORMATS, detect, read, write
from curate.lists.tube import distinct

__all__ = ["FORMATS", "default_list", "detect", "distinct", "read", "write"]


def default_list() -> Path:
    """The list that ships: TalkingHead-1KH's validation tubes, with their ids in the file beside it."""
    import data_manifests

    return Path(data_manifests.__path__[0]) / "talkinghead1kh" / "val_video_tubes.txt"
