"""Reenactment: one person's picture, moved as another person moves (absolute motion)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.tasks.base import Pair, Reference, Task
from curate.errors import UserError
from curate.files import sha256_text

if TYPE_CHECKING:
    from curate.dataset import Clip


def pairs(clips: Sequence[Clip], seed: int) -> list[Pair]:
    """Every clip drives the first frame of one clip of another person in another video, in the order of their ids.

    The source is the candidate whose hash with the driving clip and the seed is smallest, so that it depends neither
    on the order of the clips nor on a generator's state, and clips added later change few pairs. A clip for which there
    is no candidate drives nothing; `UserError` when that is so of every clip.
    """
    found = []
    for driving in sorted(clips, key=lambda clip: clip.clip_id):
        others = [clip for clip in clips if clip.person != driving.person and clip.video_id != driving.video_id]
        if others:
            source = min(others, key=lambda clip: sha256_text(f"{seed}\t{driving.clip_id}\t{clip.clip_id}"))
            found.append(Pair(source, driving))
    if not found:
        persons, videos = len({clip.person for clip in clips}), len({clip.video_id for clip in clips})
        raise UserError(
            f"cross-id needs two persons in two videos, but these {len(clips)} clips show {persons} in {videos}: "
            "add videos of other people to the dataset, or run same-id"
        )
    return found


TRUTH = "the rendered truth: the source, its light and background, moved as the driving frame"

TASK = Task(
    id="cross-id",
    version=1,
    description="move the first frame of another person's clip as each clip moves",
    references={
        "pixels": Reference(
            "truth", TRUTH, Reference(None, "no ground truth: nobody filmed this source making these motions")
        ),
        "motion": Reference(
            "truth", TRUTH, Reference("driving", "the driving frame, of another face shape: no model can reach 0")
        ),
        "identity": Reference("source", "the source frame"),
        "distribution": Reference(
            "truth", TRUTH, Reference("driving", "the driving frames, which show other persons: no model can reach 0")
        ),
    },
    pairs=pairs,
)
