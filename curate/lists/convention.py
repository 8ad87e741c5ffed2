"""What published lists mean by their boxes and spans, as their authors' scripts take them: pure arithmetic.

Boxes are (left, top, right, bottom) in whole pixels, right and bottom excluded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Literal

from curate.lists.tube import RefBox, Span

Box = tuple[int, int, int, int]

CELEBVHQ_MARGIN = 0.02  # of the frame, on each side of the box
FOMM_INCREASE = 0.1  # of the longer side, on each side of it
_NEARLY = 1e-6  # frames; seconds times a rate are rarely whole in floats


def talkinghead1kh(box: RefBox, width: int, height: int) -> Box:
    """The box in a frame of another size: `int(T / H * h)`, `int(L / W * w)` and so on, without rounding on the way.

    Where the list does not name the frame's width, it is in proportion to the height; where it names neither, the box
    is taken as it is.
    """
    down = Fraction(height) / Fraction(box.height) if box.height else Fraction(1)
    across = Fraction(width) / Fraction(box.width) if box.width else down
    return (
        int(Fraction(box.left) * across),
        int(Fraction(box.top) * down),
        int(Fraction(box.right) * across),
        int(Fraction(box.bottom) * down),
    )


def talkinghead1kh_floats(box: RefBox, width: int, height: int) -> Box:
    """The same in floats, as in the authors' script: `int(63 / 720 * 720)` is 62, and some squares are none there."""
    w, h = box.width or width, box.height or height
    return (
        int(box.left / w * width),
        int(box.top / h * height),
        int(box.right / w * width),
        int(box.bottom / h * height),
    )


def fomm(box: RefBox, width: int, height: int) -> Box:
    """The box of vox-metadata.csv, which is expanded already, in a frame of another size: `int(L / (W / w))`."""
    across, down = (box.width or width) / width, (box.height or height) / height
    return int(box.left / across), int(box.top / down), int(box.right / across), int(box.bottom / down)


def fomm_expanded(
    face: Sequence[float],
    width: int,
    height: int,
    overflow: Literal["drop", "clamp"] = "drop",
    increase: float = FOMM_INCREASE,
) -> Box | None:
    """FOMM's crop about the union of a face's boxes (left, top, right, bottom): with 0.1, 1.2 x the longer side.

    `overflow` says what becomes of a crop that leaves the frame: None, or cut to the frame and then no longer square.
    The authors have a script for each.
    """
    left, top, right, bottom = face
    w, h = right - left, bottom - top
    wider = max(increase, ((1 + 2 * increase) * h - w) / (2 * w))
    taller = max(increase, ((1 + 2 * increase) * w - h) / (2 * h))
    box = (int(left - wider * w), int(top - taller * h), int(right + wider * w), int(bottom + taller * h))
    inside = (max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height))
    return box if box == inside else inside if overflow == "clamp" else None


def celebvhq(box: RefBox, width: int, height: int) -> Box:
    """CelebV-HQ's crop: 0.02 of the frame added on each side, to whole pixels, then a square of the shorter side."""
    ref_width, ref_height = box.width or width, box.height or height
    left = round(max(box.left / ref_width - CELEBVHQ_MARGIN, 0) * width)
    right = round(min(box.right / ref_width + CELEBVHQ_MARGIN, 1) * width)
    top = round(max(box.top / ref_height - CELEBVHQ_MARGIN, 0) * height)
    bottom = round(min(box.bottom / ref_height + CELEBVHQ_MARGIN, 1) * height)
    half = min(bottom - top, right - left) // 2
    x, y = (left + right) // 2 - half, (top + bottom) // 2 - half
    return x, y, x + 2 * half, y + 2 * half


CONVENTIONS: dict[str, Callable[[RefBox, int, int], Box]] = {
    "talkinghead1kh": talkinghead1kh,
    "talkinghead1kh-floats": talkinghead1kh_floats,
    "fomm": fomm,
    "celebvhq": celebvhq,
}
"""How a list's box becomes a crop in a frame of (width, height), by name."""


def of_list(format: str) -> str:
    """The convention of a list's format; plain scaling where its authors have none of their own."""
    return format if format in CONVENTIONS else "talkinghead1kh"


def frame_indices(span: Span | None, fps: float, n_frames: int, chunk_start: int = 0) -> range:
    """The frames of a video of `n_frames` at `fps` that a span means; None: all.

    Frames counted at a rate: each frame i with `start * fps <= i * rate < end * fps`. Seconds: each frame whose time
    i / fps lies in them. Frames without a rate are the video's own. Those of a chunk are counted from `chunk_start`.
    What lies beyond the video is left out.
    """
    if span is None:
        return range(n_frames)
    if span.unit == "second":
        first, end = (math.ceil(value * fps - _NEARLY) for value in (span.start, span.end))
    else:
        rate = span.fps or fps
        first, end = (_first_at(value, fps, rate) for value in (span.start, span.end))
    offset = chunk_start if span.part is not None else 0
    first, end = (min(max(value + offset, 0), n_frames) for value in (first, end))
    return range(first, max(first, end))


def _first_at(frame: float, fps: float, rate: float) -> int:
    """The least i with frame * fps <= i * rate, both sides as floats, as the authors' script compares them."""
    i = math.ceil(frame * fps / rate)
    while i * rate < frame * fps:
        i += 1
    while (i - 1) * rate >= frame * fps:
        i -= 1
    return i


def chunk_start(keyframes: Sequence[tuple[int, float]], part: int, seconds: float = 60) -> int | None:
    """The first frame of a chunk, if a video with these keyframes (frame, time in seconds from the video's start, in
    order) is cut as TalkingHead-1KH's script cuts it; None where the video has no such chunk.

    Chunk n + 1 begins with the first keyframe after chunk n's whose time is at least (n + 1) x `seconds`.
    """
    chunk = 0
    for frame, time_s in keyframes[1:]:
        if chunk < part and time_s >= seconds * (chunk + 1):
            chunk += 1
            if chunk == part:
                return frame
    return 0 if part == 0 else None
