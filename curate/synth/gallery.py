"""A page that shows SynthHeads people in several poses and expressions: to judge by eye what the dataset looks like."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from curate.console import milestone, progress, say
from curate.errors import UserError
from curate.files import atomic
from curate.synth.parameters import EXPRESSION, Motion, sample_identity, sample_scene
from curate.synth.renderer import render_frames

PAGE = "index.html"
SHEET = "people.jpg"

# What each column shows: its name, yaw, pitch, roll in degrees, and units of expression.
COLUMNS: tuple[tuple[str, tuple[float, float, float], dict[str, float]], ...] = (
    ("at rest", (0, 0, 0), {}),
    ("smiling", (-25, 4, -4), {"smile_l": 0.8, "smile_r": 0.8, "cheek_raise": 0.5, "upper_lip_raise": 0.3}),
    ("talking", (22, -4, 3), {"jaw_open": 0.4, "lower_lip_drop": 0.3, "brow_raise_l": 0.3, "brow_raise_r": 0.3}),
    ("surprised, from below", (10, 22, 0), {"jaw_open": 0.7, "eye_wide": 0.9, "brow_raise_l": 1, "brow_raise_r": 1}),
    ("cross, from above", (-12, -20, 6), {"brow_lower": 1.0, "frown": 0.8, "lips_press": 0.5, "nose_wrinkle": 0.3}),
    ("eyes closed", (-45, 0, 10), {"blink_l": 1.0, "blink_r": 1.0}),
    ("pursed, in profile", (60, 0, 0), {"pucker": 0.8, "gaze_x": 0.6}),
)  # fmt: skip


def write_gallery(out: Path, *, people: int = 24, size: int = 160, seed: int = 0) -> Path:
    """Render `people` x 7 pictures of `size` pixels and write out/index.html with one sheet; gives the page's path.

    Raises `UserError` for no people or sizes outside 64 to 512 pixels.
    """
    from PIL import Image

    if people < 1:
        raise UserError(f"a gallery needs at least one person, not {people}")
    if not 64 <= size <= 512:
        raise UserError(f"size must be 64 to 512 pixels, but is {size}")
    rows, names = [], []
    with progress() as bar:
        item = bar.add_task("people", total=people, note="")
        for index in range(people):
            identity = sample_identity(seed, index)
            scene = sample_scene(np.random.default_rng((seed, index, 1)))
            rows.append(np.concatenate(list(render_frames(identity, _motion(), scene, size).frames), axis=1))
            names.append(identity.id)
            bar.advance(item)
            if milestone(index + 1, people):
                say(f"{index + 1} of {people} people")
    with atomic(out / SHEET) as partial:
        Image.fromarray(np.concatenate(rows)).save(partial, "JPEG", quality=88)
    with atomic(out / PAGE) as partial:
        partial.write_text(_page(names, size), encoding="utf-8")
    return out / PAGE


def _motion() -> Motion:
    count = len(COLUMNS)
    expression = np.zeros((count, len(EXPRESSION)), np.float32)
    for row, (_, _, units) in enumerate(COLUMNS):
        for unit, value in units.items():
            expression[row, EXPRESSION.index(unit)] = value
    turns = np.array([turn for _, turn, _ in COLUMNS], np.float32)
    return Motion(expression, turns, np.tile(np.array([0, 8, 760], np.float32), (count, 1)), 2.2)


def _page(names: list[str], size: int) -> str:
    """A table whose cells are windows onto the sheet: one picture to load, and every cell has words for readers."""
    from html import escape

    head = "".join(f'<th scope="col">{escape(title)}</th>' for title, _, _ in COLUMNS)
    body = []
    for row, name in enumerate(names):
        cells = "".join(
            f'<td role="img" aria-label="{escape(name)}, {escape(title)}" '
            f'style="background-position:-{column * size}px -{row * size}px"></td>'
            for column, (title, _, _) in enumerate(COLUMNS)
        )
        body.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>SynthHeads</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><style>'
        ":root{color-scheme:light dark}body{font:15px/1.4 system-ui,sans-serif;margin:1.5rem}"
        "div{overflow-x:auto}table{border-collapse:collapse}th{font-weight:500;padding:.3rem .5rem;text-align:left}"
        f"td{{width:{size}px;min-width:{size}px;height:{size}px;padding:0;background-image:url({SHEET})}}"
        "</style></head><body><h1>SynthHeads</h1>"
        f"<p>{len(names)} people who do not exist, rendered by this project: everything about these pictures is known."
        "</p><div><table>"
        f"<thead><tr><td style='background:none;width:auto;min-width:0;height:auto'></td>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div></body></html>\n"
    )
