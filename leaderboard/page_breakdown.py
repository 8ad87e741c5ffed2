"""What lies behind a board's values: per person, per pair, and the worst frames, as the page's script loads them.

A value of a person or pair is pooled over its frames that have one, as the board's is over all (`aggregate.py`): where
failures are left out, the board's mean is that of its pairs weighted by their frames. All sums are made in DuckDB, for
samples are too many to pass through Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from leaderboard.standings import Board
from leaderboard.store import Store

PERSONS = 200  # of a metric of a board, those with the lowest values of any model first
PAIRS = 400  # of the same
WORST = 6  # frames of a run and a metric, each of another pair

_CELLS = pa.schema(
    [
        ("board", pa.int32()),
        ("col", pa.int32()),
        ("line", pa.int32()),
        ("run_id", pa.string()),
        ("metric", pa.string()),
        ("sign", pa.int32()),  # 1: higher is better, -1: lower is
    ]
)

# A frame that failed is worse than any value; goodness is the value with the sign that makes more of it better.
_PAIRS = """
CREATE OR REPLACE TEMP TABLE page_pairs AS
SELECT board, col, line, pair_id, any_value(person) AS person, any_value(sign) AS sign,
       sum(value * n) FILTER (status = 'ok') AS total,
       coalesce(sum(n) FILTER (status = 'ok'), 0) AS n_ok,
       coalesce(sum(n) FILTER (status <> 'ok'), 0) AS n_lost,
       arg_min(frame, goodness) FILTER (frame IS NOT NULL AND status <> 'missing') AS worst_frame,
       min(goodness) FILTER (frame IS NOT NULL AND status <> 'missing') AS worst
FROM (SELECT page_cells.*, samples.* EXCLUDE (run_id, metric),
             CASE status WHEN 'ok' THEN sign * value ELSE '-infinity'::DOUBLE END AS goodness
      FROM samples JOIN page_cells USING (run_id, metric) WHERE pair_id IS NOT NULL)
GROUP BY board, col, line, pair_id
"""

_PERSONS = """
WITH persons AS (
    SELECT board, col, line, person, sum(total) / sum(n_ok) AS mean, sum(n_ok) AS n_ok, sum(n_lost) AS n_lost,
           min(coalesce(sign * total / n_ok, '-infinity'::DOUBLE)) AS goodness
    FROM page_pairs GROUP BY board, col, line, person),
ranked AS (
    SELECT board, col, person, row_number() OVER (PARTITION BY board, col ORDER BY min(goodness), person) AS place,
           count(*) OVER (PARTITION BY board, col) AS among
    FROM persons GROUP BY board, col, person)
SELECT board, col, place, among, person, line, mean, n_ok, n_lost
FROM persons JOIN ranked USING (board, col, person) WHERE place <= ?
ORDER BY board, col, place, line
"""

_OF_PAIRS = """
WITH ranked AS (
    SELECT board, col, pair_id, count(*) OVER (PARTITION BY board, col) AS among,
           row_number() OVER (PARTITION BY board, col ORDER BY
               min(coalesce(sign * total / nullif(n_ok, 0), '-infinity'::DOUBLE)), pair_id) AS place
    FROM page_pairs GROUP BY board, col, pair_id)
SELECT board, col, place, among, pair_id, person, line, total / nullif(n_ok, 0) AS mean, n_ok, n_lost
FROM page_pairs JOIN ranked USING (board, col, pair_id) WHERE place <= ?
ORDER BY board, col, place, line
"""

_WORST = """
SELECT board, col, line, pair_id, worst_frame, CASE WHEN isfinite(worst) THEN sign * worst END AS value
FROM page_pairs WHERE worst IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY board, col, line ORDER BY worst, pair_id) <= ?
ORDER BY board, col, line, worst, pair_id
"""


@dataclass
class Group:
    """A person or a pair: a place for each row of the board, None where the run has no sample of it."""

    name: str
    person: str
    cells: list[tuple[float | None, int, int] | None]  # mean, frames with a value, frames without


@dataclass(frozen=True)
class WorstFrame:
    """The worst frame of one pair by one metric; `value` None: the metric failed on it."""

    pair_id: str
    frame: int
    value: float | None


@dataclass
class Breakdown:
    """What lies behind one column of one board; `worst` is by the row's place on the board."""

    persons: list[Group] = field(default_factory=list)
    pairs: list[Group] = field(default_factory=list)
    worst: dict[int, list[WorstFrame]] = field(default_factory=dict)
    n_persons: int = 0  # also those that are left out
    n_pairs: int = 0


def breakdowns(store: Store, boards: Sequence[Board]) -> dict[tuple[int, int], Breakdown]:
    """By (board, column), for the columns that have samples of pairs."""
    cells = [
        {
            "board": b,
            "col": c,
            "line": line,
            "run_id": row.run_id,
            "metric": column.metric,
            "sign": 1 if column.higher_is_better else -1,
        }
        for b, board in enumerate(boards)
        for line, row in enumerate(board.rows)
        for c, column in enumerate(board.columns)
        if row.cells[c] is not None
    ]
    store.connection.register("page_cells", pa.Table.from_pylist(cells, schema=_CELLS))
    try:
        store.connection.execute(_PAIRS)
    finally:
        store.connection.unregister("page_cells")
    found: dict[tuple[int, int], Breakdown] = {}
    lines = [len(board.rows) for board in boards]
    for row in store.rows(_PERSONS, [PERSONS]):
        of = found.setdefault((row["board"], row["col"]), Breakdown())
        of.n_persons = row["among"]
        _put(of.persons, row["person"], row, lines[row["board"]])
    for row in store.rows(_OF_PAIRS, [PAIRS]):
        of = found.setdefault((row["board"], row["col"]), Breakdown())
        of.n_pairs = row["among"]
        _put(of.pairs, row["pair_id"], row, lines[row["board"]])
    for row in store.rows(_WORST, [WORST]):
        frame = WorstFrame(row["pair_id"], row["worst_frame"], row["value"])
        found[row["board"], row["col"]].worst.setdefault(row["line"], []).append(frame)
    store.connection.execute("DROP TABLE page_pairs")
    return found


def _put(groups: list[Group], name: str, row: dict[str, Any], lines: int) -> None:
    """Set the row's cell in its group, which is the last one or comes after it."""
    if not groups or groups[-1].name != name:
        groups.append(Group(name, row["person"], [None] * lines))
    groups[-1].cells[row["line"]] = (row["mean"], row["n_ok"], row["n_lost"])


def angle_means(store: Store, run_ids: Iterable[str]) -> dict[tuple[str, str], dict[int, tuple[float, int]]]:
    """Per run and metric: of each frame number, which numbers an angle in redirection, the sum of the values and how
    many they are."""
    rows = store.rows(
        "SELECT run_id, metric, frame, sum(value * n) AS total, sum(n) AS n FROM samples "
        "WHERE list_contains(?, run_id) AND frame IS NOT NULL AND status = 'ok' GROUP BY ALL",
        [list(run_ids)],
    )
    found: dict[tuple[str, str], dict[int, tuple[float, int]]] = {}
    for row in rows:
        found.setdefault((row["run_id"], row["metric"]), {})[row["frame"]] = (row["total"], row["n"])
    return found
