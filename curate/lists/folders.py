"""Datasets that are folders of videos and say who is seen by where a file lies: VoxCeleb2, CelebV, RAVDESS.

Each file is a video of its own, already cut; the faces in it are to be found. Such a list can be read, not written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from curate.files import printable
from curate.lists.text import bad
from curate.lists.tube import Video, VideoList

SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".flv"})
_PEEK = 100  # videos that are looked at to recognise a layout
SPLITS = ("dev", "train", "val", "test")
JOIN = "#"  # between the parts of a path in a video's id, as in the names of FOMM's clips

_VOXCELEB = re.compile(r"(?:(?P<above>.*)/)?(?P<person>id\d{5})/(?P<video>[A-Za-z0-9_-]{11})/(?P<utterance>[^/]+)")
_CELEBV = re.compile(r"celebv(?![-_ ]?(hq|text))", re.IGNORECASE)
_RAVDESS = re.compile(r"(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)")
RAVDESS_FIELDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("modality", ("audio and video", "video only", "audio only")),
    ("channel", ("speech", "song")),
    ("emotion", ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")),
    ("intensity", ("normal", "strong")),
    ("statement", ("Kids are talking by the door", "Dogs are sitting by the door")),
    ("repetition", ("1", "2")),
)
"""What the numbers of a file's name mean, from 01 on; the last number is the actor, 01 to 24."""


def voxceleb2(path: PurePosixPath) -> Video | None:
    """`.../id00012/21Uxsk56VDQ/00001.mp4`: person, YouTube id, utterance; split from a folder above, if it is one."""
    found = _VOXCELEB.fullmatch(path.with_suffix("").as_posix())
    if not found:
        return None
    split = next((part for part in (found["above"] or "").split("/") if part in SPLITS), None)
    parts = (found["person"], found["video"], found["utterance"])
    attributes = {"youtube_id": found["video"], "utterance": found["utterance"]}
    return Video(printable(JOIN.join(parts)), None, path.as_posix(), split, found["person"], attributes)


def celebv(path: PurePosixPath) -> Video | None:
    """`person/.../video.mp4`: whatever lies in a person's folder shows them."""
    if len(path.parts) < 2:
        return None
    return Video(printable(JOIN.join(path.with_suffix("").parts)), None, path.as_posix(), None, path.parts[0])


def ravdess(path: PurePosixPath) -> Video | None:
    """`02-01-06-01-02-01-12.mp4`: modality, channel, emotion, intensity, statement, repetition, actor (odd: male)."""
    found = _RAVDESS.fullmatch(path.stem)
    if not found:
        return None
    *numbers, actor = (int(value) for value in found.groups())
    attributes = {}
    for (name, words), number in zip(RAVDESS_FIELDS, numbers, strict=True):
        if not 1 <= number <= len(words):
            return None
        attributes[name] = words[number - 1]
    return Video(path.stem, None, path.as_posix(), None, f"Actor_{actor:02}", attributes)


LAYOUTS: dict[str, Callable[[PurePosixPath], Video | None]] = {
    "voxceleb2": voxceleb2,
    "celebv": celebv,
    "ravdess": ravdess,
}


def read(folder: Path, layout: str) -> VideoList:
    """The videos of a folder in the order of their paths.

    `UserError` where there is none, where one is not named as the layout says, and where two would have one id.
    """
    videos: dict[str, Video] = {}
    for path in sorted(_files(folder)):
        video = LAYOUTS[layout](path)
        if video is None:
            raise bad(folder, None, f"{path} does not lie or is not named as videos of {layout} are")
        if video.video_id in videos:
            raise bad(folder, None, f"{videos[video.video_id].file} and {video.file} would have one id")
        videos[video.video_id] = video
    if not videos:
        raise bad(folder, None, "has no videos")
    return VideoList(layout, tuple(videos.values()))


def recognised(folder: Path) -> str | None:
    """The layout of a folder by the first videos found in it, or None; CelebV's has no sign but the folder's name."""
    some = list(islice(_files(folder), _PEEK))
    names = ["ravdess", "voxceleb2", *(["celebv"] if _CELEBV.search(folder.resolve().name) else [])]
    return next((name for name in names if some and all(map(LAYOUTS[name], some))), None)


def _files(folder: Path) -> Iterator[PurePosixPath]:
    """Paths of videos below `folder`, relative to it; no hidden files."""
    for path in folder.rglob("*"):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
            yield PurePosixPath(path.relative_to(folder).as_posix())
