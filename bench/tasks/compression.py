"""Video conferencing: what is sent for a clip, and what the receiver sees of it, against H.264 and H.265."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.tasks.base import Reference, Task
from bench.tasks.same_id import pairs

if TYPE_CHECKING:
    from baselines.interface import Reenactor
    from bench.rows import Row


def rows(models: list[Reenactor]) -> list[Reenactor]:
    """As `bench.compression.rows`."""
    from bench import compression

    return compression.rows(models)


def conclude(task: Task, rows: Sequence[Row]) -> None:
    """As `bench.rate_distortion.conclude`."""
    from bench import rate_distortion

    rate_distortion.conclude(task, rows)


TASK = Task(
    id="compression",
    version=1,
    description="send each clip as its first frame and motion, against H.264 and H.265 at several qualities",
    references={
        "rate": Reference("driving", "the frames that were coded"),
        "pixels": Reference("driving", "the frames that were coded"),
    },
    pairs=pairs,
    frames_per_clip=250,
    consecutive=True,
    rows=rows,
    conclude=conclude,
)
