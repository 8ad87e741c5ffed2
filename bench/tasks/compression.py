"""Video conferencing: what is sent for a clip, and what the receiver sees of it, against H.264 and H.265."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.tasks.base import Reference, Task
from bench.tasks.same_id import pairs

if TYPE_CHECKING:
    from baselines.interface import Reenactor
    from bench.rows import Row


def rows(task: Task, models: list[Reenactor]) -> list[Reenactor]:
    """As `bench.compression.rows`."""
    from bench import compression

    return compression.rows(task, models)


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
    parameters={
        "source_crf": (18.0, 24.0, 30.0, 36.0, 42.0, 48.0),  # of the source's picture, at each of a model's settings
        "coarser": (1.0, 2.0, 4.0, 8.0, 16.0, 32.0),  # times these steps, at the same settings
        "angle_step": 0.25,  # degrees
        "t_step": 1 / 512,  # of half the image's side
        "delta_step": 1 / 512,
        "hold": 6.0,  # steps by which a keypoint must move to be sent, in the row that is adaptive; 0: no such row
        "video_crf": (21.0, 27.0, 33.0, 39.0, 45.0, 51.0),  # of H.264 and H.265
        "preset": "medium",
        "key_frame_every": 100_000.0,  # frames, at most
        "fps": 25.0,
    },
    rows=rows,
    conclude=conclude,
)
