"""The clips that are trained on, and their frames at the recipe's size: from a file of all, or decoded when asked."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.training.errors import TrainingError

CACHE_BYTES = 4 << 30  # frames that take more are decoded anew at every step
VERSION = 1  # of the cache's files

Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class Clips:
    """The clips of a dataset that are trained on, all but its test split, and the side that their frames get."""

    dataset: Any  # curate.dataset.Dataset
    chosen: tuple[Any, ...]  # curate.dataset.Clip
    side: int

    @property
    def frames(self) -> int:
        """How many frames they have together."""
        return sum(int(clip.n_frames) for clip in self.chosen)

    @property
    def fingerprint(self) -> str:
        """Of the chosen clips' content and the side of the frames."""
        text = "".join(f"{clip.sha256} {clip.n_frames}\n" for clip in self.chosen)
        return hashlib.sha256(f"{VERSION} {self.side}\n{text}".encode()).hexdigest()


class FrameReader(Protocol):
    """Gives frames of the clips by their places in `Clips.chosen`."""

    def take(self, clip: int, frames: Sequence[int]) -> Frames:
        """RGB uint8 [N, R, R, 3]."""
        ...


def open_clips(root: Path, side: int, needed: int) -> Clips:
    """The clips to train on: of every split but test, with at least `needed` frames; `TrainingError` for none."""
    from curate.dataset import Dataset

    dataset = Dataset.open(root)
    chosen = tuple(clip for clip in dataset.clips if clip.split != "test" and clip.n_frames >= needed)
    if not chosen:
        raise TrainingError(
            f"{root} has no clip to train on: each is of the test split or has fewer than {needed} frames"
        )
    return Clips(dataset, chosen, side)


@dataclass(frozen=True)
class Decoder:
    """Decodes just the frames that are asked for."""

    clips: Clips

    def take(self, clip: int, frames: Sequence[int]) -> Frames:
        """RGB uint8 [N, R, R, 3]."""
        decoded: Frames = self.clips.dataset.frames(self.clips.chosen[clip], list(frames), self.clips.side)
        return decoded


@dataclass(frozen=True)
class Cache:
    """All frames in one file, [N, R, R, 3], one clip after the other, of which only what is read comes into memory."""

    path: Path
    starts: tuple[int, ...]  # clip i owns starts[i] to starts[i + 1]

    @cached_property
    def _pixels(self) -> Frames:
        pixels: Frames = np.load(self.path, mmap_mode="r")
        return pixels

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "starts": self.starts}  # a process opens the file itself

    def take(self, clip: int, frames: Sequence[int]) -> Frames:
        """RGB uint8 [N, R, R, 3]."""
        chosen: Frames = self._pixels[self.starts[clip] + np.asarray(frames)]
        return chosen


def open_reader(clips: Clips, folder: Path, workers: int) -> FrameReader:
    """A `Cache` in `folder`, written now by so many processes if it is not there; a `Decoder` where it would be larger
    than `CACHE_BYTES` or than half of what the disk has free."""
    found = find_cache(clips, folder)
    if found is not None:
        return found
    size = clips.frames * 3 * clips.side**2
    folder.mkdir(parents=True, exist_ok=True)
    if size > CACHE_BYTES or size > shutil.disk_usage(folder).free // 2:
        return Decoder(clips)
    _write(clips, _path(clips, folder), workers)
    return Cache(_path(clips, folder), _starts(clips))


def find_cache(clips: Clips, folder: Path) -> Cache | None:
    """The cache of these clips if an earlier run wrote it."""
    path = _path(clips, folder)
    return Cache(path, _starts(clips)) if path.is_file() else None


def _path(clips: Clips, folder: Path) -> Path:
    return folder / f"frames-{clips.side}-{clips.fingerprint[:16]}.npy"


def _starts(clips: Clips) -> tuple[int, ...]:
    return (0, *np.cumsum([clip.n_frames for clip in clips.chosen]).tolist())


class _WholeClips(torch.utils.data.Dataset[Frames]):
    """Every clip's frames."""

    def __init__(self, clips: Clips) -> None:
        self.reader = Decoder(clips)

    def __len__(self) -> int:
        return len(self.reader.clips.chosen)

    def __getitem__(self, index: int) -> Frames:
        return self.reader.take(index, range(self.reader.clips.chosen[index].n_frames))


def _write(clips: Clips, path: Path, workers: int) -> None:
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    shape = (clips.frames, clips.side, clips.side, 3)
    try:
        with partial.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            loader = torch.utils.data.DataLoader(
                _WholeClips(clips), batch_size=None, num_workers=workers, collate_fn=lambda frames: frames
            )
            for frames in loader:
                file.write(np.ascontiguousarray(frames).data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
