"""Which values may stand beside each other, in which order, and which is best: read by `show`, `export` and the page.

A board holds runs that answer one question: same source, protocol, pairs, shots, size, policy for failed frames,
dataset fingerprint and suite. A column of it is one signature: the same metric computed with another network, or
against something else, is another column. Calibration rows (truth, source-copy and others) frame a board and take no
part in its ranking.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from curate.errors import UserError, unknown
from leaderboard.store import Store

ALL = "all"  # the source of a board of measured models and of predictions
UPPER_CALIBRATION = ("truth", "truth-reencoded")  # stand above the ranked rows, other calibration rows below them


@dataclass(frozen=True)
class Filters:
    """What to show; None: everything."""

    task: str | None = None  # a task, or a protocol id such as cross-id@1
    dataset: str | None = None
    metric: str | None = None


@dataclass(frozen=True)
class Column:
    """One metric as computed by the same networks on the same frames."""

    metric: str
    networks: str
    unit: str
    higher_is_better: bool
    description: str
    signature: str
    label: str  # the metric's id, with the networks where a board has the metric twice

    @property
    def arrow(self) -> str:
        """The direction of better."""
        return "↑" if self.higher_is_better else "↓"


@dataclass(frozen=True)
class Cell:
    """The score of one row in one column."""

    mean: float | None
    ci_low: float | None
    ci_high: float | None
    n_attempted: int
    n_ok: int
    n_failed: int
    n_missing: int
    n_persons: int
    reason: str | None
    failures: str | None  # why frames failed or are missing
    dropped: float | None = None  # the mean without failed frames
    penalised: float | None = None  # the mean with a penalty for each
    best: bool = False


@dataclass(frozen=True)
class Row:
    """One run. `cells` is in the order of the board's columns; None: this run has no such metric."""

    run_id: str
    created: datetime
    model: str
    preset: str
    kind: str
    resolution: int | None
    parameters: int | None
    checkpoint: str
    weights_sha256: str
    licence: str
    paper: str
    folder: str
    origin: str  # measured, or predictions: somebody's own frames
    frames_per_second: float | None  # of the model alone, on the machine of the run
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Board:
    """Runs that answer one question. `ranked` is sorted by the first column, the best first and NULL last."""

    source: str
    task: str
    protocol: str
    dataset: str
    dataset_fingerprint: str
    suite: str
    n_clips: int
    n_pairs: int
    pair_list_sha256: str
    size: int
    frames_per_clip: int
    split: str | None  # the only split that pairs were made of
    shots: int  # source images that models were given
    failed_frames: str  # "drop": the ranking leaves them out; "penalise": it counts each as the metric's penalty
    columns: tuple[Column, ...]
    upper: tuple[Row, ...]
    ranked: tuple[Row, ...]
    lower: tuple[Row, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows from top to bottom."""
        return self.upper + self.ranked + self.lower

    @property
    def filled(self) -> tuple[int, ...]:
        """Indices of the columns in which any row has a value."""
        return tuple(
            i
            for i in range(len(self.columns))
            if any((cell := row.cells[i]) and cell.mean is not None for row in self.rows)
        )


_QUESTION = tuple(name for name in Board.__dataclass_fields__ if name not in ("columns", "upper", "ranked", "lower"))
_CELL = tuple(name for name in Cell.__dataclass_fields__ if name != "best")
_ROW = tuple(name for name in Row.__dataclass_fields__ if name not in ("cells", "frames_per_second"))


def boards(store: Store, source: str = "measured", filters: Filters | None = None) -> list[Board]:
    """The boards of a source (measured, predictions, or "all": both in the same columns): by dataset, those with the
    most filled columns first, then by task and protocol, the largest pair list first.

    Raises UserError when a filter names a task, dataset or metric that no run of this source has.
    """
    filters = filters or Filters()
    sources = ["measured", "predictions"] if source == ALL else [source]
    query = "SELECT *, source AS origin FROM standings WHERE list_contains(?, source) ORDER BY created, run_id, ordinal"
    rows = [row | {"source": source} for row in store.rows(query, [sources])]
    _check(filters, rows, ("task", "protocol"))
    rows = [row for row in rows if _passes(filters, row, ("task", "protocol"))]

    def question(row: dict[str, Any]) -> tuple[Any, ...]:
        fields = ("task", "dataset", "protocol", *_QUESTION)
        return tuple("" if row[name] is None else row[name] for name in fields)

    made = [_board(list(group)) for _, group in groupby(sorted(rows, key=question), key=question)]
    return sorted(made, key=lambda b: (b.dataset, -len(b.filled), b.task, b.protocol, -b.n_pairs, b.pair_list_sha256))


def arranged(found: Sequence[Board], sort: str | None, models: Collection[str]) -> list[Board]:
    """Boards with their ranked rows sorted by metric `sort`, and only those of `models` (none: all).

    Boards that lack the metric or have none of the models are left out. UserError for a name that no board has.
    """
    _known("metric", [sort] if sort else [], {column.metric for board in found for column in board.columns})
    _known("model", models, {row.model for board in found for row in board.ranked})
    made = []
    for board in found:
        ranked = [row for row in board.ranked if not models or row.model in models]
        places = [i for i, column in enumerate(board.columns) if column.metric == sort]
        if sort and places:
            ranked.sort(key=lambda row: _order(row.cells[places[0]], board.columns[places[0]]))
        if (places or not sort) and (ranked or not models):
            made.append(replace(board, ranked=tuple(ranked)))
    return made


def _known(kind: str, wanted: Iterable[str], known: Collection[str]) -> None:
    for name in wanted:
        if name not in known:
            raise unknown(kind, name, known)


def published(store: Store, filters: Filters | None = None) -> list[dict[str, Any]]:
    """What papers report, one dict per number, never ranked; `unverified` marks what no one has read in the paper."""
    filters = filters or Filters()
    rows = store.rows(
        "SELECT paper, year, paper_table, task, dataset, model, metric, value, scale, evidence, note, "
        "evidence = 'memory' AS unverified FROM published "
        "ORDER BY task, dataset NULLS LAST, year, paper, paper_table, metric, model, note"
    )
    _check(filters, rows, ("task",))
    return [row for row in rows if _passes(filters, row, ("task",))]


def _passes(filters: Filters, row: dict[str, Any], task_fields: Iterable[str]) -> bool:
    return (
        (filters.task is None or filters.task in [row[name] for name in task_fields])
        and filters.dataset in (None, row["dataset"])
        and filters.metric in (None, row["metric"])
    )


def _check(filters: Filters, rows: Sequence[dict[str, Any]], task_fields: Iterable[str]) -> None:
    fields = {"task": tuple(task_fields), "dataset": ("dataset",), "metric": ("metric",)}
    for kind, names in fields.items():
        wanted = getattr(filters, kind)
        known = {row[name] for row in rows for name in names if row[name] is not None}
        if wanted is not None and wanted not in known:
            if not known:
                raise UserError(f"unknown {kind} {wanted!r}: the leaderboard has no such rows yet")
            raise unknown(kind, wanted, known)


def _board(rows: list[dict[str, Any]]) -> Board:
    """A board from its rows of the view `standings`, which come by run and in the order of the run's metrics."""
    rows = _nulls_beside_values(rows)
    columns = _columns(rows)
    by_run: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        by_run.setdefault(row["run_id"], {})[row["signature"]] = row
    made = [_row(scores, columns) for scores in by_run.values()]
    ranked = [row for row in made if row.kind == "model"]
    ranked = _mark_best(ranked, columns)
    ranked.sort(key=lambda row: (_order(row.cells[0], columns[0]), row.model, row.preset, row.run_id))
    frame = sorted((row for row in made if row.kind == "calibration"), key=lambda row: (row.model, row.preset))
    return Board(
        **{name: rows[0][name] for name in _QUESTION},
        columns=columns,
        upper=tuple(row for row in frame if row.model in UPPER_CALIBRATION),
        ranked=tuple(ranked),
        lower=tuple(row for row in frame if row.model not in UPPER_CALIBRATION),
    )


def _nulls_beside_values(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, those without a value moved to a column of their metric that has values: NULL can mislead no ranking,
    and a run made without the network has no column of its own."""
    fields = ("metric", "unit", "higher_is_better")
    home: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        if row["mean"] is not None:
            home.setdefault(tuple(row[name] for name in fields), row)
    moved = []
    for row in rows:
        there = home.get(tuple(row[name] for name in fields))
        if row["mean"] is None and there is not None:
            row = row | {name: there[name] for name in ("signature", "networks", "description")}
        moved.append(row)
    return moved


def _columns(rows: list[dict[str, Any]]) -> tuple[Column, ...]:
    """One column per signature, unit and direction, in the order of the runs' metrics."""
    fields = ("metric", "networks", "unit", "higher_is_better", "signature")
    first: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row["ordinal"], row["metric"], row["signature"])):
        first.setdefault(tuple(row[name] for name in fields), row)
    twice = [row["metric"] for row in first.values()]
    return tuple(
        Column(
            **{name: row[name] for name in (*fields, "description")},
            label=row["metric"] if twice.count(row["metric"]) == 1 else f"{row['metric']} ({row['networks']})",
        )
        for row in first.values()
    )


