"""Frames of a pair, decoded once for all rows, and what the networks see in them."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench import sound
from bench.features import Features
from bench.scoring import Look
from bench.tasks.base import Pair, Task
from bench.truth import TruthRenderer
from curate import video
from curate.dataset import Clip, Dataset
from curate.perception.interface import Frames

PAIRS_KEPT = 3  # views of pairs: of the current one and of the one that stands in for it in the row "shuffled"
SOURCES_KEPT = 128  # clips whose source frames are kept: they are the source of several pairs
GAPS = "frames between the others were lost, and SyncNet needs those that follow each other"


@dataclass(frozen=True)
class PairView:
    """Source (one frame or a few) and driving frames of a pair: as decoded, and at the size at which frames are
    compared. Where nothing drives, the first source frame stands for each driving frame."""

    indices: list[int]  # of the driving frames, in their clip; where nothing drives, of the angles
    raw_source: Frames
    raw_driving: Frames
    source: Look
    driving: Look
    truth: Look | None  # what a perfect model would make of them, where the task asks for it and the dataset knows it
    initial: Frames | None = None  # of relative motion: the first driving frame, as decoded
    angles: NDArray[np.float32] | None = None  # of redirection: [T, 3] yaw, pitch, roll in degrees
    beat: NDArray[np.intp] | None = None  # places of the frames in which lips are read; None: of all
    unheard: Mapping[str, str] = field(default_factory=dict)  # what was to be heard (`Metric.hears`), and why it is not

    def reference(self, frames: Literal["driving", "source", "truth", "angles"] | None) -> Look:
        """As many frames as the driving has, to compare output frames with."""
        if frames == "source":
            return self.source.repeated(len(self.indices))
        if frames == "angles" and self.angles is not None:
            source = self.source.repeated(len(self.indices))
            return Look(source.frames, source.features | {"pose": self.angles})
        if frames == "truth" and self.truth is not None:
            return self.truth
        if frames == "driving":
            return self.driving
        raise ValueError(f"this pair has no frames {frames!r} to compare with")

    def without(self, lost: NDArray[np.bool_]) -> PairView:
        """The pair without those of its driving frames [T] that are lost."""
        left = np.flatnonzero(~lost)
        return replace(
            self,
            indices=[self.indices[i] for i in left],
            raw_driving=self.raw_driving[left],
            driving=self.driving.taken(left),
            truth=None if self.truth is None else self.truth.taken(left),
            angles=None if self.angles is None else self.angles[left],
            beat=None if self.beat is None else np.flatnonzero(np.isin(left, self.beat)),
            unheard={**self.unheard, **({"voice": GAPS} if (np.diff(left) != 1).any() else {})},
        )


class PairReader:
    """Reads the pairs of one task on one dataset."""

    def __init__(
        self,
        dataset: Dataset,
        task: Task,
        features: Features,
        kinds: Mapping[str, Collection[str]],
        truth: TruthRenderer | None = None,
        hears: Collection[str] = (),
    ) -> None:
        """`kinds`: what the networks look for in "source", "driving" and "truth" frames; `hears`: what is to be heard
        in the driving clip's sound (`Metric.hears`)."""
        self.features = features
        self.seconds = 0.0  # spent on decoding
        self._dataset = dataset
        self._task = task
        self._kinds = kinds
        self._truth = truth
        self._hears = hears
        self._source_frames = lru_cache(SOURCES_KEPT)(self._decode_source)
        self.read = lru_cache(PAIRS_KEPT)(self._read)
        """Decode a pair; `BadVideo` or IndexError when a clip is not what the manifest says."""

    def indices(self, pair: Pair) -> list[int]:
        """The driving frames that the task compares."""
        return self._task.driving_indices(pair)

    @property
    def truth_is_rendered(self) -> bool:
        """Whether the truth shows the source's person moved, and not the driving frames."""
        return self._truth is not None

    @property
    def truth_is_known(self) -> bool:
        """Whether there is any picture of what is asked for."""
        return self.truth_is_rendered or self._task.motion != "redirect"

    def _read(self, pair: Pair) -> PairView:
        start = time.perf_counter()
        indices = self.indices(pair)
        if self._task.motion == "redirect":
            return self._still(pair, indices)
        driving = self._dataset.frames(pair.driving, indices)
        alone = pair.source == pair.driving and self._task.shots == 1 and not (pair.source_at or pair.driving_at)
        source = driving[:1] if alone else self._source_frames(pair.source, pair.source_at)
        initial = None
        if self._task.motion == "relative":
            first = pair.initial or 0
            initial = driving[:1] if indices[0] == first else self._dataset.frames(pair.driving, [first])
        self.seconds += time.perf_counter() - start
        heard = {kind: self.features.heard(kind, pair.driving, indices) for kind in self._hears}
        unheard = {kind: found for kind, found in heard.items() if isinstance(found, str)}
        # driving first: where the source is among its frames, the networks have then seen it
        beat = sound.beat(len(indices), pair.driving.fps)
        look = self._look(driving, "driving", unheard, beat)
        true = self._true(pair, indices, unheard, beat)
        for side in (look, true):
            if side is not None:
                side.features.update({kind: found for kind, found in heard.items() if not isinstance(found, str)})
        given = self._look(source, "source")
        return PairView(indices, source, driving, given, look, true, initial, beat=beat, unheard=unheard)

    def _still(self, pair: Pair, indices: list[int]) -> PairView:
        """A pair in which nothing drives: the truth, where there is one, stands for what is asked for in pictures."""
        start = time.perf_counter()
        source = self._source_frames(pair.source, pair.source_at)
        self.seconds += time.perf_counter() - start
        look, truth = self._look(source, "source"), self._true(pair, indices)
        asked = np.array([self._task.angles[i] for i in indices], np.float32)
        repeated = np.broadcast_to(source[:1], (len(indices), *source.shape[1:]))
        return PairView(indices, source, repeated, look, truth or look.repeated(len(indices)), truth, angles=asked)

    def _true(
        self,
        pair: Pair,
        indices: list[int],
        unheard: Collection[str] = ("voice",),
        beat: NDArray[np.intp] | None = None,
    ) -> Look | None:
        if self._truth is None:
            return None
        return self._look(self._truth.frames(pair, indices, self._task), "truth", unheard, beat)

    def _decode_source(self, clip: Clip, frames: tuple[int, ...]) -> Frames:
        return self._dataset.frames(clip, frames or self._task.source_indices(clip.n_frames))

    def _look(
        self,
        frames: Frames,
        side: str,
        unheard: Collection[str] = ("voice",),
        beat: NDArray[np.intp] | None = None,
    ) -> Look:
        resized = video.resize(frames, self._task.size)
        return Look(resized, self.features.of(resized, seen_with(self._kinds[side], unheard), beat))


def seen_with(kinds: Collection[str], unheard: Collection[str]) -> set[str]:
    """The kinds to look for where some of what was to be heard is not: lips mean nothing without a voice."""
    return set(kinds) - ({"lips"} if "voice" in unheard else set())
