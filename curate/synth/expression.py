"""How a face moves: every unit of `parameters.EXPRESSION` as a displacement of all vertices; the lids close by rule."""

from __future__ import annotations

from functools import cache

import numpy as np

from curate.synth import sculpt, template
from curate.synth.parameters import EXPRESSION
from curate.synth.sculpt import MOUTH_HALF, Array, smooth_step
from curate.synth.shape import displace, places

JAW = np.radians(18.0)  # the jaw's turn at `jaw_open` 1
HINGE = np.array([0.0, -4.0, 8.0])  # of the jaw: y, z
RING_SHARE = (1.0, 0.90, 0.68, 0.40, 0.15, 0.0)  # of the lid's way that the rings around the eye go along


@cache
def basis() -> Array:
    """[len(EXPRESSION), V, 3] float32: displacement in sculpting axes at full activation; blinks are 0 here."""
    p = places()
    y, side, g = p.y, p.side, p.g
    reach = np.clip(p.ax / MOUTH_HALF, 0, 1.2)
    left, right = smooth_step(p.x, -3, 20), smooth_step(p.x, 3, -20)  # halves of the image; the person's, mirrored
    skin = p.rows("skin") + p.rows("lip") + p.rows("lid")
    corner, cheek, brow = g(25, -41, 14, 13), g(41, -8, 17, 15), g(30, 45, 24, 10)
    nose, frown, puff = g(13, -13, 8, 8), g(14, 44, 13, 9), g(38, -30, 16, 17)
    press = p.on_lips * g(0, -41, 26, 9) * p.taper
    smile = displace(
        5.0 * side * corner * reach,
        5.5 * corner * reach**2 + 2.6 * cheek + 0.9 * p.lid_l,
        2.6 * cheek - 3.0 * corner * reach,
    )
    raised = 7.0 * brow + 2.0 * g(28, 70, 26, 16)
    bared = p.upper * p.taper * np.exp(-(((y + 37) / 8) ** 2))
    dropped = p.lower * p.taper * np.exp(-(((y + 46) / 9) ** 2))
    wrinkled = 4.6 * g(13, -12, 12, 11) - 3.2 * g(12, 40, 14, 9) + 2.6 * p.rim_u
    pursed = -8.5 * side * g(22, -41, 15, 13) * reach
    fields: dict[str, Array] = {
        "smile_l": smile * left[:, None],
        "smile_r": smile * right[:, None],
        "frown": displace(0.8 * side * corner, -5.5 * corner * reach**2, 0),
        "pucker": displace(pursed, 1.0 * p.rim_u - 1.2 * p.rim_l, 6.0 * g(0, -41, 20, 12)),
        "stretch": displace(5.5 * side * corner * reach, -1.0 * p.lower * corner, -1.8 * corner),
        "upper_lip_raise": displace(0, 5.0 * bared + 1.2 * g(15, -14, 9, 8), 0.8 * p.rim_u),
        "lower_lip_drop": displace(0, -5.5 * dropped, 1.0 * p.rim_l),
        "lips_press": displace(0, 2.2 * p.rim_l - 2.0 * p.rim_u + 1.0 * g(0, -60, 18, 8), -3.4 * press),
        "cheek_puff": displace(7.5 * side * g(46, -30, 17, 18), 0, 6.5 * puff),
        "cheek_raise": displace(0, 3.8 * p.lid_l + 4.4 * cheek - 1.4 * p.lid_u, 2.2 * cheek),
        "nose_wrinkle": displace(1.0 * side * nose, wrinkled, 0),
        "eye_wide": displace(0, 2.6 * p.lid_u - 0.5 * p.lid_l + 1.4 * brow, 0),
        "brow_raise_l": displace(0, raised * left, 0),
        "brow_raise_r": displace(0, raised * right, 0),
        "brow_lower": displace(-2.6 * side * frown, -4.8 * g(20, 44, 19, 10) - 0.8 * p.lid_u, 1.0 * g(14, 44, 13, 8)),
        "gaze_y": displace(0, 2.0 * p.lid_u + 0.5 * p.lid_l, 0),
    }
    still = np.zeros((len(skin), 3))
    moved = {name: field * skin[:, None] for name, field in fields.items()} | {"jaw_open": _jaw(skin)}
    return np.stack([moved.get(name, still) for name in EXPRESSION]).astype(np.float32)


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
    narrow = displace(-2.6 * p.side * p.g(24, -42, 14, 14) * skin, 0, 0)
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
