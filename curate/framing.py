"""Framing: where the square crop about a face lies, by a convention's name, and what is done where it leaves the frame.

A square has even corners, because chroma planes have half the size. Conventions say how large it is against the face:

- `default`: 1.8 times the longer side of the union of the face's boxes, centred a little above it: the whole head.
- `fomm`: 1.2 times that side, about its centre (Siarohin et al. 2019, video-preprocessing: a = 0.1 makes this square).
- `liveportrait`: 2.3 times, raised by an eighth of the crop (Guo et al. 2024, which measures
  landmarks; here it is the detector's box).
- `talkinghead1kh`: as `default` with sides that are multiples of 16, as all that list's tubes have; written as cut. The
  list's authors published boxes, not the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom exclusive."""

Policy = Literal["shift", "drop", "pad", "clamp"]
"""Where the square would leave the frame: move it inside (shrinking it if it's too large), drop the clip, fill with
black, or shrink the square about its own centre."""


@dataclass(frozen=True)
class Convention:
    """How large a square is cut about a face."""

    scale: float  # side / longer side of the face
    rise: float  # the square's centre lies so much of its side above the face's
    multiple: int = 2  # pixels; sides are rounded to it
    native: bool = False  # written at the side that was cut, not resized


CONVENTIONS = {
    "default": Convention(1.8, 0.05),
    "fomm": Convention(1.2, 0.0),
    "liveportrait": Convention(2.3, 0.125),
    "talkinghead1kh": Convention(1.8, 0.05, multiple=16, native=True),
}


def square(
    face: Sequence[float], longer: float, frame: tuple[int, int], convention: Convention, policy: Policy
) -> tuple[Box, bool]:
    """The square about `face` (left, top, right, bottom) in a frame of (width, height), and whether it would leave it.

    `longer` is the face side that the convention's scale multiplies.
    """
    wanted = max(convention.multiple * round(longer * convention.scale / convention.multiple), convention.multiple)
    centre_x = (face[0] + face[2]) / 2
    centre_y = (face[1] + face[3]) / 2 - convention.rise * wanted
    return place(centre_x, centre_y, wanted, frame, policy, convention.multiple)


def place(
    centre_x: float, centre_y: float, side: int, frame: tuple[int, int], policy: Policy, multiple: int = 2
) -> tuple[Box, bool]:
    """The square of `side` about a point by `policy`, its side a `multiple`; and whether it would leave the frame."""
    width, height = frame
    leaves = min(centre_x, centre_y) < side / 2 or centre_x + side / 2 > width or centre_y + side / 2 > height
    if leaves and policy == "clamp":
        room = 2 * min(centre_x, centre_y, width - centre_x, height - centre_y)
        side = max(multiple, int(min(side, room)) // multiple * multiple)
    elif leaves and policy != "pad":
        side = min(side, max(multiple, min(width, height) // multiple * multiple))
    left, top = _even(centre_x - side / 2), _even(centre_y - side / 2)
    if policy != "pad":
        left, top = min(max(left, 0), (width - side) & ~1), min(max(top, 0), (height - side) & ~1)
    return (left, top, left + side, top + side), leaves


def _even(value: float) -> int:
    return 2 * round(value / 2)


def outside(box: Sequence[float], frame: Sequence[float]) -> float:
    """Share of a box that lies outside another, in [0, 1]; 1 for an empty one."""
    inside_w = max(0.0, min(box[2], frame[2]) - max(box[0], frame[0]))
    inside_h = max(0.0, min(box[3], frame[3]) - max(box[1], frame[1]))
    area = (box[2] - box[0]) * (box[3] - box[1])
    return 1 - inside_w * inside_h / area if area > 0 else 1.0


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom); 0 where they do not meet."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)
