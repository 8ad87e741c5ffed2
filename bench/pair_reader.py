"""Frames of a pair, decoded once for all rows, and what the networks see in them."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from bench.features import Features
from bench.scoring import Look
from bench.tasks.base import Pair, Task
from bench.truth import TruthRenderer
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
    truth: Look | None  # what a perfect model would make of them, where the task asks for it and the dataset knows it

    def reference(self, frames: Literal["driving", "source", "truth"] | None) -> Look:
        """As many frames as the driving has, to compare output frames with."""
        if frames == "source":
            return self.source.repeated(len(self.indices))
        if frames == "truth" and self.truth is not None:
            return self.truth
        if frames == "driving":
            return self.driving
        raise ValueError(f"this pair has no frames {frames!r} to compare with")


class PairReader:
    """Reads the pairs of one task on one dataset."""

    def __init__(
        self,
        dataset: Dataset,
        task: Task,
        features: Features,
        kinds: Mapping[str, Collection[str]],
        truth: TruthRenderer | None = None,
    ) -> None:
        """`kinds`: what the networks look for in "source", "driving" and "truth" frames."""
        self.features = features
        self.seconds = 0.0  # spent on decoding
        self._dataset = dataset
        self._task = task
        self._kinds = kinds
        self._truth = truth
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
        driving_look = self._look(driving, "driving")
        truth = None
        if self._truth is not None:
            truth = self._look(self._truth.frames(pair, indices, self._task.size), "truth")
        return PairView(indices, source, driving, self._look(source, "source"), driving_look, truth)

    def _decode_first(self, clip: Clip) -> Frames:
        return self._dataset.frames(clip, [0])

    def _look(self, frames: Frames, side: str) -> Look:
        resized = video.resize(frames, self._task.size)
        return Look(resized, self.features.of(resized, self._kinds[side]))
