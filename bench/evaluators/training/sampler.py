"""Frames that have nothing to do with each other, drawn so that every pose, expression and unit is seen often.

Clips of talking heads are mostly frontal and mostly at rest; a network that learns from them guesses that. Here yaw is
nearly uniform to 60 degrees, and each unit is active in about 28 % of the frames.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate.synth.parameters import EXPRESSION, UNITS, Motion

FACE_MM = 184.0  # height of a detector's box on the mean head
FACE_SHARE = (0.28, 0.62)  # of the image's height
DISTANCE_MM = (550.0, 1500.0)
USED = 0.4  # share of frames in which a unit is above 0, on average; uniform values above that: 28 % are active

Array = NDArray[np.float64]

_SIDES = (("smile_l", "smile_r"), ("blink_l", "blink_r"), ("brow_raise_l", "brow_raise_r"))
# What hides or forbids what: each unit is scaled by one minus the other.
_EXCLUDED = (
    ("eye_wide", "blink_l"),
    ("eye_wide", "blink_r"),
    ("lips_press", "jaw_open"),
    ("cheek_puff", "jaw_open"),
    ("pucker", "stretch"),
)


def sample_frames(rng: np.random.Generator, count: int) -> Motion:
    """`count` independent frames of one camera. The same generator state gives the same frames."""
    distance = float(np.exp(rng.uniform(*np.log(DISTANCE_MM))))
    focal = float(np.exp(rng.uniform(*np.log(FACE_SHARE)))) * distance / FACE_MM
    return Motion(
        expression=sample_expressions(rng, count).astype(np.float32),
        angles=_angles(rng, count).astype(np.float32),
        translation=_places(rng, count, distance, focal).astype(np.float32),
        focal=focal,
    )


def sample_expressions(rng: np.random.Generator, count: int) -> Array:
    """[count, len(EXPRESSION)]: few units in some frames, many in others; both sides alike in half of the frames."""
    chance = np.clip(rng.uniform(0.0, 2 * USED, (count, 1)), 0.02, 1)
    used = rng.random((count, len(UNITS))) < chance
    units = dict(zip(UNITS, (used * rng.random((count, len(UNITS)))).T, strict=True))
    for left, right in _SIDES:
        alike = rng.random(count) < 0.5
        units[right] = np.where(alike, np.clip(units[left] * rng.uniform(0.85, 1.1, count), 0, 1), units[right])
    for hidden, by in _EXCLUDED:
        units[hidden] = units[hidden] * (1 - units[by])
    look = np.clip(rng.normal(0, 0.45, (2, count)), -1, 1)
    columns = units | dict(zip(("gaze_x", "gaze_y"), look, strict=True))
    return np.stack([columns[name] for name in EXPRESSION], axis=1)


def _angles(rng: np.random.Generator, count: int) -> Array:
    """Yaw, pitch, roll [count, 3] in degrees within 60, 30, 30: yaw uniform, the others somewhat rarer at the ends."""
    yaw = rng.uniform(-60, 60, count)
    pitch = 30 * (2 * rng.beta(1.8, 1.8, count) - 1)
    roll = 30 * (2 * rng.beta(1.8, 1.8, count) - 1)
    return np.stack([yaw, pitch, roll], axis=1)


def _places(rng: np.random.Generator, count: int, distance: float, focal: float) -> Array:
    """Translations [count, 3] in mm: the head a little nearer or farther, and beside the middle of the picture."""
    depth = distance * np.exp(rng.normal(0, 0.06, count))
    half = depth / (2 * focal)  # of what the picture shows at that depth
    beside = rng.uniform(-1, 1, count) * np.clip(half - 100, 20, 130)
    below = rng.uniform(-1, 1, count) * np.clip(half - 140, 15, 90) - 10
    return np.stack([beside, below, depth], axis=1)
