"""What curation made of raw videos about which everything is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.analyse import Analysis
from curate.framing import iou
from curate.synth.raw import RAW_TRUTH
from curate.tracks import Track

LEAST_IOU = 0.5  # of a track's boxes with the truth, on average, for the track to be of that person


@dataclass(frozen=True)
class Check:
    """Counts over all videos."""

    cuts: int
    cuts_found: int
    cuts_invented: int
    people: int  # in all shots
    people_found: int
    people_invented: int

    def __str__(self) -> str:
        return (
            f"found {self.cuts_found} of {self.cuts} cuts (and {self.cuts_invented} that are none), "
            f"{self.people_found} of {self.people} people (and {self.people_invented} that are nobody)"
        )


def check(raw: Path, out: Path) -> Check:
    """Compare the analysis in dataset `out` with the truth of the raw videos that it was built from."""
    known: dict[str, Any] = json.loads((raw / RAW_TRUTH).read_text(encoding="utf-8"))["videos"]
    counts = [0] * 6
    for name, about in known.items():
        (path,) = (out / "analysis").glob(f"{name}-*.json")
        found = _video(about["shots"], Analysis.from_json(json.loads(path.read_text(encoding="utf-8"))))
        counts = [a + b for a, b in zip(counts, found, strict=True)]
    return Check(*counts)


def _video(shots: Sequence[dict[str, Any]], found: Analysis) -> tuple[int, ...]:
    """The counts of `Check` for one video."""
    cuts, seen = {shot["start"] for shot in shots[1:]}, {shot.start for shot in found.shots[1:]}
    left, people = list(found.tracks), 0
    for shot in shots:
        for person in shot["tracks"]:
            people += 1
            inside = [track for track in left if shot["start"] <= track.start and track.end <= shot["end"]]
            best = max(inside, key=lambda track: _overlap(track, person), default=None)
            if best is not None and _overlap(best, person) > LEAST_IOU:
                left.remove(best)
    tracked = len(found.tracks) - len(left)
    return len(cuts), len(cuts & seen), len(seen - cuts), people, tracked, len(left)


def _overlap(track: Track, person: dict[str, Any]) -> float:
    boxes = [tuple(person["boxes"][frame - person["start"]]) for frame in track.frames]
    return sum(iou(box, truth) for box, truth in zip(track.boxes, boxes, strict=True)) / len(boxes)
