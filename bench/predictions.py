"""Frames that somebody else made: found by the names of pairs, checked, and measured as a model's are.

DIR/<pair id>/<frame number>.png or DIR/<pair id>.mp4 (.mkv, .webm, .mov, .avi). The number is that of the driving frame
in its clip (of the angle, where nothing drives), with any zeros before it. A video has as many frames as the driving
clip, or as many as are compared, in their order. What is in DIR is data and nothing else: links that lead out of it,
huge files and names that belong to no pair are told and not read.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baselines.interface import ModelSpec
from bench.drive import PairFailed
from curate import video
from curate.errors import BadVideo, UserError
from curate.files import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.pair_reader import PairView
    from bench.tasks.base import Pair, Task
    from curate.perception.interface import Frames

VIDEOS = (".mp4", ".mkv", ".webm", ".mov", ".avi")
FRAME_NAME = re.compile(r"0*(\d{1,7})\.png", re.ASCII)
LARGEST_FRAME = 64 << 20  # bytes of a PNG file
LARGEST_VIDEO = 4 << 30
LARGEST_SIDE = 4096  # pixels
MOST_ENTRIES = 100_000  # of one folder
SHOWN = 10  # names of each kind that are printed
NONE = "there is no prediction of this frame"
MODES = ("RGB", "RGBA", "L", "P")
PRESET = "predictions"


@dataclass
class Survey:
    """What of a folder belongs to which pair, before anything is decoded."""

    n_pairs: int
    n_frames: int  # that are compared
    frames: dict[str, dict[int, Path]] = field(default_factory=dict)  # pair id -> frame -> file
    videos: dict[str, Path] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)  # pair ids, and "pair id: frames 3, 5"
    n_missing: int = 0  # frames; those of videos are known once they are decoded
    extra: list[str] = field(default_factory=list)  # names that belong to no pair or frame
    refused: dict[str, str] = field(default_factory=dict)  # name -> why it is not read

    @property
    def matched(self) -> int:
        """Pairs of which there is anything."""
        return len(self.frames.keys() | self.videos.keys())

    @property
    def whole(self) -> bool:
        """Whether everything is there that can be told by names."""
        return not self.missing and not self.refused

    def facts(self) -> dict[str, Any]:
        """For machines."""
        return {
            "pairs": self.n_pairs,
            "frames": self.n_frames,
            "matched_pairs": self.matched,
            "missing_frames": self.n_missing,
            "missing": self.missing,
            "extra": self.extra,
            "refused": self.refused,
        }

    def lines(self) -> list[str]:
        """For people: matched, missing and extra, some of them by name."""
        told = [f"matched: {self.matched} of {self.n_pairs} pairs"]
        told.append(f"missing: {self.n_missing} of {self.n_frames} frames" + _some(self.missing))
        told.append(f"extra, not read: {len(self.extra)}" + _some(self.extra))
        told += [f"refused: {name}: {why}" for name, why in list(self.refused.items())[:SHOWN]]
        return told + [f"and {len(self.refused) - SHOWN} more are refused"] * (len(self.refused) > SHOWN)


def survey(root: Path, pairs: Sequence[Pair], task: Task) -> Survey:
    """Look what is in `root` by names alone; `UserError` when it is no folder, is too full or nothing in it fits."""
    if not root.is_dir():
        raise UserError(f"{root} is no folder of predictions")
    wanted = {pair.id: task.driving_indices(pair) for pair in pairs}
    found = Survey(len(wanted), sum(map(len, wanted.values())))
    home = root.resolve()
    for entry in _entries(root):
        stem, suffix = Path(entry.name).stem, Path(entry.name).suffix
        if not _inside(entry.path, home):
            found.refused[printable(entry.name)] = "it is a link that leads out of the folder"
        elif entry.is_dir() and entry.name in wanted:
            _survey_frames(Path(entry.path), home, wanted[entry.name], found)
        elif entry.is_file() and suffix.lower() in VIDEOS and stem in wanted:
            if stem in found.videos:
                found.refused[printable(entry.name)] = f"{found.videos[stem].name} is of the same pair"
            elif why := _too_large(entry, LARGEST_VIDEO):
                found.refused[printable(entry.name)] = why
            else:
                found.videos[stem] = Path(entry.path)
        else:
            found.extra.append(printable(entry.name)[:200])
    for twice in found.videos.keys() & found.frames.keys():
        found.refused[printable(found.videos.pop(twice).name)] = "there is a folder of frames of the same pair"
    for pair_id, indices in wanted.items():
        lacking = [] if pair_id in found.videos else [i for i in indices if i not in found.frames.get(pair_id, {})]
        if lacking:
            whole = len(lacking) == len(indices)
            found.missing.append(pair_id if whole else f"{pair_id}: frames {', '.join(map(str, lacking[:SHOWN]))}")
        found.n_missing += len(lacking)
    if not found.matched:
        first, indices = next(iter(wanted.items()))
        raise UserError(
            f"{root} holds predictions of none of the {len(wanted)} pairs: expected {first}/{indices[0]:06d}.png or "
            f"{first}.mp4 and so on" + _some(found.extra, "; found")
        )
    return found


class Predicted:
    """Somebody's frames as a row of a table."""

    def __init__(self, name: str, found: Survey) -> None:
        self._name, self._found = name, found
        self._digest = hashlib.sha256()
        self._read: tuple[str, dict[int, NDArray[np.uint8]]] = ("", {})

    @property
    def spec(self) -> ModelSpec:
        """With a hash over all frames that were read so far in the place of weights."""
        return ModelSpec(self._name, PRESET, resolution=None, weights_sha256=self._digest.hexdigest())

    def missing(self, pair: Pair) -> str:
        """Never: what was not made is failed."""
        return ""

    def lost(self, pair: Pair, view: PairView) -> dict[int, str]:
        """Frames that are not there or cannot be read."""
        if pair.id in self._found.videos:
            read, why = _read_video(self._found.videos[pair.id], pair, view.indices)
        else:
            read, why = _read_frames(self._found.frames.get(pair.id, {}), view.indices)
        self._read = (pair.id, read)
        return {place: why[i] for place, i in enumerate(view.indices) if i in why}

    def frames(self, pair: Pair, view: PairView, seed: int) -> Frames:
        """The frames, at the size at which they are compared."""
        of_pair, read = self._read
        if of_pair != pair.id:
            raise PairFailed(NONE)
        frames = np.stack([read[i] for i in view.indices])
        self._digest.update(f"{pair.id} {view.indices} {frames.shape}\n".encode())
        self._digest.update(frames.tobytes())
        return video.resize(frames, view.driving.frames.shape[1])


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    entries = []
    with os.scandir(folder) as found:
        for entry in found:
            entries.append(entry)
            if len(entries) > MOST_ENTRIES:
                raise UserError(
                    f"{printable(str(folder))} has more than {MOST_ENTRIES} entries: is it the right folder?"
                )
    return sorted(entries, key=lambda entry: entry.name)


