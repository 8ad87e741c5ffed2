"""New protocols with new lists of pairs, drawn by hashes of a seed: the same seed and clips give the same list."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench import pair_lists, tasks
from bench.protocols import ID, of_task
from bench.tasks.base import Pair
from curate.errors import UserError
from curate.files import atomic, sha256_file, sha256_text
from leaderboard.records import FailedFrames

if TYPE_CHECKING:
    from curate.dataset import Clip

TRIES = 100  # draws for a pair that is not in the list yet


@dataclass(frozen=True)
class Draw:
    """What pairs to draw.

    "clips": whole clips, n of all possible pairs. "frames": single driving frames, each with `shots` frames of the
    source's clip, as MarioNETte's image sets (Ha et al. 2020, section 4).
    """

    people: Literal["same", "other"]  # whether source and driving are one clip, or clips of two persons and videos
    of: Literal["clips", "frames"] = "clips"
    n: int = 2000
    shots: int = 1
    seed: int = 0


def draw(clips: Sequence[Clip], how: Draw) -> list[Pair]:
    """The pairs, in the order of their ids; `UserError` when the clips do not give so many."""
    clips = sorted(clips, key=lambda clip: clip.clip_id)
    possible = [(s, d) for d in clips for s in clips if _fit(s, d, how.people)]
    if not possible:
        raise UserError(f"{len(clips)} clips give no pair of {how.people} person: two persons in two videos are needed")
    if how.of == "clips":
        if how.n > len(possible):
            raise UserError(f"{len(clips)} clips give {len(possible)} pairs, and {how.n} are asked for")
        possible.sort(key=lambda pair: sha256_text(f"{how.seed}\t{pair[0].clip_id}\t{pair[1].clip_id}"))
        return sorted((Pair(s, d) for s, d in possible[: how.n]), key=lambda pair: pair.id)
    found: dict[str, Pair] = {}
    for k in range(how.n):
        for attempt in range(TRIES):
            pair = _image_set(possible, how, f"{how.seed}\t{k}\t{attempt}")
            if pair is not None and pair.id not in found:
                found[pair.id] = pair
                break
        else:
            raise UserError(f"these clips give hardly more than {len(found)} image sets, and {how.n} are asked for")
    return sorted(found.values(), key=lambda pair: pair.id)


def make(
    name: str, task_name: str, clips: Sequence[Clip], how: Draw, out: Path, failed_frames: FailedFrames, about: str
) -> Path:
    """Write out/NAME.toml and out/NAME.csv; gives the former's path. `about` names the dataset."""
    if not re.fullmatch(ID, name):
        raise UserError(f"name: expected small letters, digits, dots and dashes, got {name[:60]!r}")
    task = of_task(tasks.get(task_name)).task()
    path, pairs = out / f"{name}.toml", draw(clips, how)
    pair_lists.write(out / f"{name}.csv", pairs)
    settings = "".join(f"{name} = {json.dumps(value)}\n" for name, value in task.parameters.items())
    settings = f"\n[parameters]\n{settings}" if settings else ""
    unit = "pairs of clips" if how.of == "clips" else "driving frames"
    text = f"""# Written by `bench protocols make`; a change of anything here makes another protocol.
protocol = "{name}"
version = 1
task = "{task.id}"
task_version = {task.version}
description = "{len(pairs)} {unit} of {how.people} person, drawn with seed {how.seed} from {about}"
size = {task.size}
frames_per_clip = {task.frames_per_clip}
shots = {how.shots}
failed_frames = "{failed_frames}"
{settings}
[pairs]
file = "{name}.csv"
sha256 = "{sha256_file(out / f"{name}.csv")}"
"""
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def _fit(source: Clip, driving: Clip, people: Literal["same", "other"]) -> bool:
    if people == "same":
        return source == driving
    return source.person != driving.person and source.video_id != driving.video_id


def _image_set(possible: Sequence[tuple[Clip, Clip]], how: Draw, key: str) -> Pair | None:
    source, driving = possible[_number(f"{key}\tpair", len(possible))]
    driven = _number(f"{key}\tdriving", driving.n_frames)
    free = [i for i in range(source.n_frames) if source != driving or i != driven]
    if len(free) < how.shots:
        return None
    free.sort(key=lambda i: sha256_text(f"{key}\t{i}"))
    return Pair(source, driving, tuple(sorted(free[: how.shots])), (driven,))


def _number(key: str, count: int) -> int:
    return int(sha256_text(key)[:15], 16) % count
