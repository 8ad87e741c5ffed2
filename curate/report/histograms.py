"""Histograms of every score as geometry, in percent: bars of kept and of other items, the threshold among them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curate.ledger_queries import Entry
from curate.report.thresholds import Threshold, limit, values

BINS = 32
TAIL = 0.01  # of the values at either end may lie beyond the axis; they are counted in the outermost bars
_KINDS = ("video", "track", "clip")


@dataclass(frozen=True)
class Bar:
    """One bin: where it stands, and how high its two parts reach, in percent of the axis and of the highest bar."""

    left: float
    width: float
    kept: float
    other: float
    text: str


@dataclass(frozen=True)
class Histogram:
    """The distribution of one score of one kind of item."""

    kind: str
    name: str
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]  # position, label
    threshold: Threshold | None
    threshold_at: tuple[float, ...]  # positions
    n_kept: int
    n_other: int
    n_beyond: int  # counted in the outermost bars
    median: float


def histograms(items: Sequence[Entry], limits: Mapping[str, Threshold]) -> list[Histogram]:
    """One for each score of videos, tracks and clips that at least two items have with different values."""
    found: dict[tuple[str, str], tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for entry in items:
        if entry.kind in _KINDS:
            for name, value in values(entry).items():
                if math.isfinite(value):
                    found[entry.kind, name][0 if entry.kept else 1].append(value)
    drawn = [
        _histogram(kind, name, kept, other, limit(limits, kind, name))
        for (kind, name), (kept, other) in found.items()
        if len(set(kept + other)) > 1
    ]
    return sorted(drawn, key=lambda h: (_KINDS.index(h.kind), h.threshold is None, h.name))


def _histogram(
    kind: str, name: str, kept: Sequence[float], other: Sequence[float], threshold: Threshold | None
) -> Histogram:
    ordered = sorted([*kept, *other])
    low, high = _axis(ordered, threshold)
    step = (high - low) / BINS
    counts = [[0, 0] for _ in range(BINS)]
    for side, numbers in enumerate((kept, other)):
        for value in numbers:
            counts[min(BINS - 1, max(0, int((value - low) / step)))][side] += 1
    highest = max(sum(pair) for pair in counts)
    places = _places(step)
    bars = tuple(
        Bar(
            left=round(100 * i / BINS, 3),
            width=round(100 / BINS, 3),
            kept=round(100 * pair[0] / highest, 2),
            other=round(100 * pair[1] / highest, 2),
            text=f"{low + i * step:.{places}f} to {low + (i + 1) * step:.{places}f}: {pair[0]} kept, {pair[1]} not",
        )
        for i, pair in enumerate(counts)
        if sum(pair)
    )
    return Histogram(
        kind=kind,
        name=name,
        bars=bars,
        ticks=tuple((round(100 * (at - low) / (high - low), 2), text) for at, text in ticks(low, high)),
        threshold=threshold,
        threshold_at=tuple(round(100 * (at - low) / (high - low), 2) for at in (threshold.bounds if threshold else ())),
        n_kept=len(kept),
        n_other=len(other),
        n_beyond=sum(value < low or value > high for value in ordered),
        median=ordered[len(ordered) // 2],
    )


def _axis(ordered: Sequence[float], threshold: Threshold | None) -> tuple[float, float]:
    """Ends of the axis: all values but the outermost ones where these are far away, and the threshold."""
    cut = int(TAIL * len(ordered))
    low, high = ordered[cut], ordered[-1 - cut]
    if low == high:
        low, high = ordered[0], ordered[-1]
    if threshold:
        low, high = min(low, *threshold.bounds), max(high, *threshold.bounds)
    pad = (high - low) * 0.02
    return (low if low == 0 else low - pad), high + pad


def ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Two to six round numbers between `low` and `high`, low < high, with their labels."""
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    step *= next((m for m in (5, 2) if (high - low) / (step * m) >= 2.3), 1)
    places = _places(step)
    numbers = range(math.ceil(low / step), math.floor(high / step) + 1)
    return [(n * step, _short(n * step, places)) for n in numbers]


def _places(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _short(value: float, places: int) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            unit = 1000.0 if letter == "k" else size
            return f"{value / unit:g}{letter}"
    return f"{value:.{places}f}"
