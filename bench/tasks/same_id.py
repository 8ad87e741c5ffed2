"""Reconstruction: the first frame of a clip, moved as the clip itself moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.tasks.base import Pair, Reference, Task

if TYPE_CHECKING:
    from curate.dataset import Clip


def pairs(clips: Sequence[Clip], seed: int) -> list[Pair]:
    """Every clip with itself, in the order of their ids. There is nothing to draw: `seed` changes nothing."""
    return [Pair(clip, clip) for clip in sorted(clips, key=lambda clip: clip.clip_id)]


TASK = Task(
    id="same-id",
    version=1,
    description="reconstruct each clip from its first frame (FOMM's protocol: the first frame is scored too)",
    references={
        "pixels": Reference("driving", "the driving frame"),
        "motion": Reference("driving", "the driving frame"),
        "identity": Reference("driving", "the driving frame"),
        "distribution": Reference("driving", "the driving frames"),
    },
    pairs=pairs,
)
