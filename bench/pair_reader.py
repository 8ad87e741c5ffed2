"""Frames of a pair, decoded once for all rows, and what the networks see in them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache

from bench.features import Features
from bench.scoring import Look
from bench.tasks.base import Pair, Task
from curate import video
from curate.dataset import Clip, Dataset
from curate.perception.interface import Frames

FIRST_FRAMES_KEPT = 256  # the first frame of a clip is the source of several pairs


@dataclass(frozen=True)
class PairView:
    """Source (one frame) and driving frames of a pair: as decoded, and at the size at which frames are compared."""

    indices: list[int]  # of the driving frames, in their clip
    raw_source: Frames
    raw_driving: Frames
    source: Look
    driving: Look


class PairReader:
    """Reads the pairs of one task on one dataset."""

    def __init__(self, dataset: Dataset, task: Task, features: Features) -> None:
        self.features = features
        self.seconds = 0.0  # spent on decoding
        self._dataset = dataset
        self._task = task
        self._first_frame = lru_cache(FIRST_FRAMES_KEPT)(self._decode_first)

    def indices(self, pair: Pair) -> list[int]:
        """The driving frames that the task compares."""
        return self._task.frame_indices(pair.driving.n_frames)

    def read(self, pair: Pair) -> PairView:
        """Decode a pair; `BadVideo` or IndexError when a clip is not what the manifest says."""
        start = time.perf_counter()
        indices = self.indices(pair)
        driving = self._dataset.frames(pair.driving, indices)
        source = driving[:1] if pair.source == pair.driving else self._first_frame(pair.source)
        self.seconds += time.perf_counter() - start
        # driving first: where the source is among its frames, the networks have then seen it
        driving_look = self._look(driving)
        return PairView(indices, source, driving, self._look(source), driving_look)

    def _decode_first(self, clip: Clip) -> Frames:
        return self._dataset.frames(clip, [0])

    def _look(self, frames: Frames) -> Look:
        resized = video.resize(frames, self._task.size)
        return Look(resized, self.features.of(resized))
