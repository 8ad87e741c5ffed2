"""What a cheap camera and its compression do to a picture, so that rendered frames look recorded.

Order as in a camera: exposure flicker, white balance and vignette, a soft lens, photon and read noise in linear light,
then 8 x 8 block compression. What stays the same over a clip comes from its seed, what changes from seed and frame
number: a frame looks the same in whatever batch it is degraded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.errors import UserError

Linear = NDArray[np.float32]


@dataclass(frozen=True)
class Camera:
    """One camera: what a seed says of it, at full strength."""

    gains: tuple[float, float, float]  # red, green, blue
    vignette: float  # light lost in the corners
    blur: float  # standard deviation of the lens' blur over the image's height
    photons: float  # that a white pixel collects
    read: float  # standard deviation of the read noise, white = 1
    flicker: float  # of the exposure
    flicker_rates: tuple[float, float]  # radians a frame
    flicker_phases: tuple[float, float]
    quality: int  # of the JPEG blocks


def camera(seed: int) -> Camera:
    """The camera of a seed."""
    rng = np.random.default_rng((seed, 0xCA))
    warm, tint = rng.uniform(-0.12, 0.12), rng.uniform(-0.04, 0.04)
    rates, phases = rng.uniform((0.05, 0.5), (0.3, 1.5)), rng.uniform(0, 2 * np.pi, 2)
    return Camera(
        gains=(1 + warm, 1 + tint, 1 - warm),
        vignette=float(rng.uniform(0.1, 0.45)),
        blur=float(rng.uniform(0.001, 0.004)),
        photons=float(np.exp(rng.uniform(math.log(100), math.log(800)))),
        read=float(rng.uniform(0.004, 0.012)),
        flicker=float(rng.uniform(0.01, 0.05)),
        flicker_rates=(float(rates[0]), float(rates[1])),
        flicker_phases=(float(phases[0]), float(phases[1])),
        quality=int(rng.integers(45, 75)),
    )


def check_strength(strength: float) -> float:
    """`strength` as it is; `UserError` unless it lies in [0, 1]."""
    if not 0 <= strength <= 1:
        raise UserError(f"noise must be in [0, 1], but is {strength:g}")
    return strength


def degrade(frames: NDArray[np.uint8], strength: float, seed: int, first: int = 0) -> NDArray[np.uint8]:
    """Frames RGB uint8 [T, H, W, 3] as a camera would record them; `first` is the number of the first one in its clip.

    `strength` in [0, 1]: 0 gives the frames unchanged, 1 a poor webcam; `UserError` elsewhere.
    """
    if check_strength(strength) == 0:
        return frames
    lens = camera(seed)
    return np.stack([_record(frame, strength, lens, seed, first + t) for t, frame in enumerate(frames)])


def _record(frame: NDArray[np.uint8], strength: float, lens: Camera, seed: int, number: int) -> NDArray[np.uint8]:
    import cv2

    h, w = frame.shape[:2]
    rng = np.random.default_rng((seed, 0xF4, number))
    waves = [math.sin(r * number + p) for r, p in zip(lens.flicker_rates, lens.flicker_phases, strict=True)]
    exposure = 1 + strength * lens.flicker * sum(waves) / 2
    gains = 1 + strength * (np.array(lens.gains, np.float32) - 1)
    y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j].astype(np.float32)
    shade = 1 - strength * lens.vignette * (x * x + y * y) / 2
    light = _TO_LINEAR[frame] * (exposure * shade)[..., None] * gains
    sigma = strength * lens.blur * h
    if sigma > 0.05:
        light = cv2.GaussianBlur(light, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    noise = rng.standard_normal(light.shape, np.float32)
    light = light + strength * noise * np.sqrt(np.maximum(light, 0) / lens.photons + lens.read**2)
    picture = _to_srgb(light)
    quality = round(100 - strength * (100 - lens.quality))
    full_colour = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)  # the video halves it anyway
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, *full_colour]
    _, blocks = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), options)
    decoded: NDArray[np.uint8] = cv2.imdecode(blocks, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(decoded[..., ::-1])


def _linear_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """sRGB values in [0, 1] as linear light (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


_TO_LINEAR: Linear = _linear_of(np.arange(256) / 255).astype(np.float32)


def _to_srgb(light: Linear) -> NDArray[np.uint8]:
    clipped = np.clip(light, 0, 1)
    values = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return np.asarray((values * 255).round().astype(np.uint8))
