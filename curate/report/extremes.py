"""The items a person should look at: those next to a threshold, on both sides, and the weakest of what was kept."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curate.ledger_queries import Entry
from curate.report.thresholds import Threshold, limit, values


@dataclass(frozen=True)
class Item:
    """An item and the score for which it is shown."""

    entry: Entry
    score: str
    value: float


@dataclass(frozen=True)
class Border:
    """The items nearest to one threshold: those that pass it, and those that do not, nearest first."""

    kind: str
    score: str
    threshold: Threshold
    passing: tuple[Item, ...]
    failing: tuple[Item, ...]


def borders(items: Sequence[Entry], limits: Mapping[str, Threshold], most: int) -> list[Border]:
    """For every score of faces and clips with a threshold: up to `most` items on either side of it.

    A score that clips and their faces share is shown of the faces, where it decides.
    """
    scored: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for entry in items:
        for score, value in values(entry).items():
            if limit(limits, entry.kind, score) and math.isfinite(value):
                scored[entry.kind, score].append(Item(entry, score, value))
    found = []
    for (kind, score), here in sorted(scored.items(), key=lambda pair: (pair[0][0] != "track", pair[0])):
        if kind == "clip" and ("track", score) in scored:
            continue
        threshold = limits[score]
        ordered = [item for _, _, item in sorted((threshold.distance(i.value), i.entry.item_id, i) for i in here)]
        passing = [item for item in ordered if threshold.passes(item.value)]
        failing = [item for item in ordered if not threshold.passes(item.value)]
        found.append(Border(kind, score, threshold, tuple(passing[:most]), tuple(failing[:most])))
    return found


def weakest(items: Sequence[Entry], limits: Mapping[str, Threshold], most: int) -> list[Item]:
    """The kept clips that stand lowest among the kept ones in any score that has a threshold, with that score."""
    clips = [entry for entry in items if entry.kind == "clip" and entry.kept]
    columns: dict[str, list[float]] = defaultdict(list)
    for clip in clips:
        for score, value in values(clip).items():
            if score in limits and math.isfinite(value):
                columns[score].append(limits[score].goodness(value))
    for column in columns.values():
        column.sort()
    ranked = []
    for clip in clips:
        standing = [
            (bisect_left(columns[score], limits[score].goodness(value)) / len(columns[score]), score, value)
            for score, value in values(clip).items()
            if score in columns and math.isfinite(value) and columns[score][0] < columns[score][-1]
        ]
        if standing:
            rank, score, value = min(standing)
            ranked.append((rank, clip.item_id, Item(clip, score, value)))
    return [item for _, _, item in sorted(ranked, key=lambda row: row[:2])[:most]]
