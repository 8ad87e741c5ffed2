"""The formats of lists by name, and which of them a file or a folder has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from curate.errors import UserError, unknown
from curate.lists import celebvhq, folders, fomm, hdtf, ids, own, talkinghead1kh, vfhq
from curate.lists.text import YOUTUBE_ID, numbered
from curate.lists.tube import VideoList

_PEEK = 4096  # bytes that tell one text format from another


@dataclass(frozen=True)
class Format:
    """One format: what it is in a line, and how it is read and written."""

    about: str
    read: Callable[[Path], VideoList]
    write: Callable[[VideoList, Path], None] | None  # None: a folder of videos


FORMATS: dict[str, Format] = {
    "ids": Format("YouTube ids, one a line (TalkingHead-1KH's *_video_ids.txt)", ids.read, ids.write),
    "talkinghead1kh": Format("TalkingHead-1KH's *_video_tubes.txt", talkinghead1kh.read, talkinghead1kh.write),
    "fomm": Format("vox-metadata.csv, taichi-metadata.csv", fomm.read, fomm.write),
    "celebvhq": Format("CelebV-HQ's json", celebvhq.read, celebvhq.write),
    "hdtf": Format("HDTF's five files a subset: their folder, or one of them", hdtf.read, hdtf.write),
    "vfhq": Format("VFHQ's folder of Clip+*.txt, or one of them", vfhq.read, vfhq.write),
    "voxceleb2": Format("folder PERSON/VIDEO/UTTERANCE.mp4", partial(folders.read, layout="voxceleb2"), None),
    "celebv": Format("folder PERSON/VIDEO.mp4", partial(folders.read, layout="celebv"), None),
    "ravdess": Format("folder of RAVDESS's 01-01-06-01-02-01-12.mp4", partial(folders.read, layout="ravdess"), None),
    "jsonl": Format("our own, JSON lines (a dataset's manifest.jsonl too)", own.read_jsonl, own.write_jsonl),
    "parquet": Format("our own, Parquet (a dataset's manifest.parquet or folder)", own.read_parquet, own.write_parquet),
}


def read(path: Path, format: str | None = None) -> VideoList:
    """Read a list; its format is recognised by name and content unless given.

    `UserError` that names the file, and the line where there is one, for what cannot be read.
    """
    if not path.exists():
        raise UserError(f"{path}: no such list or folder")
    name = format or detect(path)
    if name is None:
        raise UserError(f"{path} is no list that is known; its format can be named, one of {', '.join(FORMATS)}")
    return _format(name).read(path)


def write(listing: VideoList, path: Path, format: str) -> None:
    """Write a list; `UserError` that names the first tube or video that the format cannot say."""
    to = _format(format)
    if to.write is None:
        writable = ", ".join(name for name, known in FORMATS.items() if known.write)
        raise UserError(f"{format} is a folder of videos and can only be read; lists are written as {writable}")
    to.write(listing, path)


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    return FORMATS[name]


def detect(path: Path) -> str | None:
    """The format of a file or a folder by its name and first bytes, or None: a folder of videos is no list."""
    if path.is_dir():
        return _of_folder(path)
    if vfhq.is_name(path.name):
        return "vfhq"
    if hdtf.subsets(path):
        return "hdtf"
    by_suffix = {".jsonl": "jsonl", ".parquet": "parquet", ".json": "celebvhq"}.get(path.suffix.lower())
    return by_suffix or _of_text(path)


def _of_folder(folder: Path) -> str | None:
    from curate.dataset import MANIFEST

    if (folder / MANIFEST).is_file():
        return "parquet"
    if hdtf.subsets(folder):
        return "hdtf"
    if any(vfhq.is_name(file.name) for file in folder.iterdir()):
        return "vfhq"
    return folders.recognised(folder)


def _of_text(path: Path) -> str | None:
    with path.open("rb") as handle:
        start = numbered(handle.read(_PEEK).decode("utf-8", "replace"))
    if not start:
        return None
    line = start[0][1]
    if line.startswith("video_id,"):
        return "fomm"
    if YOUTUBE_ID.fullmatch(line):
        return "ids"
    if line.count(",") == 8 and YOUTUBE_ID.match(line):
        return "talkinghead1kh"
    return None
