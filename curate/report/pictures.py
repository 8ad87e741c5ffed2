"""Small pictures for the page: the middle frame of a clip, or of what was dropped where its video is at hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate import video
from curate.errors import BadVideo
from curate.files import atomic
from curate.ledger_queries import Entry

SIDE = 160  # pixels of the shorter side
_QUALITY = 78


@dataclass(frozen=True)
class Shown:
    """A clip that is there."""

    path: Path
    n_frames: int
    sha256: str


@dataclass
class Pictures:
    """Writes JPEGs into `folder` under names of our own; a picture that is there is not made again."""

    folder: Path
    clips: dict[str, Shown]  # by clip id; by the id of a face too, for its first clip
    videos: dict[str, Path]  # by video id: the raw file, where it is at hand
    analysis: Path  # the dataset's folder of analyses, for the boxes of faces
    written: set[str] = field(default_factory=set)

    def of(self, entry: Entry) -> str | None:
        """The page-relative path of an item's picture; None where nothing can be shown of it."""
        try:
            if entry.item_id in self.clips:
                clip = self.clips[entry.item_id]
                return self._add(clip.sha256, lambda: video.read_frames(clip.path, [clip.n_frames // 2])[0])
            source, start, end = self.videos.get(entry.video_id), entry.start_frame, entry.end_frame
            if source is None or start is None or end is None:
                return None
            frame, box = (start + end) // 2, entry.scores.get("box")
            if entry.kind == "track":
                frame, box = self._face(entry, frame)
            return self._add(f"{entry.item_id} {frame} {box}", lambda: _cut(video.read_frames(source, [frame])[0], box))
        except (BadVideo, IndexError, OSError):
            return None

    def _face(self, entry: Entry, middle: int) -> tuple[int, list[float] | None]:
        """The frame nearest to the middle in which the face was found, and a box with room about it."""
        path = self.analysis / f"{Path(entry.video_id).name}.json"
        if not path.is_file():
            return middle, None
        stored = json.loads(path.read_text(encoding="utf-8"))["tracks"]
        track = next((t for t in stored if f"{entry.video_id}/t{t['index']}" == entry.item_id), None)
        if track is None:
            return middle, None
        at = min(range(len(track["frames"])), key=lambda i: abs(track["frames"][i] - middle))
        left, top, right, bottom = track["boxes"][at]
        room, x, y = 0.9 * max(right - left, bottom - top), (left + right) / 2, (top + bottom) / 2
        return track["frames"][at], [x - room, y - room, x + room, y + room]

    def _add(self, key: str, make: Callable[[], NDArray[np.uint8]]) -> str:
        name = f"{hashlib.sha256(key.encode()).hexdigest()[:20]}.jpg"
        path = self.folder / name
        if not path.is_file():
            from PIL import Image

            picture = Image.fromarray(_shrink(make()))
            with atomic(path) as partial:
                picture.save(partial, "JPEG", quality=_QUALITY, optimize=True)
        self.written.add(name)
        return f"{self.folder.name}/{name}"

    def remove_others(self) -> None:
        """Remove the pictures of an older page."""
        if self.folder.is_dir():
            for path in self.folder.glob("*.jpg"):
                if path.name not in self.written:
                    path.unlink()


def _cut(picture: NDArray[np.uint8], box: object) -> NDArray[np.uint8]:
    if not (isinstance(box, list) and len(box) == 4):
        return picture
    left, top, right, bottom = (max(0, int(edge)) for edge in box)
    cut = picture[top:bottom, left:right]
    return cut if cut.size else picture


def _shrink(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    height, width = picture.shape[:2]
    scale = SIDE / min(height, width)
    if scale >= 1:
        return np.ascontiguousarray(picture)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def raw_files(videos: Path | None, sources: Iterable[dict[str, Any]]) -> dict[str, Path]:
    """By video id the file of each source that lies in the folder `videos`."""
    found = {}
    for source in sources if videos is not None else ():
        inside = Path(source["path"])
        if videos is not None and not inside.is_absolute() and ".." not in inside.parts:
            found[source["video_id"]] = videos / inside
    return {name: path for name, path in found.items() if path.is_file()}
