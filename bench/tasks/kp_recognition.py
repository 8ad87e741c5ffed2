"""Recognition by canonical keypoints: do they hold who somebody is, and neither pose nor expression?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.tasks.base import Pair, Reference, Task
from curate.errors import UserError
from curate.files import sha256_text

if TYPE_CHECKING:
    from baselines.interface import Reenactor
    from bench.rows import Row
    from curate.dataset import Clip


def pairs(clips: Sequence[Clip], seed: int) -> list[Pair]:
    """Of every person with two clips or more: one clip, drawn by seed, for the gallery, with each of the others.

    `UserError` unless there are two such persons.
    """
    of_person: dict[str, list[Clip]] = {}
    for clip in sorted(clips, key=lambda clip: clip.clip_id):
        of_person.setdefault(clip.person, []).append(clip)
    found = []
    for person in sorted(of_person):
        own = of_person[person]
        gallery = min(own, key=lambda clip: sha256_text(f"{seed}\t{clip.clip_id}"))
        found += [Pair(gallery, clip) for clip in own if clip != gallery]
    if len({pair.source.person for pair in found}) < 2:
        raise UserError(
            f"kp-recognition needs two persons with two clips each, but these {len(clips)} clips show "
            f"{len(of_person)} persons: curate with identities, or add clips of the same people"
        )
    return found


def rows(task: Task, models: list[Reenactor]) -> list[Reenactor]:
    """As `bench.recognition.rows`."""
    from bench import recognition

    return recognition.rows(models)


def conclude(task: Task, rows: Sequence[Row]) -> None:
    """As `bench.recognition.conclude`."""
    from bench import recognition

    recognition.conclude(task, rows)


TASK = Task(
    id="kp-recognition",
    version=1,
    description="recognise people from another clip by the canonical keypoints that a model finds, against landmarks",
    references={"recognition": Reference("source", "the gallery, the first frame of one clip of each person")},
    pairs=pairs,
    frames_per_clip=8,
    rows=rows,
    conclude=conclude,
)
