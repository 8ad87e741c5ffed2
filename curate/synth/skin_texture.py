"""The skin's colours, painted once per person: tone, lips, brows, beard, lashes, freckles, lines."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from curate.synth import hair, noise, parts, raster, sculpt, template
from curate.synth.sculpt import Array, bump, smooth_step

Picture = NDArray[np.float32]
SIDE = 640

_TONES = np.array(
    [(0.74, 0.49, 0.39), (0.60, 0.37, 0.265), (0.385, 0.215, 0.135), (0.185, 0.092, 0.055), (0.070, 0.034, 0.022)]
)


@lru_cache(maxsize=2)
def _places(side: int) -> tuple[Picture, Picture, Picture]:
    """For every texel of the skin's texture: x and y on the mean face's plane, z; far away where there is no skin."""
    skin = template.skin()
    uv = parts.skin_uv(skin.chart) * side
    flat = np.concatenate([uv, np.zeros((len(uv), 1))], axis=1).astype(np.float32)
    both = np.ones(len(skin.triangles), np.uint8)
    ids, _ = raster.visible(flat, skin.triangles, both, side, side)
    values = np.concatenate([skin.plane, skin.points[:, 2:]], axis=1)
    texel = np.argwhere(ids >= 0)
    corners = skin.triangles[ids[texel[:, 0], texel[:, 1]]]
    a, b, c = (flat[corners[:, k], :2].astype(np.float64) for k in range(3))
    p = texel[:, ::-1] + 0.5
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    wa = ((b[:, 0] - p[:, 0]) * (c[:, 1] - p[:, 1]) - (b[:, 1] - p[:, 1]) * (c[:, 0] - p[:, 0])) / area
    wb = ((c[:, 0] - p[:, 0]) * (a[:, 1] - p[:, 1]) - (c[:, 1] - p[:, 1]) * (a[:, 0] - p[:, 0])) / area
    weights = np.stack([wa, wb, 1 - wa - wb], axis=1)
    out = np.full((3, side, side), np.nan)
    out[:, texel[:, 0], texel[:, 1]] = np.einsum("nk,nkd->dn", weights, values[corners])
    return _fill(out[0]), _fill(out[1]), _fill(out[2])


def _fill(picture: Array) -> Picture:
    """Texels beside the skin take the value of their nearest texel with skin, for the bilinear look-up."""
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(np.isnan(picture), return_distances=False, return_indices=True)
    return np.asarray(picture[tuple(nearest)], np.float32)


def tone(named: dict[str, float]) -> Array:
    """Linear RGB of the bare skin."""
    m = named["skin_melanin"] * 4
    base = np.array([np.interp(m, range(5), _TONES[:, k]) for k in range(3)])
    red, yellow = named["skin_redness"] - 0.5, named["skin_yellow"] - 0.5
    return np.asarray(
        base * (1 + 0.10 * red, 1 - 0.14 * red, 1 - 0.12 * red) * (1, 1 + 0.03 * yellow, 1 - 0.20 * yellow)
    )


class _Paint:
    def __init__(self, named: dict[str, float], rng: np.random.Generator, side: int) -> None:
        self.named = named
        self.rng = rng
        self.x, self.y, self.z = _places(side)
        self.ax = np.abs(self.x)
        self.front = smooth_step(self.z, 0, 45).astype(np.float32)
        self.colour = np.broadcast_to(tone(named).astype(np.float32), (side, side, 3)).copy()

    def g(self, cx: float, cy: float, rx: float, ry: float) -> Array:
        return bump(self.ax, self.y, cx, cy, rx, ry) * self.front

    def mix(self, weight: Array, colour: Array | tuple[float, float, float]) -> None:
        """Cover with a colour."""
        w = np.clip(weight, 0, 1).astype(np.float32)[..., None]
        self.colour += w * (np.asarray(colour, np.float32) - self.colour)

    def scale(self, weight: Array, factor: tuple[float, float, float]) -> None:
        """Multiply by a factor where the weight is 1, by less where it is less."""
        w = weight.astype(np.float32)[..., None]
        self.colour *= 1 + w * (np.asarray(factor, np.float32) - 1)


def paint(named: dict[str, float], rng: np.random.Generator, side: int = SIDE) -> Picture:
    """Linear albedo [side, side, 3] of a person's skin in the layout of `parts.skin_uv`."""
    p = _Paint(named, rng, side)
    _blotches(p)
    _age(p)
    _lips(p)
    _eyes(p)
    _marks(p)
    _beard(p)
    _brows(p)
    _scalp(p)
    return np.clip(p.colour, 0.002, 0.95)


