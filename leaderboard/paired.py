"""Paired differences of two models on the same frames: interval, p-value, effect sizes, correction, tie groups.

The difference is pooled over the frames that both have, as a score is (`leaderboard.aggregate`). Its interval and its
p-value come from one bootstrap over persons (Efron 1979): whole persons are drawn with replacement, the same ones for
every metric and every two models, since two frames of one person are no independent evidence. Many tests at once are
corrected by Holm (1979), which holds the chance of any false difference at the level, whatever their dependence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from leaderboard.aggregate import LEVEL, SEED

RESAMPLES = 10_000
FEW = 6  # of fewer persons a bootstrap's interval is known to be too narrow
_DRAWS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Paired:
    """Statistics of a - b over P persons.

    `effect` is Cohen's d of paired values, the mean of the persons' differences over their standard deviation; None
    without spread or with one person. `above` is the share of persons with a above b, ties counted half.
    """

    difference: float
    ci_low: float | None
    ci_high: float | None
    p: float | None  # two-sided, that there is no difference; at least 2 / (resamples + 1)
    effect: float | None
    above: float
    n_persons: int


def paired(sums: np.ndarray, counts: np.ndarray, resamples: int = RESAMPLES) -> list[Paired]:
    """One result per column: `sums` [P, C] of differences times frames, `counts` [P, C] of frames, by person.

    A person without a frame in a column (count 0) takes no part in it. Raises ValueError for a column without any.
    """
    if not (counts.sum(axis=0) > 0).all():
        raise ValueError("a column has no frame in common")
    columns = range(sums.shape[1])
    present = counts > 0
    results: dict[int, Paired] = {}
    for pattern in np.unique(present, axis=1).T:  # columns with the same persons share their draws
        same = [c for c in columns if (present[:, c] == pattern).all()]
        part = _bootstrap(sums[np.ix_(pattern, same)], counts[np.ix_(pattern, same)], resamples)
        results |= dict(zip(same, part, strict=True))
    return [results[c] for c in columns]


def _bootstrap(sums: np.ndarray, counts: np.ndarray, resamples: int) -> list[Paired]:
    """`sums`, `counts` [P, C], every person in every column."""
    n_persons = len(sums)
    estimate = sums.sum(axis=0) / counts.sum(axis=0)
    each = sums / counts
    above = ((each > 0) + 0.5 * (each == 0)).mean(axis=0)
    if n_persons == 1:
        return [Paired(float(d), None, None, None, None, float(a), 1) for d, a in zip(estimate, above, strict=True)]
    means = np.empty((resamples, sums.shape[1]))
    rows = max(1, _DRAWS_AT_ONCE // n_persons)
    random = np.random.default_rng(SEED)
    for first in range(0, resamples, rows):
        size = min(rows, resamples - first)
        drawn = random.integers(n_persons, size=(size, n_persons)) + n_persons * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * n_persons).reshape(size, n_persons).astype(np.float64)
        means[first : first + size] = (times @ sums) / (times @ counts)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    tail = np.minimum((means <= 0).sum(axis=0), (means >= 0).sum(axis=0))
    p = np.minimum(1.0, 2 * (tail + 1) / (resamples + 1))
    spread = each.std(axis=0, ddof=1)
    effect = np.divide(each.mean(axis=0), spread, out=np.full(len(spread), np.nan), where=spread > 0)
    return [
        Paired(
            difference=float(estimate[c]),
            ci_low=float(low[c]),
            ci_high=float(high[c]),
            p=float(p[c]),
            effect=None if np.isnan(effect[c]) else float(effect[c]),
            above=float(above[c]),
            n_persons=n_persons,
        )
        for c in range(sums.shape[1])
    ]


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction of p-values; None stays None and is no test.

    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    order = sorted((value, i) for i, value in enumerate(p) if value is not None)
    adjusted: list[float | None] = [None] * len(p)
    highest = 0.0
    for rank, (value, i) in enumerate(order):
        highest = max(highest, min(1.0, value * (len(order) - rank)))
        adjusted[i] = highest
    return adjusted


def tie_groups(best_first: Sequence[str], differ: Callable[[str, str], bool]) -> tuple[tuple[str, ...], ...]:
    """Names, the best first, cut into groups: one that differs from the first of its group opens the next."""
    groups: list[list[str]] = []
    for name in best_first:
        if groups and not differ(groups[-1][0], name):
            groups[-1].append(name)
        else:
            groups.append([name])
    return tuple(map(tuple, groups))
