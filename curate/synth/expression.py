"""How a face moves: every unit of `parameters.EXPRESSION` as a displacement of all vertices; the lids close by rule."""

from __future__ import annotations

from functools import cache

import numpy as np

from curate.synth import sculpt, template
from curate.synth.parameters import EXPRESSION
from curate.synth.sculpt import MOUTH_HALF, Array, smooth_step
from curate.synth.shape import X, Y, Z, _along, places

JAW = np.radians(18.0)  # the jaw's turn at `jaw_open` 1
HINGE = np.array([0.0, -4.0, 8.0])  # of the jaw: y, z
RING_SHARE = (1.0, 0.90, 0.68, 0.40, 0.15, 0.0)  # of the lid's way that the rings around the eye go along


@cache
def basis() -> Array:
    """[len(EXPRESSION), V, 3] float32: displacement in sculpting axes at full activation; blinks are 0 here."""
    p = places()
    mesh, x, y, ax, side, g = p.mesh, p.x, p.y, p.ax, p.side, p.g
    lip_reach = np.clip(ax / MOUTH_HALF, 0, 1.2)
    left, right = smooth_step(x, -3, 20), smooth_step(x, 3, -20)  # halves of the image
    skin = p.rows("skin") + p.rows("lip") + p.rows("lid")
    corner = g(25, -41, 14, 13)
    cheek = g(41, -8, 17, 15)
    smile = (
        _along(X, 5.0 * side * corner * lip_reach) + _along(Y, 5.5 * corner * lip_reach**2) + _along(Z, -3.0 * corner * lip_reach)
        + _along(Y, 2.6 * cheek) + _along(Z, 2.6 * cheek) + _along(Y, 0.9 * p.lid_l)
    )  # fmt: skip
    brow = g(30, 45, 24, 10)
    press = p.on_lips * g(0, -41, 26, 9)
    fields: dict[str, Array] = {
        "jaw_open": _jaw(skin),
        "smile_l": smile * (left * skin)[:, None],
        "smile_r": smile * (right * skin)[:, None],
        "frown": (_along(X, 0.8 * side * corner) + _along(Y, -5.5 * corner * lip_reach**2)) * skin[:, None],
        "pucker": (
            _along(X, -8.5 * side * g(22, -41, 15, 13) * lip_reach)
            + _along(Z, 6.0 * g(0, -41, 20, 12))
            + _along(Y, 1.0 * p.rim_u - 1.2 * p.rim_l)
        )
        * skin[:, None],
        "stretch": (_along(X, 5.5 * side * corner * lip_reach) + _along(Z, -1.8 * corner) + _along(Y, -1.0 * p.lower * corner))
        * skin[:, None],
        "upper_lip_raise": (
            _along(Y, 5.0 * p.upper * p.taper * np.exp(-(((y + 37) / 8) ** 2)) + 1.2 * g(15, -14, 9, 8)) + _along(Z, 0.8 * p.rim_u)
        )
        * skin[:, None],
        "lower_lip_drop": (
            _along(Y, -5.5 * p.lower * p.taper * np.exp(-(((y + 46) / 9) ** 2))) + _along(Z, 1.0 * p.rim_l)
        )
        * skin[:, None],
        "lips_press": (
            _along(Z, -3.4 * press * p.taper) + _along(Y, -2.0 * p.rim_u + 2.2 * p.rim_l) + _along(Y, 1.0 * g(0, -60, 18, 8))
        )
        * skin[:, None],
        "cheek_puff": (_along(X, 7.5 * side * g(46, -30, 17, 18)) + _along(Z, 6.5 * g(38, -30, 16, 17))) * skin[:, None],
        "cheek_raise": (_along(Y, 3.8 * p.lid_l + 4.4 * cheek - 1.4 * p.lid_u) + _along(Z, 2.2 * cheek)) * skin[:, None],
        "nose_wrinkle": (
            _along(Y, 4.6 * g(13, -12, 12, 11) - 3.2 * g(12, 40, 14, 9) + 2.6 * p.rim_u) + _along(X, 1.0 * side * g(13, -13, 8, 8))
        )
        * skin[:, None],
        "blink_l": np.zeros((len(x), 3)),
        "blink_r": np.zeros((len(x), 3)),
        "eye_wide": (_along(Y, 2.6 * p.lid_u - 0.5 * p.lid_l + 1.4 * brow)) * skin[:, None],
        "brow_raise_l": _along(Y, (7.0 * brow + 2.0 * g(28, 70, 26, 16)) * left * skin),
        "brow_raise_r": _along(Y, (7.0 * brow + 2.0 * g(28, 70, 26, 16)) * right * skin),
        "brow_lower": (_along(Y, -4.8 * g(20, 44, 19, 10) - 0.8 * p.lid_u) + _along(X, -2.6 * side * g(14, 44, 13, 9)) + _along(Z, 1.0 * g(14, 44, 13, 8)))
        * skin[:, None],
        "gaze_x": np.zeros((len(x), 3)),
        "gaze_y": _along(Y, (2.0 * p.lid_u + 0.5 * p.lid_l) * skin),
    }  # fmt: skip
    return np.stack([fields[name] for name in EXPRESSION]).astype(np.float32)


def _jaw(skin: Array) -> Array:
    """Displacement of the lower jaw turned about its hinge, shared out over cheeks and lips."""
    p = places()
    mesh = p.mesh
    line = sculpt.lip_line(p.x)
    cheeks = smooth_step(p.y, -16, -62)
    apart = np.sqrt(np.clip(1 - (p.ax / (MOUTH_HALF + 0.8)) ** 2, 0, 1))
    near = np.exp(-(((p.y - line) / 22) ** 2)) * apart
    share = np.where(
        mesh.lip > 0, cheeks * (1 - near) - 0.03 * near, np.where(mesh.lip < 0, near + cheeks * (1 - near), cheeks)
    )
    share = share * smooth_step(p.z, -15, 35) * skin + mesh.jaw
    sin, cos = np.sin(JAW), np.cos(JAW)
    dy, dz = mesh.points[:, 1] - HINGE[1], mesh.points[:, 2] - HINGE[2]
    turned = np.stack([np.zeros(len(dy)), cos * dy - sin * dz - dy, sin * dy + cos * dz - dz], axis=1)
    narrow = _along(X, -2.6 * p.side * p.g(24, -42, 14, 14) * skin)
    return turned * share[:, None] + narrow


@cache
def lid_rings() -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Per eye (image's left, right): vertex rows [rings, LID_POINTS + 1] of the upper lid from corner to corner, and of
    the lower lid's edge [LID_POINTS + 1] that the upper one meets."""
    skin = template.skin()
    count = template.LID_POINTS
    found = []
    for ring in skin.lids:
        first = int(ring[0])
        upper = np.stack([first + k * 2 * count + np.arange(count + 1) for k in range(len(RING_SHARE))])
        lower = first + np.concatenate([[0], np.arange(2 * count - 1, count - 1, -1)])
        found.append((upper, lower))
    return found[0], found[1]
