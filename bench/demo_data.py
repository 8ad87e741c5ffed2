"""Short talking-head videos with known motion for the demo and the tests, made from scikit-image's astronaut portrait.

NASA's portrait of Eileen Collins is in the public domain. Four "people" are its variants in mirror, colour and face
shape. Each is animated by a smooth backward warp: the head moves, tilts, nods, turns and grows over a background that
stays, and the mouth opens. Everything is a function of the seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate import video

FPS = 25
AUDIO_RATE = 16_000

# Where things are in the 512 x 512 portrait, in its pixels (x, y).
_CROP_LEFT, _CROP_TOP, _CROP_SIDE = 92, 0, 264
_HEAD, _NOSE, _MOUTH = np.array([[224.0, 112.0], [224.0, 125.0], [223.0, 143.0]], np.float32)

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class _Person:
    mirror: bool
    colour: tuple[float, float, float]  # gains of red, green, blue
    gamma: float
    stretch: float  # of the face's width
    backdrop: tuple[int, int, int]  # mixed into what lies beside the head


_PEOPLE = (
    _Person(mirror=False, colour=(1.0, 1.0, 1.0), gamma=1.0, stretch=0.0, backdrop=(150, 150, 150)),
    _Person(mirror=True, colour=(0.86, 0.98, 1.08), gamma=1.15, stretch=0.10, backdrop=(60, 95, 150)),
    _Person(mirror=False, colour=(1.04, 0.90, 0.74), gamma=1.45, stretch=-0.10, backdrop=(70, 120, 80)),
    _Person(mirror=True, colour=(1.08, 1.02, 0.90), gamma=0.80, stretch=0.05, backdrop=(165, 90, 70)),
)


@dataclass(frozen=True)
class _Shot:
    person: int
    motion: int  # which of the random motions


@dataclass(frozen=True)
class _Video:
    name: str
    shots: tuple[_Shot, ...]
    sound: bool = False


_VIDEOS = (
    _Video("person1-a", (_Shot(0, 0),), sound=True),
    _Video("person1-b", (_Shot(0, 1),)),
    _Video("person2-a", (_Shot(1, 2),)),
    _Video("person3-a", (_Shot(2, 3),)),
    _Video("person4-a", (_Shot(3, 4),)),
    _Video("two-shots", (_Shot(3, 5), _Shot(2, 6))),  # a hard cut in the middle
)


def make_videos(folder: Path, *, seconds: float = 3.0, size: int = 384, seed: int = 0) -> list[Path]:
    """Write six square videos of `size` pixels at 25 fps into `folder` and give their paths.

    One has sound (a 220 Hz tone), one has a hard cut in the middle, and two show one person. The same arguments give
    the same frames. Raises `ValueError` for less than 0.4 seconds, or a side that is odd or below 128 pixels.
    """
    if seconds < 0.4 or size < 128 or size % 2:
        raise ValueError(f"expected seconds >= 0.4 and an even size >= 128, got seconds={seconds} and size={size}")
    folder.mkdir(parents=True, exist_ok=True)
    frames = round(seconds * FPS)
    paths = []
    for item in _VIDEOS:
        path = folder / f"{item.name}.mp4"
        tone = 0.2 * np.sin(2 * np.pi * 220 * np.arange(round(frames / FPS * AUDIO_RATE)) / AUDIO_RATE)
        sound = (tone.astype(np.float32), AUDIO_RATE) if item.sound else None
        video.write_video(path, _frames(item, frames, size, seed), FPS, sound=sound)
        paths.append(path)
    return paths


def _frames(item: _Video, count: int, size: int, seed: int) -> Iterator[Image]:
    ends = np.linspace(0, count, len(item.shots) + 1).round().astype(int)
    for shot, start, end in zip(item.shots, ends, ends[1:], strict=False):
        portrait = _portrait(_PEOPLE[shot.person], size)
        curve = _Motion(np.random.default_rng((seed, shot.motion)))
        for t in np.arange(start, end) / FPS:
            yield _animate(portrait, curve, float(t))


def _to_frame(point: NDArray[np.float32], size: int, mirror: bool) -> NDArray[np.float32]:
    """A point of the 512 x 512 portrait in pixels of the video frame."""
    x, y = (point - np.array([_CROP_LEFT, _CROP_TOP], np.float32)) * (size / _CROP_SIDE)
    return np.array([size - 1 - x if mirror else x, y], np.float32)


@dataclass(frozen=True)
class _Portrait:
    image: Image
    head: NDArray[np.float32]  # points in pixels of the image
    nose: NDArray[np.float32]
    mouth: NDArray[np.float32]


def _portrait(person: _Person, size: int) -> _Portrait:
    import cv2
    from skimage import data

    crop = data.astronaut()[_CROP_TOP : _CROP_TOP + _CROP_SIDE, _CROP_LEFT : _CROP_LEFT + _CROP_SIDE]
    image = cv2.resize(np.ascontiguousarray(crop), (size, size), interpolation=cv2.INTER_CUBIC)
    if person.mirror:
        image = np.ascontiguousarray(image[:, ::-1])
    head, nose, mouth = (_to_frame(point, size, person.mirror) for point in (_HEAD, _NOSE, _MOUTH))
    x, y = _pixel_grid(size)
    near = _bump(x, y, head, 0.17 * size, 0.22 * size)
    image = _resample(image, x - person.stretch * (x - head[0]) * near, y)
    shade = 255 * np.power(image / 255.0, person.gamma) * np.array(person.colour)
    beside = np.clip(np.hypot((x - head[0]) / (0.3 * size), (y - head[1]) / (0.4 * size)) - 1, 0, 1)
    beside *= np.clip((0.62 * size - y) / (0.15 * size), 0, 1)  # shoulders keep their colour
    mixed = shade + 0.6 * beside[..., None] * (np.array(person.backdrop) - shade)
    return _Portrait(np.clip(mixed.round(), 0, 255).astype(np.uint8), head, nose, mouth)


class _Motion:
    """Each coefficient is a sum of two slow sines, in [-1, 1]; phases and rates come from the generator."""

    NAMES = ("shift_x", "shift_y", "roll", "yaw", "nod", "grow", "mouth")

    def __init__(self, rng: np.random.Generator) -> None:
        shape = (len(self.NAMES), 2)
        self.rate = rng.uniform((0.2, 0.5), (0.5, 0.9), shape)  # Hz
        self.phase = rng.uniform(0, 2 * np.pi, shape)

    def __call__(self, t: float) -> dict[str, float]:
        values = (np.sin(2 * np.pi * self.rate * t + self.phase) * (0.7, 0.3)).sum(axis=1)
        return dict(zip(self.NAMES, values.tolist(), strict=True))


def _animate(portrait: _Portrait, motion: _Motion, t: float) -> Image:
    """The portrait at time t: for every pixel, where in the still picture its colour comes from."""
    size = len(portrait.image)
    x, y = _pixel_grid(size)
    now = motion(t)
    head, nose, mouth = portrait.head, portrait.nose, portrait.mouth

    # The whole head: similarity about the neck, fading out over the background and the shoulders.
    centre = head + np.array([0.05 * size * now["shift_x"], 0.035 * size * now["shift_y"]], np.float32)
    weight = _bump(x, y, centre, 0.22 * size, 0.27 * size)
    angle, scale = math.radians(9 * now["roll"]), 1 - 0.06 * now["grow"]
    dx, dy = x - centre[0], y - centre[1]
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    from_x, from_y = head[0] + cos * dx + sin * dy, head[1] - sin * dx + cos * dy
    from_x, from_y = x + weight * (from_x - x), y + weight * (from_y - y)

    # Turning and nodding: the middle of the face moves against its rim.
    inner = _bump(from_x, from_y, nose, 0.11 * size, 0.14 * size)
    from_x, from_y = from_x - 0.035 * size * now["yaw"] * inner, from_y - 0.03 * size * now["nod"] * inner

    # The jaw drops; what lies between the lips is stretched and darkened.
    opening = 0.035 * size * max(0.0, now["mouth"])
    below = _bump(from_x, from_y, mouth + np.array([0, 0.05 * size], np.float32), 0.08 * size, 0.09 * size)
    from_y = from_y - opening * below / (1 + np.exp(-(from_y - mouth[1]) / (0.012 * size)))
    frame = _resample(portrait.image, from_x, from_y)
    gap = _bump(from_x, from_y, mouth, 0.05 * size, 0.008 * size) * opening / (0.035 * size)
    return np.clip((frame * (1 - 0.75 * gap[..., None])).round(), 0, 255).astype(np.uint8)


def _resample(image: Image, x: NDArray[np.float32], y: NDArray[np.float32]) -> Image:
    import cv2

    maps = x.astype(np.float32), y.astype(np.float32)
    resampled: Image = cv2.remap(image, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return resampled


def _pixel_grid(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    y, x = np.mgrid[:size, :size].astype(np.float32)
    return x, y


def _bump(
    x: NDArray[np.float32], y: NDArray[np.float32], centre: NDArray[np.float32], radius_x: float, radius_y: float
) -> NDArray[np.float32]:
    """A smooth weight: 1 in the middle of an ellipse, a half at about its radii, 0 far away."""
    distance = ((x - centre[0]) / radius_x) ** 2 + ((y - centre[1]) / radius_y) ** 2
    weight: NDArray[np.float32] = np.exp(-math.log(2) * distance * distance)
    return weight
