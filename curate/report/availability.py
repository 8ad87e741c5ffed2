"""Which videos of a list could be had, by the day they were asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from curate.ledger_queries import Entry

DATES = ("retrieved_at", "retrieved", "retrieval_date", "retrieved_on")  # columns or scores that hold the day


@dataclass(frozen=True)
class Day:
    """Videos asked for on one day, by what became of them."""

    date: str  # 2026-01-31
    states: tuple[tuple[str, int], ...]

    @property
    def count(self) -> int:
        """All of them."""
        return sum(count for _, count in self.states)


@dataclass(frozen=True)
class Availability:
    """By day, newest last, and over all days."""

    days: tuple[Day, ...]
    states: tuple[tuple[str, int], ...]  # over all days, those of most videos first
    undated: int  # videos without a date: read from a folder


def availability(items: Sequence[Entry]) -> Availability:
    """Count the ledger's videos by day and state: available, or the error class of the failure."""
    counts: dict[str, Counter[str]] = {}
    undated = 0
    for entry in items:
        if entry.kind != "video":
            continue
        date = next((value for name in DATES if (value := entry.others.get(name) or entry.scores.get(name))), None)
        if date is None:
            undated += 1
            continue
        counts.setdefault(str(date)[:10], Counter())[_state(entry)] += 1
    states = sum(counts.values(), Counter()).most_common()
    days = tuple(
        Day(date, tuple((state, counts[date][state]) for state, _ in states if counts[date][state]))
        for date in sorted(counts)
    )
    return Availability(days, tuple(states), undated)


def _state(entry: Entry) -> str:
    if entry.verdict == "failed":
        return entry.error_class or "failed"
    return "purged" if entry.verdict == "purged" else "available"
