"""Pictures of the frames on which a model does worst, kept while a run passes over the pairs: there are too many frames
to store, and which were the worst is known only then."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.run_folder import PREVIEWS, jpeg
from leaderboard.records import StillInfo

if TYPE_CHECKING:
    from bench.metrics.base import Metric
    from bench.pair_reader import PairView
    from bench.scoring import Look, Outcome
    from bench.tasks.base import Pair

KEPT = 6  # frames a metric, each of another pair: neighbouring frames fail alike


@dataclass(frozen=True)
class Still:
    """JPEG files of one frame of a pair: name -> bytes, and what they show."""

    info: StillInfo
    files: dict[str, bytes]


class WorstFrames:
    """The worst frames of one run by each metric. A frame that a metric failed on is worse than any value."""

    def __init__(self) -> None:
        self._worst: dict[str, list[tuple[float, str, int]]] = {}  # metric -> goodness, pair, frame; the worst first
        self._pictures: dict[tuple[str, int], dict[str, bytes]] = {}

    def offer(self, metric: Metric, pair: Pair, view: PairView, output: Look, outcomes: Mapping[int, Outcome]) -> None:
        """Look at one pair's outcomes by frame; its worst is kept if it is among the worst so far."""
        sign = 1 if metric.higher_is_better else -1
        found = [
            (-math.inf if value is None else sign * value, pair.id, frame)
            for frame, (value, status, _) in outcomes.items()
            if status != "missing"
        ]
        if not found:
            return
        kept = sorted([*self._worst.get(metric.id, []), min(found)])[:KEPT]
        self._worst[metric.id] = kept
        _, _, frame = min(found)
        if min(found) in kept and (pair.id, frame) not in self._pictures:
            i = view.indices.index(frame)
            looks = {"source": view.source.frames[0], "driving": view.driving.frames[i], "output": output.frames[i]}
            if view.truth is not None:
                looks["truth"] = view.truth.frames[i]
            self._pictures[pair.id, frame] = {side: jpeg(picture) for side, picture in looks.items()}

    def finish(self) -> list[Still]:
        """The pictures of those that stayed among the worst, in the order of pairs and frames."""
        stills = []
        for number, key in enumerate(sorted({place[1:] for kept in self._worst.values() for place in kept})):
            names = {side: f"{PREVIEWS}/worst-{number}-{side}.jpg" for side in self._pictures[key]}
            files = {names[side]: content for side, content in self._pictures[key].items()}
            stills.append(Still(StillInfo(pair_id=key[0], frame=key[1], **names), files))
        return stills
