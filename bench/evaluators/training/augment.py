"""What cameras, codecs and hands do to a picture, drawn for each training crop: rendered crops are far too clean.

Everything works on one uint8 RGB picture [S, S, 3] and a generator, so a crop is the same in whatever batch it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

_NOISE = np.random.default_rng(20).standard_normal((1 << 21) + (1 << 18)).astype(np.float32)  # drawn once: it is slow
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Strength:
    """How often a disturbance is met, as a probability."""

    colour: float = 0.9
    grey: float = 0.08
    blur: float = 0.3
    coarse: float = 0.3
    noise: float = 0.4
    blocks: float = 0.4
    patch: float = 0.35
    texture: float = 0.2


NORMAL = Strength()
MILD = Strength(colour=0.8, blur=0.2, coarse=0.2, noise=0.3, blocks=0.3, patch=0.2)  # where details matter


def disturb(rng: np.random.Generator, picture: Picture, strength: Strength = NORMAL) -> Picture:
    """A disturbed copy; each disturbance is drawn with its probability."""
    chance = rng.random(8)
    if chance[0] < strength.colour:
        picture = _colour(rng, picture)
    if chance[1] < strength.grey:
        picture = np.repeat(np.rint(picture @ _LUMA).astype(np.uint8)[..., None], 3, axis=2)
    if chance[2] < strength.patch:
        picture = _patch(rng, picture)
    if chance[3] < strength.texture:
        picture = _texture(rng, picture)
    if chance[4] < strength.blur:
        picture = blur(picture, rng.uniform(0.4, 1.8))
    if chance[5] < strength.coarse:
        picture = _coarse(rng, picture)
    if chance[6] < strength.noise:
        picture = noise(rng, picture, rng.uniform(1, 14))
    if chance[7] < strength.blocks:
        picture = blocks(picture, int(rng.integers(20, 90)))
    return picture


def blur(picture: Picture, sigma: float) -> Picture:
    """Gaussian blur of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def noise(rng: np.random.Generator, picture: Picture, sigma: float) -> Picture:
    """Gaussian noise of `sigma` grey levels, the same for the three channels in a third of the cases."""
    side = picture.shape[0]
    grey = rng.random() < 1 / 3
    count = side * side * (1 if grey else 3)
    start = int(rng.integers(0, len(_NOISE) - count))
    grain = _NOISE[start : start + count].reshape(side, side, -1)
    return np.asarray(np.clip(np.rint(picture + sigma * grain), 0, 255), np.uint8)


def blocks(picture: Picture, quality: int) -> Picture:
    """JPEG compression."""
    coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)  # colours keep their order: RGB in, RGB out


def _colour(rng: np.random.Generator, picture: Picture) -> Picture:
    """Another exposure, contrast, gamma and white balance, as one table for each channel; then another saturation."""
    level = np.arange(256, dtype=np.float32) / 255
    gains = np.exp(rng.normal(0, 0.22) + rng.normal(0, 0.08, 3))
    gamma, contrast, lift = np.exp(rng.normal(0, 0.22)), np.exp(rng.normal(0, 0.2)), rng.normal(0, 0.05)
    curves = [0.5 + contrast * ((gain * level) ** gamma - 0.5) + lift for gain in gains]
    table = np.clip(np.rint(np.stack(curves, axis=1) * 255), 0, 255).astype(np.uint8)
    picture = np.asarray(cv2.LUT(picture, table[None]), np.uint8)
    if rng.random() < 0.5:
        amount = np.float32(rng.uniform(0.3, 1.5))
        mix = amount * np.eye(3, dtype=np.float32) + (1 - amount) * np.tile(_LUMA, (3, 1))
        picture = np.asarray(cv2.transform(picture, mix), np.uint8)
    return picture


def _coarse(rng: np.random.Generator, picture: Picture) -> Picture:
    """As if it came from a smaller picture."""
    side = picture.shape[0]
    small = max(8, int(side * rng.uniform(0.3, 0.85)))
    ways = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA)
    shrunk = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (side, side), interpolation=ways[rng.integers(3)]), np.uint8)


def _patch(rng: np.random.Generator, picture: Picture) -> Picture:
    """One or two things before the face, tilted ellipses and boxes of one colour; or a strip of black at an edge."""
    picture = picture.copy()
    side = picture.shape[0]
    for _ in range(int(rng.integers(1, 3))):
        centre = rng.uniform(0, side, 2)
        size = side * rng.uniform(0.05, 0.22, 2)
        colour = [int(value) for value in rng.integers(0, 256, 3)]
        rectangle = (centre.tolist(), (2 * size).tolist(), float(rng.uniform(0, 180)))
        if rng.random() < 0.5:
            cv2.ellipse(picture, rectangle, colour, -1, cv2.LINE_AA)
        else:
            corners = np.rint(cv2.boxPoints(rectangle)).astype(np.int32)
            cv2.fillConvexPoly(picture, corners, colour, cv2.LINE_AA)
    if rng.random() < 0.2:  # a crop reaches over the frame's edge, where `warp` gives black
        edge = int(side * rng.uniform(0.03, 0.25))
        turned = np.rot90(picture, int(rng.integers(4)))  # a view: the strip is at any of the four edges
        turned[:edge] = 0
    return picture


def _texture(rng: np.random.Generator, picture: Picture) -> Picture:
    """Light and shade that no scene of the renderer has: a smooth random field multiplies the picture."""
    side = picture.shape[0]
    knots = int(rng.integers(2, 6))
    field = np.exp(rng.normal(0, 0.25, (knots, knots, 1)) + rng.normal(0, 0.06, (knots, knots, 3))).astype(np.float32)
    smooth = cv2.resize(field, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(picture * smooth, 0, 255), np.uint8)
