"""The frames that a perfect model would give, where they can be had: SynthHeads renders anyone in any motion."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING

from curate.errors import UserError
from curate.synth.recipe import SYNTH_VERSION
from curate.synth.truth import ClipTruth, Truth, available

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.tasks.base import Pair, Task
    from curate.dataset import Dataset
    from curate.perception.interface import Frames

CLIPS_KEPT = 64


class TruthRenderer:
    """Renders truth frames, as they would be without a camera's noise and without compression."""

    def __init__(self, dataset: Dataset) -> None:
        """`dataset` must have truth, and of all its clips; else `UserError`."""
        self.seconds = 0.0  # spent so far
        self._truth = Truth.open(dataset.root)
        self._clip = lru_cache(CLIPS_KEPT)(self._read)
        if lacking := [clip.clip_id for clip in dataset.clips if clip.clip_id not in self._truth]:
            raise UserError(f"{dataset.root} has no truth of clip {lacking[0]}: make the dataset again")

    def frames(self, pair: Pair, indices: Sequence[int], task: Task) -> Frames:
        """The source's person, light and background as they would look moved as the task says, by these driving frames
        or to these of its angles: uint8 RGB [T, size, size, 3]."""
        from curate.synth import oracle

        start = time.perf_counter()
        source, driving = self._clip(pair.source.clip_id), self._clip(pair.driving.clip_id)
        first = pair.source_at[0] if pair.source_at else 0
        if task.motion == "redirect":
            yaw, pitch, roll = zip(*(task.angles[i] for i in indices), strict=True)
            rendered = oracle.rotate(source, first, yaw, pitch, roll, task.size)
        elif task.motion == "relative":
            rendered = oracle.relative(source, first, driving, pair.initial or 0, indices, task.size)
        else:
            rendered = oracle.render(source, driving, indices, task.size)
        self.seconds += time.perf_counter() - start
        frames: Frames = rendered.frames
        return frames

    def _read(self, clip_id: str) -> ClipTruth:
        clip = self._truth.clip(clip_id)
        if clip.synth_version != SYNTH_VERSION:
            raise UserError(
                f"clip {clip_id} was rendered by version {clip.synth_version} of SynthHeads, and this is version "
                f"{SYNTH_VERSION}, whose truth would be another: make the dataset again"
            )
        return clip


def truth_of(dataset: Dataset) -> TruthRenderer | None:
    """What renders the truth of a dataset, None where only what was filmed is known."""
    return TruthRenderer(dataset) if available(dataset.root) else None
