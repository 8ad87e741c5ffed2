"""The frames that runs have in common, as sums by person: what paired statistics are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pyarrow as pa

from leaderboard.paired import Paired, paired
from leaderboard.store import Store


@dataclass(frozen=True)
class Values:
    """One metric of several runs on N frames. A failed frame has its penalty where the run's protocol penalises."""

    values: np.ndarray  # [N, runs], NaN where a run has none
    n: np.ndarray  # [N], how many frames each row speaks of
    person: np.ndarray  # [N], a number for each

    @property
    def present(self) -> np.ndarray:
        """Whether a run has a value [N, runs]."""
        return np.asarray(~np.isnan(self.values))


@dataclass(frozen=True)
class Common:
    """Two runs a and b in one metric. `result` and the means are None without a frame in common."""

    result: Paired | None
    mean_a: float | None
    mean_b: float | None
    n_frames: int  # that both have
    only_a: int
    only_b: int


def read_values(store: Store, runs: Sequence[str]) -> dict[str, Values]:
    """The values of runs, in the order of `runs`, by metric; frames in one order, whatever the file's."""
    picked = ", ".join(f"max(score) FILTER (run_id = ?) AS run_{i}" for i in range(len(runs)))
    marks = ", ".join("?" * len(runs))
    query = (
        "WITH penalties AS (SELECT run_id, metric, penalty FROM runs JOIN metrics USING (run_id) "  # noqa: S608  # marks
        f"WHERE run_id IN ({marks}) AND failed_frames = 'penalise'), "
        "scored AS (SELECT samples.*, coalesce(value, CASE status WHEN 'failed' THEN penalty END) AS score "
        f"FROM samples LEFT JOIN penalties USING (run_id, metric) WHERE run_id IN ({marks})), "
        f"wide AS (SELECT metric, person, pair_id, frame, min(n) AS n, {picked} FROM scored "
        "WHERE score IS NOT NULL AND person IS NOT NULL GROUP BY metric, person, pair_id, frame) "
        "SELECT metric, dense_rank() OVER (ORDER BY person) - 1 AS person, * EXCLUDE (metric, person, pair_id, frame) "
        "FROM wide ORDER BY metric, wide.person, pair_id, frame"
    )
    table: pa.Table = store.connection.sql(query, params=[*runs] * 3).to_arrow_table()
    names = table["metric"].to_numpy()
    person, n = table["person"].to_numpy(), table["n"].to_numpy().astype(np.float64)
    values = np.column_stack([table[f"run_{i}"].to_numpy() for i in range(len(runs))]).astype(np.float64)
    if not len(names):
        return {}
    starts = np.flatnonzero(np.append(True, names[1:] != names[:-1]))
    ends = np.append(starts[1:], len(names))
    return {str(names[a]): Values(values[a:b], n[a:b], person[a:b]) for a, b in zip(starts, ends, strict=True)}


def all_pairs(found: Values, runs: Sequence[int], resamples: int) -> list[Common]:
    """One result for every two of `runs`, numbers of columns of `found`, in the order of `itertools.combinations`."""
    n_persons = int(found.person.max()) + 1 if len(found.person) else 0
    present = found.present
    zeroed = np.where(present, found.values, 0.0)
    made, sums, counts = [], [], []
    for a, b in combinations(runs, 2):
        weight = found.n * (present[:, a] & present[:, b])
        sums.append(np.bincount(found.person, (zeroed[:, a] - zeroed[:, b]) * weight, n_persons))
        counts.append(np.bincount(found.person, weight, n_persons))
        total = float(weight.sum())
        means = [float(zeroed[:, i] @ weight) / total if total else None for i in (a, b)]
        only_a, only_b = (int(found.n @ (present[:, i] & ~present[:, j])) for i, j in ((a, b), (b, a)))
        made.append(Common(None, means[0], means[1], int(total), only_a, only_b))
    tested = [i for i, common in enumerate(made) if common.n_frames]
    if tested:
        of_persons, frames = (np.column_stack([columns[i] for i in tested]) for columns in (sums, counts))
        for i, result in zip(tested, paired(of_persons, frames, resamples), strict=True):
            made[i] = replace(made[i], result=result)
    return made
