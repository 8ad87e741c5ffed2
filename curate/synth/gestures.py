"""What a face does beside speaking: blinks, winks, gaze, brows, and expressions that come and go."""

from __future__ import annotations

import numpy as np

from curate.synth.curves import Array, arrivals, bumps, ease, merge
from curate.synth.speech import Speech

# Each expression: how often, and its units. "?" stands for one side or the other, "*" for both, not quite alike.
_EXPRESSIONS: tuple[tuple[float, dict[str, float]], ...] = (
    (3.0, {"smile_*": 0.75, "cheek_raise": 0.55}),
    (1.5, {"smile_*": 1.0, "cheek_raise": 0.8, "jaw_open": 0.25, "upper_lip_raise": 0.35}),
    (1.0, {"smile_?": 0.8, "cheek_raise": 0.15}),
    (1.5, {"frown": 0.85, "brow_lower": 0.35}),
    (1.2, {"brow_lower": 0.9, "cheek_raise": 0.35}),
    (1.0, {"brow_lower": 0.5, "lips_press": 0.8}),
    (1.5, {"brow_raise_*": 0.9, "eye_wide": 0.85, "jaw_open": 0.4}),
    (1.0, {"brow_raise_*": 0.8}),
    (1.0, {"brow_raise_?": 0.9}),
    (1.2, {"cheek_puff": 0.9, "lips_press": 0.25}),
    (1.2, {"nose_wrinkle": 0.9, "upper_lip_raise": 0.65, "brow_lower": 0.45}),
    (0.8, {"pucker": 0.9}),
    (0.8, {"stretch": 0.8, "lower_lip_drop": 0.7, "eye_wide": 0.4}),
    (0.7, {"jaw_open": 0.95}),
    (0.8, {"cheek_raise": 0.8}),
    (0.6, {"eye_wide": 0.9}),
)
# A mouth that does one of these does not speak meanwhile.
_SILENT = frozenset(("cheek_puff", "lips_press", "pucker", "frown"))

Units = dict[str, Array]


def add(units: Units, name: str, value: Array) -> None:
    """Let `value` [T] act on a unit beside what acts on it already."""
    units[name] = merge(units[name], np.clip(value, 0, 1))


def express(rng: np.random.Generator, times: Array, units: Units, *, mean: float, strength: float) -> Array:
    """Add expressions, one every `mean` seconds or so; gives how far they silence the mouth, [T] in [0, 1]."""
    weights = np.array([weight for weight, _ in _EXPRESSIONS])
    silent = np.zeros_like(times)
    for start in arrivals(rng, times[-1], mean, 0.6, start=-2.0):
        name_of, rise, fall = rng.choice(len(_EXPRESSIONS), p=weights / weights.sum()), *rng.uniform(0.25, 0.6, 2)
        pulse = bumps(times, start, rise, rng.uniform(0.3, 1.8), fall)[:, 0]
        pulse = pulse * strength * rng.uniform(0.6, 1.05)
        one, other = rng.permutation(("l", "r"))
        lesser = rng.uniform(0.75, 1.0)
        for name, value in _EXPRESSIONS[name_of][1].items():
            if name.endswith("*"):
                add(units, name[:-1] + one, value * pulse)
                add(units, name[:-1] + other, value * lesser * pulse)
            else:
                add(units, name.replace("?", one), value * pulse)
            if name in _SILENT:
                silent = merge(silent, np.clip(pulse, 0, 1))
    return silent


def blink(rng: np.random.Generator, times: Array, units: Units, also: Array) -> None:
    """Add blinks of 0.15 to 0.3 s, 2 to 6 s apart, at some of the moments `also`, and now and then a wink."""
    starts = arrivals(rng, times[-1], rng.uniform(2, 6), 0.5, start=-0.3)
    extra = np.array([time for time in also if len(starts) == 0 or np.abs(starts - time).min() > 0.5])
    starts = np.concatenate([starts, extra])
    lengths = rng.uniform(0.15, 0.3, len(starts))
    # the lid falls faster than it rises; it stays shut for a moment, so that a frame of a slow video shows it
    closed = bumps(times, starts, 0.3 * lengths, 0.25 * lengths, 0.45 * lengths) if len(starts) else times[:, None] * 0
    for side in ("l", "r"):
        add(units, f"blink_{side}", closed.max(axis=1))
    for start in arrivals(rng, times[-1], 25.0, 2.0, start=-0.3):
        pulse = bumps(times, start, 0.1, rng.uniform(0.1, 0.35), 0.18)[:, 0]
        side = rng.choice(("l", "r"))
        add(units, f"blink_{side}", pulse)
        add(units, f"smile_{side}", 0.45 * pulse)
        add(units, "cheek_raise", 0.4 * pulse)
    open_eye = 1 - np.maximum(units["blink_l"], units["blink_r"])
    units["eye_wide"] = units["eye_wide"] * open_eye


def brows(rng: np.random.Generator, times: Array, units: Units, speech: Speech, *, lively: float) -> None:
    """Raise the brows on some stressed syllables; `lively` scales how often and how far."""
    for moment in speech.stressed[rng.random(len(speech.stressed)) < 0.35 * lively]:
        pulse = bumps(times, moment - 0.15, 0.15, rng.uniform(0.05, 0.25), 0.25)[:, 0] * rng.uniform(0.25, 0.8) * lively
        for side in ("l", "r"):
            add(units, f"brow_raise_{side}", pulse * rng.uniform(0.85, 1.0))


def gaze(rng: np.random.Generator, times: Array, yaw: Array, pitch: Array) -> tuple[Array, Array]:
    """Gaze [T, 2] in [-1, 1] (x, y), held between jumps of 30 to 50 ms, and the moments of the large jumps.

    The eyes make up for part of the head's turn, as they do when one looks at the person one talks to.
    """
    starts = arrivals(rng, times[-1] + 1, rng.uniform(0.7, 1.8), 0.2, start=-1.0)
    n = len(starts) + 1
    away = rng.random(n) < rng.uniform(0.25, 0.55)
    near = rng.normal(0, 0.05, (n, 2))
    far = np.stack([rng.uniform(-0.85, 0.85, n), rng.normal(0, 0.35, n)], axis=1)
    targets = np.where(away[:, None], far, near)
    done = ease((times[:, None] - starts) / rng.uniform(0.03, 0.05, n - 1))
    eyes = targets[0] + done @ np.diff(targets, axis=0)
    contact = rng.uniform(0.0, 0.8)
    eyes = eyes - contact * np.stack([yaw / 45, pitch / 45], axis=1)
    jumps = np.linalg.norm(np.diff(targets, axis=0), axis=1)
    return np.clip(eyes, -1, 1), starts[(jumps > 0.6) & (rng.random(n - 1) < 0.3)]
