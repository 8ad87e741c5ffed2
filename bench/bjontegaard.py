"""Two coders compared by their rate-distortion curves (Bjontegaard, VCEG-M33, 2001).

A coder that was run at several settings gives points (rate, distortion). The logarithm of the rate is taken as a
piecewise cubic function of the distortion, monotone between points (Fritsch, Butland 1984), as video coding groups do
since VCEG-AI11; Bjontegaard's own single cubic can swing between points. The mean difference of the logarithms over
the distortions that both coders reach is how many times the bytes one needs for what the other gives.

Distortion may be any score that is better when lower. Points that another point beats in both rate and distortion are
left out: nobody would choose these settings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST = 3  # points that make a curve


class NoComparison(ValueError):
    """The curves cannot be compared; the message says why."""


@dataclass(frozen=True)
class Curve:
    """log10 of the rate as a function of the distortion: knots in rising order of distortion, with slopes."""

    distortion: Floats  # [N], strictly rising
    log_rate: Floats  # [N], strictly falling
    slope: Floats  # [N], of log_rate by distortion

    @classmethod
    def through(cls, rates: Floats, distortions: Floats) -> Curve:
        """Through points [N] each; `NoComparison` where fewer than three are left, ValueError for what is no number."""
        if rates.shape != distortions.shape or rates.ndim != 1:
            raise ValueError(f"`rates` and `distortions` must be [N], but are {rates.shape} and {distortions.shape}")
        if not (np.isfinite(rates).all() and np.isfinite(distortions).all() and (rates > 0).all()):
            raise ValueError("`rates` must be positive, and they and `distortions` finite")
        kept = efficient(rates, distortions)
        if len(kept) < LEAST:
            raise NoComparison(f"{len(kept)} settings of which none beats another: a curve needs {LEAST}")
        x, y = distortions[kept], np.log10(rates[kept])
        return cls(x, y, _slopes(x, y))

    def at(self, distortion: float) -> float:
        """log10 of the rate for one distortion; `NoComparison` outside of the curve."""
        low, high = self.distortion[0], self.distortion[-1]
        if not low <= distortion <= high:
            raise NoComparison(f"the other curve reaches from {low:.4g} to {high:.4g}, and this is {distortion:.4g}")
        i = min(int(np.searchsorted(self.distortion, distortion, "right")) - 1, len(self.distortion) - 2)
        return float(np.polyval(self._cubic(i), distortion - self.distortion[i]))

    def integral(self, low: float, high: float) -> float:
        """Of log10 of the rate over distortions from `low` to `high`, both on the curve; exact."""
        total = 0.0
        for i in range(len(self.distortion) - 1):
            start, end = self.distortion[i], self.distortion[i + 1]
            a, b = max(low, start) - start, min(high, end) - start
            if b > a:
                whole = np.polyint(self._cubic(i))
                total += float(np.polyval(whole, b) - np.polyval(whole, a))
        return total

    def _cubic(self, i: int) -> Floats:
        """Coefficients, highest first, between knots i and i + 1, of the distance from knot i."""
        width = self.distortion[i + 1] - self.distortion[i]
        secant = (self.log_rate[i + 1] - self.log_rate[i]) / width
        first, last = self.slope[i], self.slope[i + 1]
        cubic, square = (first + last - 2 * secant) / width**2, (3 * secant - 2 * first - last) / width
        return np.array([cubic, square, first, self.log_rate[i]])


def efficient(rates: Floats, distortions: Floats) -> NDArray[np.intp]:
    """Indices, by rising distortion, of the points that no other point beats or equals in both."""
    kept: list[int] = []
    for i in np.lexsort((rates, distortions)):
        if not kept or rates[i] < rates[kept[-1]]:
            kept.append(int(i))
    return np.array(kept, np.intp)


def _slopes(x: Floats, y: Floats) -> Floats:
    """Slopes at the knots that keep the curve monotone: weighted harmonic means of the secants' beside each knot."""
    width, secant = np.diff(x), np.diff(y) / np.diff(x)
    slope = np.empty_like(x)
    before, after = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
    slope[1:-1] = (before + after) / (before / secant[:-1] + after / secant[1:])
    slope[0] = _end(width[0], width[1], secant[0], secant[1])
    slope[-1] = _end(width[-1], width[-2], secant[-1], secant[-2])
    return slope


def _end(width: float, next_width: float, secant: float, next_secant: float) -> float:
    """The slope at an end: of the parabola through three points, kept from turning the curve."""
    slope = ((2 * width + next_width) * secant - width * next_secant) / (width + next_width)
    if slope * secant <= 0:
        return 0.0
    return slope


def log_rate_difference(one: Curve, other: Curve) -> float:
    """Mean of log10(rate of `one` / rate of `other`) over the distortions that both reach; `NoComparison` where there
    are none."""
    low = float(max(one.distortion[0], other.distortion[0]))
    high = float(min(one.distortion[-1], other.distortion[-1]))
    if not low < high:
        ranges = [f"{curve.distortion[0]:.4g} to {curve.distortion[-1]:.4g}" for curve in (one, other)]
        raise NoComparison(f"the curves do not overlap: {ranges[0]} and {ranges[1]}")
    return (one.integral(low, high) - other.integral(low, high)) / (high - low)


def percent(log_ratio: float) -> float:
    """10^x - 1 in percent: what more is sent (less: negative)."""
    return 100 * float(np.expm1(log_ratio * np.log(10)))
