"""Reenactment with relative motion: another person's picture, moved by what the driving face does since its first
frame."""

from __future__ import annotations

from bench.tasks.base import Reference, Task
from bench.tasks.cross_id import pairs

TRUTH = "the rendered truth: the source as in its first frame, moved by what the driving head did since its own"
UNKNOWN = Reference(None, "no ground truth: nobody filmed this source making these motions")

TASK = Task(
    id="relative",
    version=1,
    description="move the first frame of another person's clip by what each clip does since its first frame",
    references={
        "pixels": Reference("truth", TRUTH, UNKNOWN),
        "motion": Reference("truth", TRUTH, UNKNOWN),
        "identity": Reference("source", "the source frame"),
        "distribution": Reference("truth", TRUTH, UNKNOWN),
    },
    pairs=pairs,
    motion="relative",
)
