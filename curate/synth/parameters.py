"""What a SynthHeads head is made of: identity coefficients, expression units, motion and scene, and how they are drawn.

"Left" and "right" of an expression unit are the person's own: `_l` is on the image's right.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Geometry: about standard normal, cut at +-2; 0 is the mean head.
SHAPE: tuple[str, ...] = (
    "head_width", "head_depth", "face_length", "forehead_height", "forehead_slope", "temple_width",
    "cheekbone_width", "cheekbone_height", "cheek_fullness", "jaw_width", "jaw_angle", "chin_width",
    "chin_length", "chin_protrusion", "brow_ridge", "brow_height", "eye_spacing", "eye_height",
    "eye_size", "eye_opening", "eye_tilt", "eye_depth", "lid_hood", "nose_length",
    "nose_width", "nose_protrusion", "nose_bridge_width", "nose_hump", "nose_tip", "mouth_width",
    "upper_lip", "lower_lip", "mouth_height", "lip_protrusion", "ear_size", "ear_angle",
    "neck_width", "shoulder_width", "asymmetry_nose", "asymmetry_mouth", "asymmetry_eyes",
)  # fmt: skip

# Looks: in [0, 1].
APPEARANCE: tuple[str, ...] = (
    "skin_melanin", "skin_redness", "skin_yellow", "skin_gloss", "freckles", "moles",
    "age", "dark_circles", "lip_red", "lip_dark", "brow_thickness", "brow_darkness",
    "brow_arch", "brow_length", "iris_hue", "iris_lightness", "eyeliner", "hair_melanin",
    "hair_red", "hair_grey", "hairline", "hair_volume", "hair_length", "hair_parting",
    "hair_fringe", "hair_curl", "baldness", "beard", "moustache", "stubble",
    "glasses", "glasses_size", "glasses_roundness", "glasses_dark", "clothes_hue", "clothes_lightness",
    "clothes_saturation", "clothes_collar",
)  # fmt: skip

IDENTITY = SHAPE + APPEARANCE

# In [0, 1], but gaze in [-1, 1] (x: to the image's right, y: up).
EXPRESSION: tuple[str, ...] = (
    "jaw_open", "smile_l", "smile_r", "frown", "pucker", "stretch",
    "upper_lip_raise", "lower_lip_drop", "lips_press", "cheek_puff", "cheek_raise", "nose_wrinkle",
    "blink_l", "blink_r", "eye_wide", "brow_raise_l", "brow_raise_r", "brow_lower",
    "gaze_x", "gaze_y",
)  # fmt: skip
UNITS = EXPRESSION[:-2]
"""Expression units that are either at rest (0) or active (towards 1), as facial action units are."""

ACTIVE = 0.3
"""A unit counts as active above this."""


@dataclass(frozen=True)
class Identity:
    """One person: a name and the coefficients `IDENTITY`."""

    id: str
    coefficients: Floats  # [len(IDENTITY)]

    @cached_property
    def named(self) -> dict[str, float]:
        """Coefficients by name."""
        return dict(zip(IDENTITY, self.coefficients.tolist(), strict=True))

    @cached_property
    def seed(self) -> int:
        """Seed of all that is random in the looks (moles, strands of hair): the coefficients decide it."""
        return int(sha256(np.ascontiguousarray(self.coefficients, np.float32).tobytes()).hexdigest()[:12], 16)


@dataclass(frozen=True)
class Motion:
    """What T frames of a driving clip say: everything but who it is and where."""

    expression: Floats  # [T, len(EXPRESSION)]
    angles: Floats  # [T, 3] yaw, pitch, roll in degrees (see curate.angles)
    translation: Floats  # [T, 3] the head's origin (midway between the ear holes) in camera axes, mm
    focal: float  # focal length over the image's side

    def __len__(self) -> int:
        return len(self.angles)

    def take(self, frames: NDArray[np.integer] | list[int]) -> Motion:
        """The motion of some frames."""
        return Motion(self.expression[frames], self.angles[frames], self.translation[frames], self.focal)


@dataclass(frozen=True)
class Scene:
    """Where a clip is: light and background, still over the clip. Colours are linear RGB."""

    background: int  # seed of the picture behind the head
    brightness: float  # of that picture, [0, 1]
    key_direction: tuple[float, float, float]  # towards the light, camera axes, unit length
    key: tuple[float, float, float]
    ambient: tuple[float, float, float]  # from above
    bounce: tuple[float, float, float]  # from below
    exposure: float = 1.0


def sample_identity(seed: int, index: int) -> Identity:
    """Person `index` of the population `seed`; the same arguments give the same person everywhere."""
    rng = np.random.default_rng((seed, index, 0))
    values = dict(zip(SHAPE, np.clip(rng.normal(0, 1.05, len(SHAPE)), -2.2, 2.2), strict=True))
    values |= dict(zip(APPEARANCE, rng.random(len(APPEARANCE)), strict=True))
    _correlate(values, rng)
    coefficients = np.array([values[name] for name in IDENTITY], np.float32)
    return Identity(f"synth{seed}-{index:04d}", coefficients)


def _correlate(values: dict[str, float], rng: np.random.Generator) -> None:
    """Traits that go together in people: drawn apart they would make faces that nobody has seen."""
    male = float(rng.random() < 0.5)
    old = values["age"] = float(rng.beta(1.3, 1.7))
    lean = male * 2 - 1
    for name, weight in {
        "jaw_width": 0.6, "jaw_angle": 0.4, "chin_width": 0.5, "brow_ridge": 0.8, "brow_height": -0.5,
        "neck_width": 0.9,
        "nose_protrusion": 0.3, "nose_width": 0.3, "upper_lip": -0.35, "lower_lip": -0.25, "eye_size": -0.3,
        "shoulder_width": 0.8, "face_length": 0.3, "head_width": 0.2, "cheek_fullness": -0.2, "eye_opening": -0.2,
    }.items():  # fmt: skip
        values[name] = float(np.clip(values[name] + lean * weight, -2, 2))
    melanin = values["skin_melanin"] = float(rng.beta(0.8, 1.1))
    dark_hair = max(melanin * 1.3, rng.random())
    values["hair_melanin"] = float(np.clip(dark_hair, 0, 1))
    values["hair_red"] *= 1 - melanin
    values["iris_lightness"] *= 1 - 0.8 * melanin
    values["freckles"] = float(rng.random() ** 3 * (1 - melanin))
    values["hair_grey"] = float(np.clip((old - 0.55) * 2.5 * rng.random(), 0, 1))
    values["baldness"] = float(male * (rng.random() < 0.15 + 0.25 * old) * rng.uniform(0.4, 1.0))
    long = rng.random() < (0.12 if male else 0.75)
    values["hair_length"] = float(0.35 + 0.65 * rng.random() if long else 0.25 * rng.random())
    values["hair_fringe"] = float(rng.random() * (rng.random() < 0.35))
    values["beard"] = float(male * (rng.random() < 0.35) * (0.3 + 0.7 * rng.random()))
    values["moustache"] = float(max(values["beard"] * (rng.random() < 0.85), male * (rng.random() < 0.12) * 0.8))
    values["stubble"] = float(male * rng.random())
    values["eyeliner"] = float((1 - male) * rng.random())
    values["lip_red"] = float(np.clip(values["lip_red"] * (0.5 + 0.5 * (1 - male)), 0, 1))
    values["brow_thickness"] = float(np.clip(values["brow_thickness"] * 0.7 + 0.3 * male, 0, 1))
    values["glasses"] = float(rng.random() < 0.25)
    values["clothes_saturation"] = float(values["clothes_saturation"] ** 1.5)


def sample_scene(rng: np.random.Generator) -> Scene:
    """A soft light from somewhere above the camera, and a background."""
    side, height = rng.uniform(-1.1, 1.1), rng.uniform(-0.1, 0.9)
    direction = np.array([np.sin(side), -np.sin(height), -np.cos(side) * np.cos(height)])
    direction /= np.linalg.norm(direction)
    warmth = rng.uniform(-1, 1)
    key = np.array([1 + 0.10 * warmth, 1.0, 1 - 0.14 * warmth]) * rng.uniform(0.75, 1.35)
    sky = np.array([1 - 0.05 * warmth, 1.0, 1 + 0.07 * warmth]) * rng.uniform(0.22, 0.5)
    ground = np.array([1.05, 1.0, 0.92]) * rng.uniform(0.08, 0.24)
    return Scene(
        background=int(rng.integers(1 << 31)),
        brightness=float(rng.uniform(0.15, 0.9)),
        key_direction=(float(direction[0]), float(direction[1]), float(direction[2])),
        key=(float(key[0]), float(key[1]), float(key[2])),
        ambient=(float(sky[0]), float(sky[1]), float(sky[2])),
        bounce=(float(ground[0]), float(ground[1]), float(ground[2])),
        exposure=float(rng.uniform(0.85, 1.15)),
    )
