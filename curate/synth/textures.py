"""All pictures that one person is covered with, packed for the rasteriser."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

from curate.synth import hair, noise, parts, skin_texture
from curate.synth.parameters import Identity
from curate.synth.sculpt import Array, smooth_step

Picture = NDArray[np.float32]
_IRISES = np.array(  # from dark brown over hazel and green to blue and grey
    [
        (0.055, 0.028, 0.014),
        (0.160, 0.085, 0.035),
        (0.140, 0.130, 0.055),
        (0.100, 0.150, 0.100),
        (0.120, 0.190, 0.280),
        (0.220, 0.260, 0.290),
    ]
)


def textures(identity: Identity) -> list[NDArray[np.uint8]]:
    """One picture per material in the order of `parts.MATERIALS`, uint8 [h, w, 3] of 255 sqrt(linear albedo)."""
    named = identity.named
    rng = np.random.default_rng((identity.seed, 0))
    made = {
        "skin": skin_texture.paint(named, rng),
        "plain": _plain(named, rng),
        "eye": _eye(named, rng),
        "mouth": _mouth(rng),
        "hair": _hair(named, rng),
        "body": _body(named, rng),
        "glasses": np.full((4, 4, 3), 0.015 + 0.25 * (1 - named["glasses_dark"]) ** 3) * (1, 0.92, 0.85),
    }
    return [encode(made[name]) for name in parts.MATERIALS]


def encode(albedo: Array | Picture) -> NDArray[np.uint8]:
    """Linear albedo in [0, 1] as texels."""
    return np.asarray(np.sqrt(np.clip(albedo, 0, 1)) * 255 + 0.5, np.uint8)


def half(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture at half its size, averaged in linear light; for small renderings, which would skip texels."""
    h, w = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    linear = (picture[:h, :w].astype(np.float32) / 255) ** 2
    return encode(linear.reshape(h // 2, 2, w // 2, 2, 3).mean(axis=(1, 3)))


def _plain(named: dict[str, float], rng: np.random.Generator) -> Array:
    v, u = np.mgrid[0:96, 0:96] / 95.0
    colour = skin_texture.tone(named) * (1 + 0.04 * noise.octaves(rng, 96, 6, 3))[..., None]
    reach = np.hypot(u - 0.5, v - 0.5) / 0.45
    red = (0.5 + named["skin_redness"]) * (1 - named["skin_melanin"]) * smooth_step(reach, 0.5, 1.0)
    colour = colour * (1 + red[..., None] * np.array([0.02, -0.16, -0.16]))
    hollow = np.exp(-((reach / 0.42) ** 4))[..., None]
    return np.asarray(colour * (1 - hollow * np.array([0.45, 0.55, 0.55])))


def _eye(named: dict[str, float], rng: np.random.Generator) -> Array:
    side = 192
    v, u = np.mgrid[0:side, 0:side] / (side - 1.0) - 0.5
    r, turn = np.hypot(u, v) * parts.EYE_SPAN, np.arctan2(v, u)
    veins = np.abs(noise.smooth(rng, side, side, 14, 14))
    white = np.array([0.50, 0.475, 0.45]) * (1 - 0.10 * smooth_step(r, 6, 11))[..., None]
    vein = 0.25 * np.exp(-((veins / 0.08) ** 2)) * smooth_step(r, 6.5, 10)
    white = white * (1 - vein[..., None] * np.array([0.1, 0.6, 0.6]))
    hue, light = named["iris_hue"], named["iris_lightness"]
    position = np.clip(light * 6 - 0.6 + 1.2 * (hue - 0.5), 0, 5)
    iris = np.array([np.interp(position, range(6), _IRISES[:, k]) for k in range(3)])
    rays = np.stack([noise.smooth(rng, 1, 256, 2, 70)[0], noise.smooth(rng, 1, 256, 2, 30)[0]])
    at = ((turn + np.pi) / (2 * np.pi) * 255).astype(int)
    fibre = 1 + 0.22 * rays[0][at] + 0.15 * rays[1][at]
    ring = 1 + 0.5 * np.exp(-(((r - 2.9) / 0.9) ** 2)) - 0.75 * smooth_step(r, 4.6, 5.9)
    inside = smooth_step(r, 6.2, 5.6)[..., None]
    colour = white * (1 - inside) + inside * iris * (fibre * ring)[..., None]
    pupil = smooth_step(r, 2.15, 1.75)[..., None]
    return np.asarray(colour * (1 - pupil) + 0.004 * pupil)


def _mouth(rng: np.random.Generator) -> Array:
    v, u = np.mgrid[0:128, 0:256] / np.array([127.0, 255.0])[:, None, None]
    t = (u - 0.5) * 2
    widths = np.cumsum([0.17, 0.14, 0.15, 0.15, 0.15])
    edges = np.concatenate([-widths[::-1], [0.0], widths])
    gap = np.min(np.abs(t[..., None] - edges), axis=-1)
    enamel = np.array([0.66, 0.60, 0.50]) * (1 - 0.25 * np.abs(t) ** 2)[..., None]
    teeth = enamel * (0.42 + 0.58 * smooth_step(gap, 0.0, 0.030))[..., None]
    gum = np.array([0.42, 0.15, 0.14])
    scallop = 0.055 + 0.05 * np.cos(np.clip(gap / 0.08, 0, 1) * np.pi / 2)
    upper = smooth_step(v, scallop - 0.01, scallop + 0.012)[..., None]
    lower = smooth_step(v, 0.48 - scallop + 0.012, 0.48 - scallop - 0.01)[..., None]
    colour = np.where((v < 0.25)[..., None], teeth * upper + gum * (1 - upper), teeth * lower + gum * (1 - lower))
    dark = np.array([0.16, 0.035, 0.03]) * np.ones_like(colour)
    colour = np.where((v > 0.5)[..., None], dark, colour)
    tongue = np.array([0.40, 0.13, 0.12]) * (1 + 0.12 * noise.smooth(rng, 128, 256, 40, 80))[..., None]
    return np.asarray(np.where((v > 0.86)[..., None], tongue, colour))


def _hair(named: dict[str, float], rng: np.random.Generator, side: int = 448) -> Array:
    v, u = np.mgrid[0:side, 0:side] / (side - 1.0) - 0.5
    reach, turn = np.hypot(u, v) * 2, np.arctan2(u, v)
    wave = named["hair_curl"] * 0.10 * np.sin(reach * 34 + 3 * noise.smooth(rng, side, side, 5, 5))
    wave = wave + 0.05 * noise.smooth(rng, side, side, 12, 12)
    strands = np.zeros((side, side))
    for count, weight in ((60, 0.5), (150, 0.8), (420, 0.7)):
        row = noise.smooth(rng, 24, 2048, 6, count)
        row[:, -64:] += (row[:, :1] - row[:, -1:]) * np.linspace(0, 1, 64)
        at = (((turn + wave) / (2 * np.pi) + 1) % 1 * 2047).astype(int)
        strands += weight * row[np.clip(reach * 23, 0, 23).astype(int), at]
    clumps = noise.smooth(rng, side, side, 9, 9)
    curls = named["hair_curl"] * noise.smooth(rng, side, side, 60, 60)
    tint = hair.colour(named)
    grey = np.array([0.45, 0.45, 0.46])
    colour = tint * np.exp(0.34 * strands + 0.10 * clumps + 0.30 * curls)[..., None]
    some = named["hair_grey"] * smooth_step(strands, -0.2, 1.2) * 0.5
    line = (named["hair_parting"] - 0.5) * 0.5
    part = np.exp(-(((u - line) / 0.006) ** 2)) * (v > -0.05) * smooth_step(np.array(named["hair_length"]), 0.15, 0.4)
    colour = colour * (1 - some[..., None]) + some[..., None] * grey
    return np.asarray(np.clip(colour * (1 - 0.55 * part[..., None]), 0.003, 0.9))


def _body(named: dict[str, float], rng: np.random.Generator, side: int = 256) -> Array:
    v, u = np.mgrid[0:side, 0:side] / (side - 1.0)
    around = np.abs(u - 0.5) * 2  # 0 in front
    skin = skin_texture.tone(named) * (1 + 0.03 * noise.octaves(rng, side, 8, 3))[..., None]
    hue, light, saturation = named["clothes_hue"], named["clothes_lightness"], named["clothes_saturation"]
    cloth = np.array(colorsys.hsv_to_rgb(hue, 0.85 * saturation, 0.03 + 0.85 * light)) ** 1.8
    other = np.array(colorsys.hsv_to_rgb((hue + 0.45) % 1, 0.6 * saturation, 0.95 - 0.8 * light)) ** 1.8
    kind = int(rng.integers(6))
    weave = np.zeros((side, side))
    if kind == 1:
        weave = (np.sin(u * 2 * np.pi * 60) > 0.55) * 0.8
    elif kind == 2:
        weave = (np.sin(v * 2 * np.pi * 24) > 0.2) * 0.8
    elif kind == 3:
        weave = 0.5 * (np.sin(u * 2 * np.pi * 40) > 0.5) + 0.4 * (np.sin(v * 2 * np.pi * 22) > 0.5)
    colour = cloth * (1 - weave[..., None]) + other * weave[..., None]
    folds = 0.05 * noise.octaves(rng, side, 30, 3) + 0.12 * noise.smooth(rng, side, side, 10, 7)
    colour = colour * np.exp(folds)[..., None]
    collar = named["clothes_collar"]
    height = 0.22 + 0.10 * (1 - collar)
    opening = 0.16 * (1 - collar) * smooth_step(around, 0.30, 0.0) * (1.6 if kind in (0, 4) else 0.7)
    border = height + opening
    covered = smooth_step(v, border - 0.006, border + 0.006)[..., None]
    seam = 1 - 0.45 * np.exp(-(((v - border - 0.012) / 0.010) ** 2))[..., None]
    return np.asarray(np.clip(skin * (1 - covered) + colour * covered * seam, 0.003, 0.92))