def _inside(path: str, home: Path) -> bool:
    try:
        return Path(path).resolve(strict=True).is_relative_to(home)
    except (OSError, RuntimeError):  # a link to nowhere, or to itself
        return False


def _too_large(entry: os.DirEntry[str], most: int) -> str:
    size = entry.stat().st_size
    return f"it has {size} bytes, and at most {most} are read" if size > most else ""


def _survey_frames(folder: Path, home: Path, indices: Sequence[int], found: Survey) -> None:
    wanted, files = set(indices), found.frames.setdefault(folder.name, {})
    for entry in _entries(folder):
        name = f"{folder.name}/{printable(entry.name)}"[:300]
        number = FRAME_NAME.fullmatch(entry.name)
        if not number or int(number[1]) not in wanted:
            found.extra.append(name)
        elif not _inside(entry.path, home) or not entry.is_file():
            found.refused[name] = "it is no file, or a link that leads out of the folder"
        elif int(number[1]) in files:
            found.refused[name] = f"{files[int(number[1])].name} is the same frame"
        elif why := _too_large(entry, LARGEST_FRAME):
            found.refused[name] = why
        else:
            files[int(number[1])] = Path(entry.path)
    if not files:
        del found.frames[folder.name]


def _read_frames(
    files: Mapping[int, Path], indices: Sequence[int]
) -> tuple[dict[int, NDArray[np.uint8]], dict[int, str]]:
    read: dict[int, NDArray[np.uint8]] = {}
    why = {i: NONE for i in indices if i not in files}
    side = 0  # of the first frame that can be read: the others must have it too
    for i in indices:
        if i in files:
            try:
                frame = _png(files[i])
                side = side or len(frame)
                if frame.shape != (side, side, 3):
                    raise ValueError(
                        f"it is {frame.shape[1]} x {frame.shape[0]}, and the pair's first is {side} x {side}"
                    )
                read[i] = frame
            except (OSError, ValueError, SyntaxError, EOFError) as error:
                why[i] = f"the prediction {files[i].name} cannot be used: {_one_line(error)}"
    return read, why


def _png(path: Path) -> NDArray[np.uint8]:
    """RGB uint8 [S, S, 3]; an error says why not."""
    from PIL import Image

    with Image.open(path, formats=("PNG",)) as image:
        width, height = image.size  # of the header: nothing is decoded yet
        if width != height:
            raise ValueError(f"it is {width} x {height}, and must be square")
        if width > LARGEST_SIDE:
            raise ValueError(f"it is {width} x {height}, and at most {LARGEST_SIDE} are read")
        if image.mode not in MODES:
            raise ValueError(f"it has the mode {image.mode}, and must be 8-bit RGB")
        return np.asarray(image.convert("RGB"))


def _read_video(path: Path, pair: Pair, indices: Sequence[int]) -> tuple[dict[int, NDArray[np.uint8]], dict[int, str]]:
    try:
        about = video.info(path)
        if about.width != about.height or about.width > LARGEST_SIDE:
            raise BadVideo(f"it is {about.width} x {about.height}, and must be square, {LARGEST_SIDE} at most")
        count = about.n_frames or sum(1 for _ in video.frames(path))
        places = {len(indices): range(len(indices)), pair.driving.n_frames: indices}.get(count)
        if places is None:
            raise BadVideo(
                f"it has {count} frames, and must have {pair.driving.n_frames} as the driving clip, or the "
                f"{len(indices)} that are compared"
            )
        return dict(zip(indices, video.read_frames(path, list(places)), strict=True)), {}
    except (BadVideo, IndexError) as error:
        return {}, dict.fromkeys(indices, f"the prediction {path.name} cannot be used: {_one_line(error)}")


def _one_line(error: Exception) -> str:
    return printable((str(error).strip() or type(error).__name__).splitlines()[0])[:200]


def _some(names: Sequence[str], label: str = "") -> str:
    if not names:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{label}: {'; '.join(names[:SHOWN])}{more}"
