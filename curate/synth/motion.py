"""Motion of a talking head: everything a clip's driver does, smooth, and a function of the generator alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curate import angles
from curate.synth.curves import Array, arrivals, bumps, held, wander, within
from curate.synth.gestures import Units, add, blink, brows, express, gaze
from curate.synth.parameters import EXPRESSION, UNITS, Motion
from curate.synth.speech import MOUTH, Speech, speak

FACE_MM = 184.0  # height of a detector's box on the mean head
FACE_SHARE = (0.38, 0.56)  # of the image's height, at the clip's mean distance
DISTANCE_MM = (550.0, 1500.0)
_NECK = np.array([0.0, -65.0, -12.0])  # from the point that the head turns about to its origin, head at rest, mm
_REACH = (112.0, 158.0, 128.0)  # beside, above and below the origin: what of a head must stay in the picture, mm


@dataclass(frozen=True)
class Kind:
    """A manner of moving. Angles are spreads in degrees, around which a clip holds its head."""

    yaw: float
    pitch: float
    roll: float
    rest_s: float  # a new attitude about every so many seconds
    expressions_s: float  # an expression about every so many seconds
    strength: float  # of expressions
    lively: float  # of brows and nods
    turns: bool = False  # large deliberate turns


KINDS = {
    "calm": Kind(7, 4, 3.5, 1.6, 3.5, 0.75, 0.7),
    "expressive": Kind(11, 6, 5.5, 1.0, 1.3, 1.0, 1.2),
    "turning": Kind(6, 4, 3, 1.1, 3.0, 0.85, 0.8, turns=True),
}
_SHARES = (0.4, 0.3, 0.3)


def sample_motion(
    rng: np.random.Generator,
    n_frames: int,
    fps: float,
    *,
    max_yaw: float = 60,
    max_pitch: float = 30,
    max_roll: float = 30,
    kind: str | None = None,
) -> Motion:
    """Motion of `n_frames` at `fps`, of one of `KINDS` (None: drawn). |angles| stay below the limits, in degrees.

    The whole head stays in the picture and the face takes 35 to 60 % of its height. The same generator state gives the
    same motion. ValueError for no frame, a rate that is not positive, a limit outside [0, 85], an unknown kind.
    """
    limits = np.array([max_yaw, max_pitch, max_roll], np.float64)
    if n_frames < 1 or not fps > 0:
        raise ValueError(f"expected n_frames >= 1 and fps > 0, got {n_frames} and {fps}")
    if not ((limits >= 0) & (limits <= 85)).all():
        raise ValueError(f"max_yaw, max_pitch, max_roll must be in [0, 85], got {limits.tolist()}")
    if kind is not None and kind not in KINDS:
        raise ValueError(f"unknown kind of motion {kind!r} (known: {', '.join(KINDS)})")
    # one stream for each part: more draws in one leave the others as they are
    choose, voice, head, face, eyes, place = rng.spawn(6)
    name = kind or choose.choice(list(KINDS), p=_SHARES)
    manner = KINDS[name]
    times = np.arange(n_frames) / fps
    talks = choose.random() < 0.85
    speech = speak(
        voice, times, talkative=choose.uniform(0.6, 0.95) if talks else 0.15, effort=choose.uniform(0.7, 1.1)
    )
    pose = _pose(head, times, manner, limits, speech)

    units: Units = {unit: np.zeros(n_frames) for unit in UNITS}
    silent = express(face, times, units, mean=manner.expressions_s, strength=manner.strength)
    for column, unit in enumerate(MOUTH):
        add(units, unit, speech.mouth[:, column] * (1 - silent))
    units["jaw_open"] = units["jaw_open"] * (1 - units["cheek_puff"])
    brows(face, times, units, speech, lively=manner.lively)
    look, jumps = gaze(eyes, times, pose[:, 0], pose[:, 1])
    blink(eyes, times, units, also=jumps)
    columns = [*(units[unit] for unit in UNITS), look[:, 0], look[:, 1]]
    expression = dict(zip((*UNITS, "gaze_x", "gaze_y"), columns, strict=True))

    translation, focal = _place(place, times, pose)
    return Motion(
        expression=np.stack([expression[unit] for unit in EXPRESSION], axis=1).astype(np.float32),
        angles=pose.astype(np.float32),
        translation=translation.astype(np.float32),
        focal=focal,
    )


def _pose(rng: np.random.Generator, times: Array, manner: Kind, limits: Array, speech: Speech) -> Array:
    """Yaw, pitch, roll [T, 3] in degrees: attitudes held for a while, nods on stressed syllables, and a tremor."""
    spread = np.array([manner.yaw, manner.pitch, manner.roll])
    base = rng.normal(0, 0.6, 3) * spread
    starts = arrivals(rng, times[-1] + 1, manner.rest_s, 0.5)
    targets = base + np.clip(rng.normal(0, 1, (len(starts) + 1, 3)), -2, 2) * spread
    if manner.turns:
        targets = _turns(rng, targets, limits)
    size = np.abs(np.diff(targets, axis=0)).max(axis=1)
    lengths = np.maximum(rng.uniform(0.35, 0.7, len(starts)), size / rng.uniform(55, 95, len(starts)))
    pose = held(times, starts, lengths, targets)
    nods = speech.stressed[rng.random(len(speech.stressed)) < 0.5 * manner.lively]
    if len(nods):
        depth = rng.uniform(1.5, 5.0, len(nods)) * manner.lively
        pose[:, 1] -= bumps(times, nods - 0.14, 0.16, 0.02, 0.3) @ depth
    pose += wander(rng, times, 0.15, 0.6, 3) * np.array([1.8, 1.2, 1.2]) * (0.5 + speech.speaking[:, None])
    pose += wander(rng, times, 1.0, 2.2, 3) * 0.25
    return within(pose, limits)


def _turns(rng: np.random.Generator, targets: Array, limits: Array) -> Array:
    """Every other attitude becomes a large turn: mostly of yaw, sometimes of pitch or roll, sometimes of all."""
    targets = targets.copy()
    first = int(rng.random() < 0.15)
    for k in range(1 - first, len(targets), 2):
        share = rng.uniform(0.35, 1.1) * rng.choice((-1, 1))
        axis = rng.choice(4, p=(0.6, 0.18, 0.12, 0.1))
        if axis < 3:
            targets[k, axis] = share * limits[axis]
        else:
            targets[k] = rng.uniform(-0.9, 0.9, 3) * limits
    return targets


def _place(rng: np.random.Generator, times: Array, pose: Array) -> tuple[Array, float]:
    """Translation [T, 3] in mm and the focal length: the head swings about its neck, drifts, comes nearer and goes."""
    share = rng.uniform(*FACE_SHARE)
    distance = float(np.exp(rng.uniform(*np.log(DISTANCE_MM))))
    focal = share * distance / FACE_MM
    zoom = np.exp(0.05 * wander(rng, times, 0.05, 0.2)[:, 0] * rng.uniform(0.2, 1.0))
    depth = distance * zoom
    swing = (angles.rotation(pose) - np.eye(3)) @ _NECK
    half = depth / (2 * focal)  # of what the picture shows at that depth
    beside, above, below = _REACH
    middle, room = (above - below) / 2, np.stack([half - beside, half - (above + below) / 2], axis=1)
    room = np.maximum(room, 1.0)
    offset = rng.uniform(-0.6, 0.6, 2) + 0.3 * wander(rng, times, 0.08, 0.3, 2)
    across = within(offset * room + swing[:, :2], room, knee=0.5)
    return np.stack([across[:, 0], middle + across[:, 1], depth + swing[:, 2]], axis=1), focal