def _blotches(p: _Paint) -> None:
    side = len(p.x)
    dark = p.named["skin_melanin"]
    p.colour *= (1 + 0.045 * noise.octaves(p.rng, side, 12, 4, 0.7))[..., None]
    fine = noise.smooth(p.rng, side, side, side // 2, side // 2)
    p.colour *= (1 + 0.03 * fine)[..., None]
    red = 0.5 + p.named["skin_redness"]
    patches = noise.octaves(p.rng, side, 20, 3)
    p.scale(red * (0.10 + 0.04 * patches), (1.10, 0.86, 0.86))
    blush = 0.9 * p.g(43, -6, 19, 17) + 0.9 * p.g(0, -11, 11, 9) + 0.4 * p.g(0, -74, 14, 10) + 0.25 * p.g(0, 60, 40, 20)
    p.scale(0.75 * blush * red * (1 - 0.6 * dark), (1.02, 0.83, 0.83))
    p.scale(0.5 * p.g(30, 20, 22, 14), (0.93, 0.88, 0.90))
    p.scale(np.exp(-(((p.ax - 6.4) / 3.0) ** 2) - (((p.y + 19.2) / 1.7) ** 2)) * p.front, (0.10, 0.07, 0.07))
    p.scale(
        0.6
        * np.exp(-(((np.hypot((p.ax - 12.4) / 6.2, (p.y + 13.2) / 7.4) - 1.05) / 0.16) ** 2))
        * (p.ax > 8)
        * p.front,
        (0.80, 0.70, 0.70),
    )


def _age(p: _Paint) -> None:
    age = float(smooth_step(np.array(p.named["age"]), 0.35, 1.0))
    wobble = 1.6 * noise.smooth(p.rng, len(p.x), len(p.x), 9, 9)
    lines = np.zeros_like(p.x, dtype=np.float64)
    for height, strength in ((58, 0.8), (66, 1.0), (74, 0.7)):
        line = np.exp(-(((p.y - height - wobble * 1.5 - 0.002 * p.ax**2) / 0.9) ** 2))
        lines += strength * line * smooth_step(p.ax, 44, 25)
    fold = 17.0 + (-14.0 - p.y) * 0.44
    lines += (
        1.5
        * np.exp(-(((p.ax - fold - wobble * 0.5) / 1.6) ** 2))
        * smooth_step(p.y, -46, -36)
        * smooth_step(p.y, -11, -19)
    )
    for slope in (-0.45, 0.0, 0.45):
        crow = p.y - 25.0 - slope * (p.ax - 48)
        lines += 0.8 * np.exp(-((crow / 0.7) ** 2)) * smooth_step(p.ax, 48, 52) * smooth_step(p.ax, 64, 56)
    bag = p.y - 13.5 - 0.012 * (p.ax - 31) ** 2
    lines += 0.9 * np.exp(-((bag / 1.1) ** 2)) * smooth_step(p.ax, 46, 38) * smooth_step(p.ax, 17, 22)
    lines += (
        0.9
        * np.exp(-(((p.ax - 7.5 - 0.08 * (p.y - 40)) / 0.9) ** 2))
        * smooth_step(p.y, 36, 40)
        * smooth_step(p.y, 54, 48)
    )
    p.scale(0.75 * np.clip(age * lines, 0, 1.2) * p.front, (0.78, 0.70, 0.68))
    spots = noise.octaves(p.rng, len(p.x), 40, 2)
    p.scale(0.5 * age * smooth_step(spots, 1.2, 2.0) * p.front, (0.80, 0.70, 0.64))


def _lips(p: _Paint) -> None:
    n = p.named
    line = sculpt.lip_line(p.x)
    up = smooth_step(sculpt.upper_lip_edge(p.x) - p.y, -0.5, 0.9) * smooth_step(p.y - line, -2.5, -1.5)
    down = smooth_step(p.y - sculpt.lower_lip_edge(p.x), -0.5, 1.2) * smooth_step(line - p.y, -2.5, -1.5)
    inside = np.maximum(up * (p.y >= line), down * (p.y < line)) * smooth_step(p.ax, 26.5, 24.0) * p.front
    bare = tone(n)
    natural = bare * (0.92, 0.62, 0.62) * (1 - 0.25 * n["lip_dark"])
    painted = np.array([0.42, 0.07, 0.085]) * (1.15 - 0.6 * n["lip_dark"])
    strength = float(smooth_step(np.array(n["lip_red"]), 0.35, 1.0))
    creases = noise.smooth(p.rng, len(p.x), len(p.x), len(p.x) // 8, len(p.x) // 2)
    tint = (1 - strength) * natural + strength * (0.35 * natural + 0.65 * painted)
    p.mix(0.88 * inside, tint)
    p.scale(inside, (1 - 0.05, 1 - 0.05, 1 - 0.05))
    p.colour *= (1 + (0.07 * inside * creases))[..., None].astype(np.float32)
    seam = np.exp(-(((p.y - line) / 0.8) ** 2)) * smooth_step(p.ax, 26.5, 24.5) * p.front
    p.scale(seam, (0.42, 0.30, 0.30))


def _eyes(p: _Paint) -> None:
    n = p.named
    inner, outer = sculpt.EYE[0] - 14.2, sculpt.EYE[0] + 14.2
    u = np.clip((p.ax - inner) / (outer - inner), 0, 1)
    line = 24.6 + 2.0 * u
    top = line + 6.1 * np.power(np.clip(np.sin(np.pi * u**0.88), 0, 1), 0.72)
    low = line - 4.6 * np.power(np.clip(np.sin(np.pi * u**1.12), 0, 1), 0.80)
    beside = smooth_step(p.ax, inner - 1.5, inner + 1.5) * smooth_step(p.ax, outer + 3.0, outer - 0.5) * p.front
    over, under = p.y - top, low - p.y
    thick = 0.9 + 1.2 * n["eyeliner"]
    lashes = np.exp(-((np.maximum(over, 0) / thick) ** 2)) * (over > -4) * beside * (0.55 + 0.45 * u)
    p.mix((0.72 + 0.25 * n["eyeliner"]) * lashes, (0.012, 0.009, 0.008))
    lower = np.exp(-((np.maximum(under, 0) / (0.5 + 0.4 * n["eyeliner"])) ** 2)) * (under > -4) * beside
    p.mix((0.30 + 0.3 * n["eyeliner"]) * lower, (0.05, 0.025, 0.02))
    crease = p.y - top - 3.6
    p.scale(0.5 * np.exp(-((crease / 0.9) ** 2)) * beside, (0.72, 0.62, 0.60))
    shadow = float(smooth_step(np.array(n["eyeliner"]), 0.6, 1.0))
    p.scale(0.6 * shadow * smooth_step(over, 0, 1) * smooth_step(over, 8, 3) * beside, (0.62, 0.52, 0.58))
    p.scale((0.25 + 0.75 * n["dark_circles"]) * 0.55 * p.g(30, 15.5, 13, 5), (0.72, 0.64, 0.70))


def _marks(p: _Paint) -> None:
    n, side = p.named, len(p.x)
    if n["freckles"] > 0.15:
        speckle = noise.octaves(p.rng, side, 90, 2, 0.8)
        area = 1.1 * p.g(24, 2, 34, 20) + 0.5 * p.g(0, 60, 40, 25) + 0.2 * p.front
        p.scale(n["freckles"] * area * smooth_step(speckle, 0.7, 1.6), (0.72, 0.58, 0.46))
    for _ in range(int(n["moles"] ** 2 * 9)):
        x, y = p.rng.uniform(-55, 55), p.rng.uniform(-75, 75)
        radius = p.rng.uniform(0.5, 1.5)
        p.mix(0.85 * np.exp(-np.power(np.hypot(p.x - x, p.y - y) / radius, 4)) * p.front, tone(n) * (0.28, 0.18, 0.15))


def _beard(p: _Paint) -> None:
    n, side = p.named, len(p.x)
    if max(n["beard"], n["moustache"], n["stubble"]) < 0.05:
        return
    wobble = 2.5 * noise.smooth(p.rng, side, side, 30, 30)
    line = np.interp(p.ax, (0, 18, 30, 45, 58, 70), (-56, -52, -36, -26, -12, 8))
    chin = smooth_step(line - p.y + wobble, -6, 9) * smooth_step(p.z, -12, 10)
    edge_u, edge_l = sculpt.upper_lip_edge(p.x), sculpt.lower_lip_edge(p.x)
    arch = -22.0 - 0.012 * p.ax**2 + 0.5 * wobble
    lip = smooth_step(p.y - edge_u, 0.5, 2.5) * smooth_step(p.y, arch, arch - 5) * smooth_step(p.ax, 33, 24)
    beside = smooth_step(p.ax, 23, 28) * smooth_step(p.y, -30, -40) * smooth_step(p.ax, 42, 30)
    soul = 0.7 * smooth_step(p.ax, 7, 4) * smooth_step(edge_l - p.y, 0.5, 2)
    outside_lips = 1 - smooth_step(p.y, edge_l - 1.0, edge_l + 0.5) * smooth_step(p.y, edge_u + 1.0, edge_u - 0.5) * (
        p.ax < 26
    )
    beard = np.maximum(np.maximum(chin, beside), soul * chin) * outside_lips
    strands = noise.smooth(p.rng, side, side, side // 5, side // 2) * 0.5 + 0.5 * noise.smooth(
        p.rng, side, side, side // 2, side // 2
    )
    tint = hair.colour(n) * 0.9
    grow = np.clip(0.75 + 0.35 * strands, 0, 1)
    full = np.maximum(
        beard * smooth_step(np.array(n["beard"]), 0.0, 0.6), lip * smooth_step(np.array(n["moustache"]), 0.0, 0.6)
    )
    dots = smooth_step(noise.smooth(p.rng, side, side, side, side), 0.1, 1.2)
    shadow = np.maximum(np.maximum(beard, lip), 0.0) * n["stubble"] * (1 - full)
    p.mix(shadow * (0.14 + 0.34 * dots), tint * 0.7 + 0.012)
    p.mix(0.93 * full * grow, tint * (1 + 0.0))
    p.colour *= (1 + 0.35 * full * np.clip(strands, -1.5, 1.5))[..., None].astype(np.float32)


def _brows(p: _Paint) -> None:
    n, side = p.named, len(p.x)
    start, end = 10.5 + 3.0 * (1 - n["brow_length"]), 45.0 + 5.0 * n["brow_length"]
    s = np.clip((p.ax - start) / (end - start), 0, 1)
    arch = 2.0 + 5.5 * n["brow_arch"]
    centre = 42.3 + arch * np.sin(np.pi * np.clip(s, 0, 1) ** 1.35 * 0.86) + 1.5 * s
    half = (2.0 + 3.0 * n["brow_thickness"]) * np.power(1 - s, 0.45) * (0.75 + 0.25 * smooth_step(s, 0, 0.15)) + 0.15
    ragged = noise.smooth(p.rng, side, side, side // 5, side // 5)
    body = np.exp(-np.power(np.abs(p.y - centre) / (half * (1 + 0.18 * ragged)), 3.0))
    ends = smooth_step(p.ax, start - 2.5, start + 3.5) * smooth_step(p.ax, end + 2.0, end - 5)
    across = (p.ax * 0.9 - (p.y - centre) * 1.1) / 0.55
    strands = 0.5 + 0.5 * np.sin(across + 2.2 * ragged)
    weight = body * ends * p.front * (0.62 + 0.38 * n["brow_darkness"]) * (0.72 + 0.28 * strands)
    p.mix(np.clip(weight * 1.15, 0, 0.95), hair.colour({**n, "hair_grey": 0.6 * n["hair_grey"]}) * 0.65 + 0.004)


def _scalp(p: _Paint) -> None:
    side = len(p.x)
    points = np.stack([p.x.ravel(), p.y.ravel(), p.z.ravel()], axis=1).astype(np.float64)
    inside = hair.depth_in_hair(points, p.named).reshape(side, side)
    ragged = 1.3 * noise.smooth(p.rng, side, side, side // 3, side // 3)
    weight = smooth_step(inside + ragged, -6.5, 2.5)
    thin = 1 - 0.75 * smooth_step(np.array(p.named["baldness"]), 0.3, 0.6) * smooth_step(p.y, 70, 100) * (inside < 0)
    p.mix(0.92 * weight * thin, hair.colour(p.named))
    p.scale(0.5 * np.exp(-((inside / 6.0) ** 2)) * smooth_step(p.y, 10, 40), (0.72, 0.68, 0.66))
