"""Smooth curves over time that motion is made of. Times are seconds, arrays [T]; a curve can be asked at any time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def ease(x: ArrayLike) -> Array:
    """From 0 (x <= 0) to 1 (x >= 1) as a hand moves: least jerk (Flash and Hogan, J. Neurosci. 1985)."""
    x = np.clip(np.asarray(x, np.float64), 0, 1)
    return np.asarray(x**3 * (10 + x * (6 * x - 15)))


def held(times: Array, starts: ArrayLike, durations: ArrayLike, targets: ArrayLike) -> Array:
    """Targets [E + 1, ...] held one after the other: the move to target k + 1 begins at starts[k].

    Moves may overlap, their sum is still smooth. Gives [T, ...].
    """
    targets = np.asarray(targets, np.float64)
    done = ease((times[:, None] - np.asarray(starts)) / np.asarray(durations))
    return np.asarray(targets[0] + np.tensordot(done, np.diff(targets, axis=0), axes=1))


def bumps(times: Array, starts: ArrayLike, rises: ArrayLike, holds: ArrayLike, falls: ArrayLike) -> Array:
    """Pulses [T, E] that go from 0 to 1, stay, and go back to 0."""
    since = times[:, None] - np.asarray(starts, np.float64)
    rises, falls = np.asarray(rises, np.float64), np.asarray(falls, np.float64)
    return ease(since / rises) * (1 - ease((since - rises - np.asarray(holds)) / falls))


def merge(*parts: Array) -> Array:
    """Activations in [0, 1] that act at once: 1 - product of what each leaves over; smooth and never above 1."""
    left = np.ones_like(parts[0])
    for part in parts:
        left = left * (1 - part)
    return 1 - left


def wander(rng: np.random.Generator, times: Array, slowest: float, fastest: float, size: int = 1) -> Array:
    """Drift [T, size] within [-1, 1]: sums of four sines of random rates (Hz) and phases, the slower the larger."""
    rates = rng.uniform(slowest, fastest, (4, size))
    phases = rng.uniform(0, 2 * np.pi, (4, size))
    weights = 1 / (rates / slowest)
    waves = np.sin(2 * np.pi * rates * times[:, None, None] + phases)
    return np.asarray((waves * weights).sum(axis=1) / weights.sum(axis=0))


def arrivals(rng: np.random.Generator, end: float, mean: float, least: float, start: float = 0.0) -> Array:
    """Times in [start, end) of events that are `mean` seconds apart, never less than `least`, else a Poisson process.

    The process runs long before `start`, so that an event is as likely in the first second as in any other.
    """
    times: list[float] = []
    time = start - 10 * mean
    while True:
        time += least + rng.exponential(max(mean - least, 1e-3))
        if time >= end:
            return np.array(times)
        if time >= start:
            times.append(time)


def within(values: ArrayLike, limit: ArrayLike, knee: float = 0.75) -> Array:
    """Values bent smoothly into (-limit, limit); unchanged below `knee` of it. A limit of 0 gives 0."""
    values, limit = np.asarray(values, np.float64), np.asarray(limit, np.float64)
    start = knee * limit
    room = np.maximum(limit - start, 1e-12)
    over = np.maximum(np.abs(values) - start, 0)
    bent = np.sign(values) * (np.minimum(np.abs(values), start) + room * np.tanh(over / room))
    return np.where(limit > 1e-6, bent, 0.0)
