"""Redirection: turn the head of a picture to given angles."""

from __future__ import annotations

from bench.tasks.base import Reference, Task
from bench.tasks.same_id import pairs

TRUTH = "the rendered truth: the source's head turned to the angles asked for"
UNKNOWN = Reference(None, "no ground truth: nobody filmed this head at these angles")

GRID = tuple((float(yaw), float(pitch), 0.0) for pitch in range(20, -21, -10) for yaw in range(-45, 46, 15))

TASK = Task(
    id="redirection",
    version=1,
    description="turn the head of each clip's first frame to yaw -45 to 45 by 15 and pitch -20 to 20 by 10 degrees",
    references={
        "redirection": Reference("angles", "the angles asked for, and the source frame's identity"),
        "pixels": Reference("truth", TRUTH, UNKNOWN),
        "motion": Reference("truth", TRUTH, UNKNOWN),
        "identity": Reference("source", "the source frame"),
        "distribution": Reference("truth", TRUTH, UNKNOWN),
    },
    pairs=pairs,
    motion="redirect",
    angles=GRID,
)
