"""Where a person's hair grows and how far it stands off."""

from __future__ import annotations

import numpy as np

from curate.synth import parts, sculpt
from curate.synth.sculpt import Array, smooth_step

HairTraits = dict[str, float]


def depth_in_hair(points: Array, named: HairTraits) -> Array:
    """How far [N] in mm points [N, 3] of the mean scalp lie inside the hairline (negative: outside)."""
    ax, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    height = 93.0 - 16.0 * named["hairline"] - 30.0 * named["hair_fringe"]
    parting = (named["hair_parting"] - 0.5) * 14 * np.tanh(points[:, 0] / 20)
    recede = 0.010 + 0.012 * named["baldness"]
    front = y - height - parting + recede * ax**2 * (1 - named["hair_fringe"])
    side_z = np.interp(y, (-60, -8, 2, 12, 28, 50, 75), (-40, -22, 0, 14, 22, 34, 52))
    side = side_z - z
    inside = sculpt.smooth_max(front, side, 3.0)
    bald = named["baldness"]
    over = y + 0.6 * np.maximum(points[:, 2], 0)
    top = smooth_step(over, 120 - 60 * bald, 132 - 60 * bald) * smooth_step(np.array(bald), 0.2, 0.35)
    nape = y + 58.0
    return np.asarray(np.minimum(inside * (1 - top) - 25.0 * top, nape))


def shell(points: Array, normals: Array, named: HairTraits, noise: Array) -> Array:
    """Vertices [N, 3] of the hair over scalp points with outward normals; where there is no hair, under the skin."""
    inside = depth_in_hair(points, named)
    y = points[:, 1]
    height = 2.0 + 20.0 * named["hair_volume"] ** 1.5
    uneven = np.maximum(1 + (0.25 + 0.5 * named["hair_curl"]) * noise, 0.35)
    lift = height * (0.35 + 0.65 * smooth_step(y, -30, 80)) * uneven
    inside = inside - 3.0  # the skin's own paint reaches out further than the shell, and hides its edge
    lift = np.where(inside > 0, lift * smooth_step(inside, -3, 16) + 0.3, np.clip(0.3 + inside * 0.5, -4, 0.3))
    return np.asarray(points + normals * lift[:, None])


def curtain(named: HairTraits, noise: Array) -> Array | None:
    """Vertices [16 * 45, 3] of long hair, None for short hair; `noise` [16, 45] makes its surface uneven."""
    length = named["hair_length"]
    if length < 0.3:
        return None
    grid = parts.mesh().points[parts.mesh().part["curtain"].rows]
    u, v = grid[:, 0], grid[:, 1]
    reach = 1.35 + 0.55 * named["hair_volume"]  # how far towards the face, radians from the back
    around = np.pi + u * (reach + 0.35 * (1 - v))
    fall = 60 + 260 * (length - 0.3) / 0.7
    volume = 3.0 + 13.0 * named["hair_volume"]
    y = 62.0 - v * (62.0 + fall * 0.75)
    wide = 68.0 + (6.0 + volume) * smooth_step(v, 0.0, 0.3) - 8.0 * smooth_step(v, 0.4, 0.75)
    deep = 82.0 + (9.0 + volume) * smooth_step(v, 0.0, 0.35) - 20.0 * smooth_step(v, 0.35, 0.8)
    uneven = (1.2 + 5.0 * named["hair_curl"]) * noise.reshape(-1)
    x = np.sin(around) * (wide + uneven) * -1
    z = -8.0 + np.cos(around) * (deep + uneven)
    edge = smooth_step(np.abs(u), 0.80, 1.0)
    x = x * (1 - 0.06 * edge * (1 - v))
    y = y - 10.0 * noise.reshape(-1) * smooth_step(v, 0.7, 1.0)
    return np.stack([x, y, z], axis=1)


def colour(named: HairTraits) -> Array:
    """Linear RGB of the hair."""
    m = named["hair_melanin"]
    stops = np.array(
        [(0.50, 0.34, 0.17), (0.27, 0.155, 0.07), (0.10, 0.055, 0.028), (0.028, 0.019, 0.014), (0.010, 0.0085, 0.008)]
    )
    tone = np.array([np.interp(m * 4, range(5), stops[:, k]) for k in range(3)])
    red = smooth_step(np.array(named["hair_red"]), 0.45, 1.0)
    tone = tone * (1 + red * np.array([0.25, -0.35, -0.5]))
    grey = named["hair_grey"]
    return np.asarray(tone * (1 - grey) + grey * np.array([0.42, 0.42, 0.43]), np.float64)
