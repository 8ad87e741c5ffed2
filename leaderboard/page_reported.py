"""What papers report, as the page shows it: by task and dataset, a block for each paper's table, never ranked."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from leaderboard import published
from leaderboard.published import Card
from leaderboard.reproduction import Match, reproduction
from leaderboard.store import Store

MATCHES = 200  # published numbers beside measured ones on the page


@dataclass(frozen=True)
class Number:
    """A value as it is printed, its scale where that is not the column's, and what it is on the usual one."""

    text: str
    scale: str
    converted: str


@dataclass(frozen=True)
class Block:
    """The rows that one table of one paper has of a group."""

    card: Card
    table: str
    verified: bool
    note: str  # what holds for all rows
    names: tuple[tuple[str, str], ...]  # (model, note of its own)
    cells: tuple[tuple[Number | None, ...], ...]  # [rows][columns]


@dataclass(frozen=True)
class Conflict:
    """A model's metric of which two papers or more have a say."""

    model: str
    metric: str
    values: tuple[tuple[str, float], ...]  # (paper, value)


@dataclass(frozen=True)
class Group:
    """All that papers report of one task and dataset."""

    index: int
    task: str
    dataset: str
    metrics: tuple[tuple[str, str], ...]  # (name, scale that all papers state)
    blocks: tuple[Block, ...]
    conflicts: tuple[Conflict, ...]
    reasons: tuple[str, ...]  # why no order can be made of the conflicts

    @property
    def id(self) -> str:
        """Its anchor in the page."""
        return f"reported-{self.index + 1}"


@dataclass(frozen=True)
class Reproduced:
    """Published numbers beside measured ones, each with the number of what differs, and how many more there are."""

    matches: tuple[tuple[Match, int], ...]
    reasons: tuple[tuple[str, ...], ...]  # the n-th is number n + 1
    more: int


def reproduced(store: Store) -> Reproduced:
    """What `leaderboard reproduction` prints, as far as the page has room."""
    found = reproduction(store)
    notes: dict[tuple[str, ...], int] = {}
    shown = [(match, notes.setdefault(match.reasons, len(notes) + 1)) for match in found[:MATCHES]]
    return Reproduced(tuple(shown), tuple(notes), len(found) - len(shown))


def reported(store: Store) -> list[Group]:
    """The groups by task, those of which most is reported first, and datasets by name."""
    cards = {card.id: card for card in published.cards(store)}
    rows = [row | {"dataset": row["dataset"] or "", "note": row["note"] or ""} for row in published.rows(store)]
    rows.sort(key=lambda row: (row["task"], row["dataset"]))
    found = [
        (task, dataset, list(of_group))
        for (task, dataset), of_group in groupby(rows, lambda r: (r["task"], r["dataset"]))
    ]
    of_task = {task: sum(len(r) for t, _, r in found if t == task) for task, _, _ in found}
    found.sort(key=lambda group: (-of_task[group[0]], group[0], -len({r["paper_id"] for r in group[2]}), group[1]))
    return [_group(store, i, *group, cards) for i, group in enumerate(found)]


def reported_csv(store: Store) -> str:
    """All that papers report, a line for each number, as a table to download."""
    rows = published.rows(store)
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys() if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _group(
    store: Store, index: int, task: str, dataset: str, rows: list[dict[str, Any]], cards: dict[str, Card]
) -> Group:
    scales: dict[str, set[str]] = {}
    for row in rows:
        scales.setdefault(row["metric"], set()).add(row["scale"] or "")
    metrics = {metric: "".join(of) if len(of) == 1 else "" for metric, of in scales.items()}
    tables: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        tables.setdefault((row["paper_id"], row["paper_table"] or ""), []).append(row)
    blocks = tuple(_block(cards[paper], table, of_table, metrics) for (paper, table), of_table in tables.items())
    conflicts = _conflicts(rows)
    reasons = dict.fromkeys(
        reason
        for conflict in conflicts
        for reason in published.side_by_side(
            store, model=conflict.model, metric=conflict.metric, dataset=dataset or None, task=task
        ).reasons
    )
    return Group(index, task, dataset, tuple(metrics.items()), blocks, conflicts, tuple(reasons))


def _block(card: Card, table: str, rows: list[dict[str, Any]], metrics: dict[str, str]) -> Block:
    """`metrics`: name -> the scale that stands above the column."""
    as_written = card.layout(table).as_written
    places = {metric: max(_decimals(row) for row in rows if row["metric"] == metric) for metric in _named(rows)}
    by_name: dict[tuple[str, str], dict[str, Number]] = {}
    notes = {row["note"] for row in rows}
    shared = notes.pop() if len(notes) == 1 else ""
    for row in rows:
        metric = row["metric"]
        number = Number(
            text=f"{row['value']:.{_decimals(row) if metric in as_written else places[metric]}f}",
            scale=row["scale"] if row["scale"] and row["scale"] != metrics[metric] else "",
            converted="" if row["converted"] is None else f"{row['converted']:.4g} on {row['converted_scale']}",
        )
        by_name.setdefault((row["model"], "" if shared else row["note"]), {}).setdefault(metric, number)
    cells = tuple(tuple(of_name.get(metric) for metric in metrics) for of_name in by_name.values())
    return Block(card, table, all(row["verified"] for row in rows), shared, tuple(by_name), cells)


def _named(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["metric"] for row in rows))


def _decimals(row: dict[str, Any]) -> int:
    return len(f"{row['value']!r}".removesuffix(".0").partition(".")[2])


def _conflicts(rows: list[dict[str, Any]]) -> tuple[Conflict, ...]:
    said: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        number = row["value"] if row["converted"] is None else row["converted"]
        said.setdefault((row["model"], row["metric"]), {}).setdefault(row["paper_id"], number)
    return tuple(Conflict(*key, tuple(values.items())) for key, values in said.items() if len(values) > 1)
