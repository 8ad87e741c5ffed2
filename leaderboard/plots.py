"""Interval plots as geometry: where the marks of one metric stand on a common axis, in percent of its width.

The page draws them as inline SVG when it is built: no plot library has to be shipped, and they print and scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from leaderboard.standings import Board, Cell, Column, Row, decimals
from leaderboard.text import interval, value

MARGIN = 0.06  # of the axis, free at either end
LEAST_SHARE = 0.3  # of the axis that ranked rows keep; calibration that would squeeze them further stands at the edge


@dataclass(frozen=True)
class Mark:
    """One row of a plot. Positions in percent; None where there is no value or no interval."""

    row: int  # its place on the board
    name: str
    kind: str
    best: bool
    text: str
    at: float | None
    low: float | None
    high: float | None
    beyond: str  # "left" or "right" when the value lies outside the axis, else ""


@dataclass(frozen=True)
class Plot:
    """One metric of a board."""

    column: Column
    ticks: tuple[tuple[float, str], ...]  # position in percent, label
    marks: tuple[Mark, ...]


def name_of(row: Row) -> str:
    """A row's name where its kind is shown otherwise."""
    return row.model if row.kind == "calibration" else f"{row.model} {row.preset}"


def names(board: Board) -> list[str]:
    """The names of all rows; where several have one name, with the beginning of their weights' hash."""
    plain = [name_of(row) for row in board.rows]
    return [
        name if plain.count(name) == 1 or not row.weights_sha256 else f"{name} @{row.weights_sha256[:7]}"
        for name, row in zip(plain, board.rows, strict=True)
    ]


def plots(board: Board, most: int | None = None) -> list[Plot]:
    """A plot per column that has a value; of the ranked rows at most the first `most`."""
    rows = {row.run_id: named for row, named in zip(board.rows, enumerate(names(board)), strict=True)}
    board = replace(board, ranked=board.ranked[:most])
    return [_plot(board, i, rows) for i in range(len(board.columns)) if any(_span(row.cells[i]) for row in board.rows)]


def _span(cell: Cell | None) -> tuple[float, float] | None:
    """What a cell needs of the axis: its interval, or its value."""
    if cell is None or cell.mean is None:
        return None
    if cell.ci_low is None or cell.ci_high is None:
        return cell.mean, cell.mean
    return min(cell.ci_low, cell.mean), max(cell.ci_high, cell.mean)


def _plot(board: Board, i: int, rows: Mapping[str, tuple[int, str]]) -> Plot:
    """`rows`: run -> its place and name on the whole board."""
    low, high = _domain(board, i)
    pad = (high - low) * MARGIN or max(abs(high), 1e-6) * 0.01
    low, high = low - pad, high + pad
    places = decimals(board, i)

    def position(number: float | None) -> float | None:
        return None if number is None else round(100 * min(1.0, max(0.0, (number - low) / (high - low))), 2)

    def mark(row: Row) -> Mark:
        cell = row.cells[i]
        at = cell.mean if cell else None
        beyond = "" if at is None or low <= at <= high else "left" if at < low else "right"
        return Mark(
            row=rows[row.run_id][0],
            name=rows[row.run_id][1],
            kind=row.kind,
            best=bool(cell and cell.best),
            text=f"{value(cell, places)} {interval(cell, places)}".strip(),
            at=position(at),
            low=position(cell.ci_low if cell else None),
            high=position(cell.ci_high if cell else None),
            beyond=beyond,
        )

    ticks = tuple((position(tick) or 0.0, text) for tick, text in nice_ticks(low, high))
    return Plot(board.columns[i], ticks, tuple(mark(row) for row in board.rows))


def _domain(board: Board, i: int) -> tuple[float, float]:
    """The axis: all ranked rows, and each calibration row that leaves them `LEAST_SHARE` of it."""
    ranked = [span for row in board.ranked if (span := _span(row.cells[i]))]
    frame = [span for row in board.upper + board.lower if (span := _span(row.cells[i]))]
    if not ranked:
        ranked, frame = frame, []
    low, high = min(a for a, _ in ranked), max(b for _, b in ranked)
    kept = high - low
    for a, b in sorted(frame, key=lambda span: max(low - span[0], span[1] - high)):
        wider = min(low, a), max(high, b)
        if kept == 0 or kept >= LEAST_SHARE * (wider[1] - wider[0]):
            low, high = wider
    return low, high


def nice_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Two to six round numbers between `low` and `high`, low < high, with their labels."""
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    step *= next((m for m in (5, 2) if (high - low) / (step * m) >= 2.3), 1)
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step), math.floor(high / step)
    return [(n * step, f"{n * step:.{places}f}") for n in range(first, last + 1)]