def _row(scores: dict[str, dict[str, Any]], columns: Sequence[Column]) -> Row:
    """A run's row from its scores by signature."""
    run = next(iter(scores.values()))
    cells = []
    for column in columns:
        score = scores.get(column.signature)
        fits = score is not None and (score["unit"], score["higher_is_better"]) == (
            column.unit,
            column.higher_is_better,
        )
        cells.append(Cell(**{name: score[name] for name in _CELL}) if score is not None and fits else None)
    timed = run["seconds_model"] and run["frames_driven"]
    speed = run["frames_driven"] / run["seconds_model"] if timed else None
    return Row(**{name: run[name] for name in _ROW}, frames_per_second=speed, cells=tuple(cells))


def _order(cell: Cell | None, column: Column) -> float:
    """A key that sorts the best value first and NULL last."""
    if cell is None or cell.mean is None:
        return math.inf
    return -cell.mean if column.higher_is_better else cell.mean


def _mark_best(rows: list[Row], columns: Sequence[Column]) -> list[Row]:
    """The rows with `best` set in each column where at least two of them have a value; equal values are all best."""
    best = []
    for i, column in enumerate(columns):
        keys = [key for key in (_order(row.cells[i], column) for row in rows) if key < math.inf]
        best.append(min(keys) if len(keys) > 1 else None)
    return [
        replace(
            row,
            cells=tuple(
                cell and replace(cell, best=key is not None and _order(cell, column) == key)
                for cell, column, key in zip(row.cells, columns, best, strict=True)
            ),
        )
        for row in rows
    ]


def decimals(board: Board, column: int) -> int:
    """Decimals to print a column with, as papers do: 0.0412, 0.713, 5.32, 24.37; the middle ranked value decides, so
    that a model that fails does not hide what tells the others apart."""
    for rows in (board.ranked, board.rows):
        values = sorted(abs(cell.mean) for row in rows if (cell := row.cells[column]) and cell.mean)
        if values:
            middle = values[len(values) // 2]
            return min(9, max(0, (3 if middle >= 10 else 2) - math.floor(math.log10(middle))))
    return 3
