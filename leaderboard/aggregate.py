"""Samples in, one row per metric out: the only place of the project where a mean or an interval is computed.

A mean is pooled over samples (sum of the values over their count), never a mean of means per clip, device or shard.
Its interval is the percentile bootstrap (Efron 1979) over persons: whole persons are drawn with replacement, since
two frames of one person are no independent evidence. Every figure depends on the set of samples alone, to the last
bit: sums are correctly rounded (`math.fsum`) and persons are taken in the order of their names.

Failed frames have no value. `dropped` is the mean without them, so that a model can gain by failing where it is hard;
`penalised` counts each as the metric's penalty, a value that is stated in the record and than which no value is worse.
Both are computed; which of them is the score, and has the interval, is part of the protocol.

A metric that compares sets (a Fréchet distance) has one value for all frames together, in a sample without a pair; that
value is the score. It has no interval, and no penalised value once a frame failed: that would take the features of
every frame, which a record doesn't hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from leaderboard.records import FailedFrames

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.95  # of the intervals
RESAMPLES = 2000
SEED = 20110126
LARGEST = 1e100  # a value beyond this is a fault, not a measurement, and would make sums overflow
STATUSES = ("ok", "failed", "missing")
NO_PENALTY = "frames failed, and this metric has no penalty to count them as"
NO_INTERVAL = "one value of all frames together: no interval"
_COLUMNS = ("metric", "person", "value", "status", "error", "n")
_DRAWS_AT_ONCE = 1 << 22  # bootstrap draws held in memory together


@dataclass(frozen=True)
class Score:
    """One metric of one run; the counts are of frames.

    `mean` is `dropped` or `penalised`, as the protocol ranks. It is NULL without a value and the interval without two
    persons; `reason` says why.
    """

    metric: str
    n_attempted: int  # n_ok + n_failed
    n_ok: int
    n_failed: int
    n_missing: int
    n_persons: int  # persons with a value of their own
    mean: float | None
    ci_low: float | None
    ci_high: float | None
    reason: str | None
    failures: str | None  # why samples failed or are missing, with counts, the most frequent first
    dropped: float | None = None  # the mean of the frames that have a value
    penalised: float | None = None  # the mean of all attempted frames, failed ones as the metric's penalty


def aggregate(
    samples: pa.Table | pd.DataFrame,
    metrics: Iterable[str] = (),
    penalties: Mapping[str, float | None] | None = None,
    policy: FailedFrames = "drop",
) -> list[Score]:
    """One `Score` per metric, by name, from samples with the columns of `records.SAMPLES_SCHEMA` in any row order.

    `metrics` names those that get a row even if no sample speaks of them, `penalties` has what a failed frame of a
    metric counts as in `penalised`, `policy` says which mean is the score. Raises ValueError for a row that the
    schema's meaning forbids: an unknown status, a status ok without a value, a value that is not finite.
    """
    table = samples if isinstance(samples, pa.Table) else pa.Table.from_pandas(samples, preserve_index=False)
    table = table.select(_COLUMNS).unify_dictionaries()
    names, metric = _encode(table["metric"], "metric")
    of_person = table["person"].is_valid().to_numpy()
    persons, person = _encode(table["person"].filter(pa.array(of_person)), "person")
    found, status = _encode(table["status"], "status")
    if strange := sorted(set(found) - set(STATUSES)):
        raise ValueError(f"unknown status {strange[0]!r} (known: {', '.join(STATUSES)})")
    status = np.array([STATUSES.index(name) for name in found], dtype=np.int64)[status]
    ok = status == 0
    value = _values(table["value"], ok)
    n = _numbers(table["n"])

    counts = np.zeros((len(names), len(STATUSES)), dtype=np.int64)
    np.add.at(counts, (metric, status), n)
    sets = _sets(metric[~of_person], value[~of_person])
    own = ok[of_person]
    key = metric[of_person] * len(persons) + person
    groups = _person_sums(key[own], value[of_person][own], n[of_person][own], len(persons))
    known = {name: (penalties or {}).get(name) for name in names}
    penalty = np.array([math.nan if known[name] is None else known[name] for name in names], dtype=np.float64)
    lost = (status == STATUSES.index("failed")) & ~np.isnan(penalty)[metric]
    filled = np.where(lost, penalty[metric], value)[of_person]
    both_ways = ((ok | lost) & np.isin(metric, metric[lost]))[of_person]  # of metrics with failed frames alone
    punished = _person_sums(key[both_ways], filled[both_ways], n[of_person][both_ways], len(persons))
    if both := sorted(names[i] for i in sets.keys() & groups.keys()):
        raise ValueError(f"{both[0]} has values of pairs and a value of all pairs together")
    failures = _failures(table.filter(pa.array(~ok)))
    scores = {
        name: _score(name, counts[i], groups.get(i), punished.get(i), sets.get(i), failures.get(name), policy)
        for i, name in enumerate(names)
    }
    absent = {name: Score(name, 0, 0, 0, 0, 0, None, None, None, "no sample", None) for name in metrics}
    return [score for _, score in sorted((absent | scores).items())]


def _encode(column: pa.ChunkedArray, name: str) -> tuple[list[str], np.ndarray]:
    """The column's distinct texts in order, and for each row the index of its own [N], int64."""
    if column.null_count:
        raise ValueError(f"{column.null_count} samples have no {name}")
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    texts = whole.dictionary.to_pylist()
    codes = whole.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    used = np.flatnonzero(np.bincount(codes, minlength=len(texts)))
    order = sorted(used.tolist(), key=lambda i: texts[i])
    place = np.zeros(len(texts), dtype=np.int64)
    place[order] = np.arange(len(order))
    return [texts[i] for i in order], place[codes]


