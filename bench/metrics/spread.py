"""Where a set of vectors lies and how it is spread: count, mean and covariance, gathered a few rows at a time."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


class Spread:
    """Count, mean and covariance of vectors [D], in float64 and in memory that does not grow with their number.

    Kept is the triangular factor of the rows [1, x]: R with R'R = Z'Z for the matrix Z [N, 1 + D] of all of them. Its
    first row is sqrt(N) [1, mean] and what stands below is a factor of the centred rows, since they are the part of x
    that is orthogonal to the ones. Unlike sums of squares it loses no digits to a large mean, and a covariance made of
    it has no negative eigenvalue. Rows are folded in as many at a time as R has columns, so that folding costs little.
    """

    def __init__(self) -> None:
        self.count = 0
        self._waiting: list[Floats] = []
        self._factor: Floats | None = None

    def add(self, rows: Floats) -> None:
        """Take in `rows` [N, D], all finite; ValueError for another D than before."""
        rows = np.asarray(rows, np.float64)
        if rows.ndim != 2 or not np.isfinite(rows).all():
            raise ValueError(f"rows must be finite and of the shape [N, D], but have the shape {list(rows.shape)}")
        if self._factor is None:
            self._factor = np.zeros((0, rows.shape[1] + 1))
        if self._factor.shape[1] != rows.shape[1] + 1:
            raise ValueError(f"rows must have {self._factor.shape[1] - 1} values as before, but have {rows.shape[1]}")
        self.count += len(rows)
        self._waiting.append(np.column_stack([np.ones(len(rows)), rows]))
        if sum(map(len, self._waiting)) > rows.shape[1]:
            self._fold()

    @property
    def mean(self) -> Floats:
        """[D]; ValueError for an empty set."""
        factor = self._folded(1)
        mean: Floats = factor[0, 1:] / factor[0, 0]
        return mean

    @property
    def factor(self) -> Floats:
        """F [K, D] with K <= D and F'F the sample covariance (over N - 1); ValueError for fewer than two vectors."""
        factor: Floats = self._folded(2)[1:, 1:] / np.sqrt(self.count - 1)
        return factor

    def _folded(self, least: int) -> Floats:
        if self._factor is None or self.count < least:
            raise ValueError(f"a set needs at least {least} vectors, but has {self.count}")
        self._fold()
        return self._factor

    def _fold(self) -> None:
        if self._factor is not None and self._waiting:
            self._factor = cast("Floats", np.linalg.qr(np.concatenate([self._factor, *self._waiting]), mode="r"))
            self._waiting = []
