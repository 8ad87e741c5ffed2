"""Charts with two axes as geometry, in percent of their width and height: quality against speed, quality against rate,
scores over the angles of redirection.

The page draws them as inline SVG when it is built, as it does the interval plots (`plots.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from leaderboard.page_breakdown import angle_means
from leaderboard.plots import MARGIN, names, nice_ticks
from leaderboard.records import RunRecord
from leaderboard.standings import Board, Column, decimals
from leaderboard.store import Store
from leaderboard.text import value

COLOURS = 8  # that can be told apart; later models share the last
AXES = {0: "yaw", 1: "pitch"}
REDIRECTION = "redirection"
RATE = "bytes-per-frame"
OF_RATE = (RATE, "stream-bytes-per-frame", "bits-per-pixel", "bd-rate", "rate-ratio")  # columns that are no quality


@dataclass(frozen=True)
class Point:
    """A point of a series; `low` and `high` are the ends of the interval of y, None without one."""

    x: float
    y: float
    low: float | None
    high: float | None
    text: str


@dataclass(frozen=True)
class Series:
    """What one row of the board contributes."""

    name: str
    row: int  # its place on the board
    kind: str
    colour: int
    points: tuple[Point, ...]

    @property
    def line(self) -> str:
        """Its points as an SVG polyline with y downwards."""
        return " ".join(f"{point.x:.2f},{100 - point.y:.2f}" for point in self.points)


@dataclass(frozen=True)
class Chart:
    """One chart; ticks are positions in percent with labels."""

    title: str
    note: str  # beside the title: unit, direction
    x_label: str
    joined: bool  # whether the points of a series are one line
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    series: tuple[Series, ...]


def speed_charts(board: Board) -> list[Chart]:
    """Quality against frames per second of the model alone, a chart for each column that has a value; none where fewer
    than two models were timed."""
    timed = [(i, row) for i, row in enumerate(board.rows) if row.kind == "model" and row.frames_per_second]
    if len(timed) < 2:
        return []
    called, charts = names(board), []
    for c in board.filled:
        places = decimals(board, c)
        series = []
        for i, row in timed:
            cell = row.cells[c]
            if cell is not None and cell.mean is not None and row.frames_per_second:
                text = f"{called[i]}: {value(cell, places)} at {_rate(row.frames_per_second)} frames/s"
                point = Point(row.frames_per_second, cell.mean, cell.ci_low, cell.ci_high, text)
                series.append(Series(called[i], i, row.kind, _colour(board, i), (point,)))
        if len(series) > 1:
            charts.append(_chart(board.columns[c], "frames per second of the model", series, joined=False, log=True))
    return charts


def angle_charts(store: Store, board: Board, records: Mapping[str, RunRecord]) -> list[Chart]:
    """Of redirection: each column's mean over yaw, and over pitch, pooled over the other angles and all pairs. Runs
    whose record does not say what its frame numbers mean are left out."""
    angles = {
        row.run_id: asked
        for row in board.rows
        if row.run_id in records and (asked := _angles(records[row.run_id].arguments.get("angles")))
    }
    if board.task != REDIRECTION or not angles:
        return []
    means = angle_means(store, angles)
    called, charts = names(board), []
    for c in board.filled:
        column = board.columns[c]
        for axis, name in AXES.items():
            series = []
            for i, row in enumerate(board.rows):
                frames = means.get((row.run_id, column.metric), {})
                points = _over(angles.get(row.run_id, []), frames, axis, decimals(board, c))
                if row.cells[c] is not None and len(points) > 1:
                    series.append(Series(called[i], i, row.kind, _colour(board, i), points))
            if series:
                charts.append(_chart(column, f"{name} asked for, degrees", series, joined=True))
    return charts


def _angles(stated: Any) -> list[list[float]]:
    """Angles as a record states them, which may be anybody's; [] for what is none."""
    if not isinstance(stated, list) or not all(isinstance(frame, list) and len(frame) == 3 for frame in stated):
        return []
    if not all(isinstance(x, int | float) and abs(x) <= 360 for frame in stated for x in frame):
        return []
    return stated


def _over(
    angles: Sequence[Sequence[float]], frames: Mapping[int, tuple[float, int]], axis: int, places: int
) -> tuple[Point, ...]:
    """The mean at each angle about one axis."""
    pooled: dict[float, tuple[float, int]] = {}
    for frame, (total, n) in sorted(frames.items()):
        if 0 <= frame < len(angles):
            before = pooled.get(angles[frame][axis], (0.0, 0))
            pooled[angles[frame][axis]] = (before[0] + total, before[1] + n)
    return tuple(
        Point(at, total / n, None, None, f"{at:+g}°: {total / n:.{places}f}, n {n}")
        for at, (total, n) in sorted(pooled.items())
    )


