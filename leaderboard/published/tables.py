"""Papers' tables out of the store, with the rows, columns and decimals that they have in the papers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from leaderboard.published.cards import Card, Layout
from leaderboard.published.metrics import name
from leaderboard.published.query import cards, find, rows
from leaderboard.store import Store

EMPTY = "-"


@dataclass(frozen=True)
class Table:
    """A table as it stands in its paper. `cells` [rows][columns] are texts, "-" where the paper's copy has nothing."""

    card: Card
    layout: Layout
    labels: tuple[str, ...]  # headings of the columns that name a row: model, or note and model
    columns: tuple[tuple[str, str], ...]  # (dataset, "" where none is named; metric with its direction)
    names: tuple[tuple[str, ...], ...]  # [rows][labels]
    cells: tuple[tuple[str, ...], ...]
    verified: bool  # somebody has read all of its numbers in the paper

    @property
    def title(self) -> str:
        """Paper, number and caption."""
        number = f"table {self.layout.number}" if self.layout.number else "a table whose number is not known"
        return f"{self.card.id}, {number}: {self.layout.caption}"


def tables(store: Store, paper: str, number: str | None = None) -> list[Table]:
    """The tables of a paper, by id or the start of one (`osfv`), in the paper's order; `number`: that one alone."""
    card = find(cards(store), paper)
    wanted = card.tables if number is None else (card.layout(number),)
    return [_table(card, layout, rows(store, paper=card.id, table=layout.number)) for layout in wanted]


def _table(card: Card, layout: Layout, numbers: Sequence[dict[str, Any]]) -> Table:
    cells = {(*(row[key] for key in layout.rows), row["dataset"] or "", row["metric"]): row for row in numbers}
    notes = list(dict.fromkeys(row["note"] for row in numbers))
    order: dict[str, list[Any]] = {"model": list(layout.models), "note": notes}
    rank = {(key, value): i for key in layout.rows for i, value in enumerate(order[key])}
    named = {tuple(row[key] for key in layout.rows) for row in numbers}
    ordered = sorted(named, key=lambda row: [rank[pair] for pair in zip(layout.rows, row, strict=True)])
    columns = [
        (dataset, metric)
        for dataset in layout.datasets or ("",)
        for metric in layout.metrics
        if any((*row, dataset, metric) in cells for row in ordered)
    ]
    in_column = {column: [row for key, row in cells.items() if key[-2:] == column] for column in columns}
    places = {column: _decimals(layout, column[1], found) for column, found in in_column.items()}
    arrow = {True: " ↑", False: " ↓", None: ""}
    return Table(
        card=card,
        layout=layout,
        labels=layout.rows,
        columns=tuple((dataset, metric + arrow[name(metric).higher_is_better]) for dataset, metric in columns),
        names=tuple(tuple(part or "" for part in row) for row in ordered),
        cells=tuple(tuple(_cell(cells.get((*row, *c)), places[c]) for c in columns) for row in ordered),
        verified=all(row["verified"] for row in numbers),
    )


def _decimals(layout: Layout, metric: str, column: Sequence[dict[str, Any]]) -> int | None:
    """Decimals of a column: papers print as many for each number as for the longest; None: each as it is."""
    if metric in layout.as_written:
        return None
    return max(len(written.partition(".")[2]) for written in (f"{row['value']!r}".removesuffix(".0") for row in column))


def _cell(row: dict[str, Any] | None, places: int | None) -> str:
    if row is None:
        return EMPTY
    return f"{row['value']!r}".removesuffix(".0") if places is None else f"{row['value']:.{places}f}"
