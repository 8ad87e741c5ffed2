"""What is behind a head: a soft picture drawn from a seed (wall, gradient, blurred room, window), linear light."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from curate.synth import noise
from curate.synth.noise import Picture


def background(seed: int, brightness: float, size: int) -> Picture:
    """[size, size, 3] linear light; the same picture at every size, up to sampling."""
    rng = np.random.default_rng((seed, 1))
    side = 256
    v, u = np.mgrid[0:side, 0:side] / (side - 1.0)
    hue, saturation = rng.random(), rng.random() ** 1.5 * 0.5
    first = np.array(colorsys.hsv_to_rgb(hue, saturation, 0.9)) ** 2.0
    second = np.array(colorsys.hsv_to_rgb((hue + rng.uniform(-0.2, 0.2)) % 1, saturation * rng.random(), 0.7)) ** 2.0
    slope = rng.uniform(-1, 1, 2)
    t = 1 / (1 + np.exp(-3 * ((u - 0.5) * slope[0] + (v - 0.5) * slope[1])))
    picture = first * (1 - t[..., None]) + second * t[..., None]
    kind = int(rng.integers(4))
    if kind >= 1:
        for _ in range(int(rng.integers(3, 14))):
            x, y, w, h = rng.random(), rng.random(), rng.uniform(0.04, 0.5), rng.uniform(0.04, 0.7)
            shade = np.array(colorsys.hsv_to_rgb(rng.random(), rng.random() ** 2 * 0.7, rng.random())) ** 2.0
            if kind == 3 and rng.random() < 0.6:
                inside = (((u - x) / (w * 0.3)) ** 2 + ((v - y) / (w * 0.3)) ** 2 < 1).astype(float)
            else:
                inside = ((np.abs(u - x) < w / 2) & (np.abs(v - y) < h / 2)).astype(float)
            alpha = rng.uniform(0.3, 0.95)
            picture = picture * (1 - alpha * inside[..., None]) + alpha * inside[..., None] * shade
        blur = float(rng.uniform(1.0, 11.0))
        picture = cv2.GaussianBlur(picture, (0, 0), blur, borderType=cv2.BORDER_REFLECT)
    picture = picture * np.exp(0.06 * noise.octaves(rng, side, 6, 4, 0.7))[..., None]
    picture = picture * (brightness * 1.1 / max(float(picture.mean()) * 2.2, 0.2))
    method = cv2.INTER_AREA if size < side else cv2.INTER_CUBIC
    resized = cv2.resize(picture.astype(np.float32), (size, size), interpolation=method)
    return np.ascontiguousarray(np.clip(resized, 0.001, 1.8), np.float32)