def _values(column: pa.ChunkedArray, ok: np.ndarray) -> np.ndarray:
    """The values [N], float64, NaN where there is none; checked against `ok` [N], bool."""
    present = column.is_valid().to_numpy()
    if (present != ok).any():
        broken = int((present != ok).sum())
        raise ValueError(f"{broken} samples break the rule: a value when and only when status is ok")
    value = np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    if not (np.abs(value[ok]) <= LARGEST).all():
        raise ValueError(f"a value is not finite or beyond {LARGEST:g}")
    return value


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    """How many frames each row speaks of [N], int64."""
    if column.null_count:
        raise ValueError(f"{column.null_count} samples do not say how many frames they speak of")
    n = np.asarray(column.cast(pa.int64()).to_numpy(), dtype=np.int64)
    if (n < 1).any():
        raise ValueError("a sample speaks of less than one frame")
    return n


def _sets(metric: np.ndarray, value: np.ndarray) -> dict[int, float | None]:
    """Per metric index the value of all frames together, None where it could not be had; `value` [N]: NaN is none."""
    if len(np.unique(metric)) < len(metric):
        raise ValueError("a metric has two values of all pairs together")
    return {int(i): None if math.isnan(x) else float(x) for i, x in zip(metric, value, strict=True)}


Groups = tuple[np.ndarray, np.ndarray]
"""Sums and counts [P] of the values of P persons."""


def _person_sums(key: np.ndarray, value: np.ndarray, n: np.ndarray, n_persons: int) -> dict[int, Groups]:
    """Per metric index: sums and counts [P] of its persons' values, each `n` times.

    `key` [N] is metric * n_persons + person.
    """
    order = np.argsort(key, kind="stable")
    key, value, n = key[order], (value * n)[order], n[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    bounds = np.append(starts, len(key))
    sums = np.array([math.fsum(value[a:b].tolist()) for a, b in pairwise(bounds)])
    counts = np.array([n[a:b].sum() for a, b in pairwise(bounds)], dtype=np.int64)
    metric = key[starts] // max(n_persons, 1)
    return {int(i): (sums[metric == i], counts[metric == i]) for i in np.unique(metric)}


def _score(
    name: str,
    by_status: np.ndarray,
    plain: Groups | None,
    punished: Groups | None,
    of_set: float | None,
    failures: str | None,
    policy: FailedFrames,
) -> Score:
    """A metric's score from its frames of each status, its persons' values without failed frames and with their
    penalties, and its value of the set."""
    n_ok, n_failed, n_missing = by_status.tolist()
    dropped = _mean(plain) if plain else of_set
    penalised = _mean(punished) if punished else dropped if not n_failed else None
    ranking = punished if policy == "penalise" and n_failed else plain
    low, high, n_persons = None, None, len(ranking[0]) if ranking else 0
    mean, reason = (penalised if policy == "penalise" else dropped), failures
    if ranking and n_persons > 1:
        (low, high), reason = _bootstrap(*ranking), None
    elif ranking:
        reason = "one person only: no interval"
    elif mean is not None:
        reason = NO_INTERVAL
    elif dropped is not None:
        reason = f"{NO_PENALTY}: {failures}"
    counts = (n_ok + n_failed, n_ok, n_failed, n_missing, n_persons)
    return Score(name, *counts, mean, low, high, reason, failures, dropped, penalised)


def _mean(groups: Groups) -> float:
    sums, counts = groups
    return math.fsum(sums.tolist()) / int(counts.sum())


def _bootstrap(sums: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Percentile interval of the pooled mean when persons are drawn with replacement; `sums`, `counts`: [P], P > 1."""
    random = np.random.default_rng(SEED)
    n_persons = len(sums)
    rows = max(1, _DRAWS_AT_ONCE // n_persons)
    means = np.empty(RESAMPLES)
    for first in range(0, RESAMPLES, rows):
        drawn = random.integers(n_persons, size=(min(rows, RESAMPLES - first), n_persons))
        means[first : first + rows] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _failures(rows: pa.Table) -> dict[str, str]:
    """Per metric the three most frequent reasons of its frames without a value."""
    counted: dict[str, list[tuple[str, int]]] = {}
    for row in rows.group_by(["metric", "error"]).aggregate([("n", "sum")]).to_pylist():
        counted.setdefault(row["metric"], []).append((row["error"] or "no reason given", row["n_sum"]))
    texts = {}
    for metric, reasons in counted.items():
        reasons.sort(key=lambda item: (-item[1], item[0]))
        text = "; ".join(f"{reason} ({count})" for reason, count in reasons[:3])
        texts[metric] = text + (f"; and {len(reasons) - 3} more reasons" if len(reasons) > 3 else "")
    return texts