def rate_charts(board: Board, records: Mapping[str, RunRecord]) -> list[Chart]:
    """Quality against bytes per frame, a line for each family of rows that are one coder or model at several settings,
    as records state them (`arguments.rate_distortion.curves`)."""
    rate = next((c for c in board.filled if board.columns[c].metric == RATE), None)
    families = _families(records[row.run_id] for row in board.rows if row.run_id in records)
    if rate is None or not families:
        return []
    charts = []
    for c in board.filled:
        if board.columns[c].metric.startswith(OF_RATE):
            continue
        places = decimals(board, c)
        points: dict[str, list[tuple[int, Point]]] = {}
        for i, row in enumerate(board.rows):
            at, cell = row.cells[rate], row.cells[c]
            if row.model in families and at and at.mean and at.mean > 0 and cell and cell.mean is not None:
                text = f"{row.model}: {cell.mean:.{places}f} at {at.mean:.0f} bytes per frame"
                point = Point(at.mean, cell.mean, cell.ci_low, cell.ci_high, text)
                points.setdefault(families[row.model], []).append((i, point))
        series = [
            Series(
                name, marks[0][0], "model", min(k, COLOURS - 1), tuple(sorted((p for _, p in marks), key=lambda p: p.x))
            )
            for k, (name, marks) in enumerate(sorted(points.items()))
        ]
        if series:
            charts.append(_chart(board.columns[c], "bytes per frame", series, joined=True, log=True))
    return charts


def _families(records: Iterable[RunRecord]) -> dict[str, str]:
    """A row's name -> its family, from records that may be anybody's."""
    found: dict[str, str] = {}
    for record in records:
        stated = record.arguments.get("rate_distortion")
        curves = stated.get("curves") if isinstance(stated, dict) else None
        for family, points in curves.items() if isinstance(curves, dict) else ():
            for point in points if isinstance(points, list) else ():
                if isinstance(point, dict) and isinstance(point.get("row"), str):
                    found.setdefault(point["row"], family)
    return found


def _colour(board: Board, row: int) -> int:
    """Ranked rows have colours in their order, the last shared; calibration has the one after."""
    place = row - len(board.upper)
    return min(place, COLOURS - 1) if 0 <= place < len(board.ranked) else COLOURS


def _rate(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.2g}"


def _chart(column: Column, x_label: str, series: Iterable[Series], *, joined: bool, log: bool = False) -> Chart:
    """The series, whose points are in units of the data, placed on axes that hold all of them."""
    series = list(series)
    points = [point for one in series for point in one.points]
    to_x: Callable[[float], float] = math.log10 if log else float
    x_low, x_high = _widened(min(to_x(p.x) for p in points), max(to_x(p.x) for p in points), 0.2 if log else 1.0)
    ends = [end for p in points for end in (p.y, p.low, p.high) if end is not None]
    y_low, y_high = _widened(min(ends), max(ends), abs(max(ends)) * 0.01 or 0.01)

    def across(x: float) -> float:
        return 100 * (to_x(x) - x_low) / (x_high - x_low)

    def up(y: float | None) -> float | None:
        return None if y is None else 100 * (y - y_low) / (y_high - y_low)

    placed = tuple(
        replace(
            one,
            points=tuple(
                replace(p, x=across(p.x), y=up(p.y) or 0.0, low=up(p.low), high=up(p.high)) for p in one.points
            ),
        )
        for one in series
    )
    x_ticks = _log_ticks(x_low, x_high) if log else nice_ticks(x_low, x_high)
    note = " ".join(part for part in (column.unit, column.arrow) if part)
    return Chart(
        title=column.label,
        note=note,
        x_label=x_label,
        joined=joined,
        x_ticks=tuple((across(x), text) for x, text in x_ticks),
        y_ticks=tuple((up(y) or 0.0, text) for y, text in nice_ticks(y_low, y_high)),
        series=placed,
    )


def _widened(low: float, high: float, least: float) -> tuple[float, float]:
    """Ends with a margin, at least `least` apart."""
    spare = max((high - low) * MARGIN, (least - (high - low)) / 2)
    return low - spare, high + spare


def _log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Two to seven round numbers between 10^low and 10^high: powers of ten, with 2 and 5 where these are few."""
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)):
        found = [
            step * 10.0**power
            for power in range(math.floor(low), math.ceil(high) + 1)
            for step in steps
            if low <= math.log10(step * 10.0**power) <= high
        ]
        if len(found) >= 2:
            return [(tick, f"{tick:g}") for tick in found[:: -(-len(found) // 7)]]
    return [(10.0**low, f"{10.0**low:.3g}"), (10.0**high, f"{10.0**high:.3g}")]
