"""r = P(x): 68 landmarks drawn as coloured curves on black, what MarioNETte sees of a driving frame.

Colours by part as in the paper's supplement: eyes red, outline green, nose blue, brows yellow, lips cyan. A line is as
wide as 1.5 / 128 of the picture, with soft edges; where lines cross, the brighter counts in each channel. Left and
right parts have one colour, so that a mirrored picture is the drawing of mirrored landmarks.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from models.errors import check_shape

WIDTH = 1.5 / 128  # of a line, as a share of the picture's side

COLOURS = ("green", "yellow", "blue", "red", "cyan")
CHANNELS = (("red", "yellow"), ("green", "yellow", "cyan"), ("blue", "cyan"))  # what is seen in R, G, B
CURVES: tuple[tuple[str, int, int, bool], ...] = (  # colour, first and last point in iBUG order, whether it is closed
    ("green", 0, 16, False),
    ("yellow", 17, 21, False),
    ("yellow", 22, 26, False),
    ("blue", 27, 30, False),
    ("blue", 31, 35, False),
    ("red", 36, 41, True),
    ("red", 42, 47, True),
    ("cyan", 48, 59, True),
    ("cyan", 60, 67, True),
)


def draw_landmarks(points: Tensor, size: int) -> Tensor:
    """Pictures [N, 3, size, size] in [0, 1] of landmarks [N, 68, 2] in pixels of that size, integers at pixel centres.

    How much of a pixel a line covers follows from the distance of its centre to the line's middle. Where landmarks are
    NaN (no face was found) the picture is black.
    """
    check_shape("points", points, (None, 68, 2))
    lost = points.isnan().flatten(1).any(1)
    points = points.detach().nan_to_num(0.0).clamp(-size, 2 * size)
    segments = [segment for curve in CURVES for segment in _segments(*curve)]
    layer, first, last = (torch.tensor(column, device=points.device) for column in zip(*segments, strict=True))
    start, along = points[:, first], points[:, last] - points[:, first]  # [N, S, 2]

    # Walk along every segment in steps of at most a pixel and look at the pixels around: all that it can touch.
    reach = WIDTH * size / 2 + 0.5
    steps = math.ceil(float(along.norm(dim=-1).max())) + 1
    share = torch.linspace(0, 1, steps, device=points.device, dtype=points.dtype)[:, None]
    near = torch.arange(-math.floor(reach + 1), math.floor(reach + 1) + 1, device=points.device)
    window = torch.cartesian_prod(near, near)
    pixel = (start[:, :, None] + share * along[:, :, None]).round().long()[..., None, :] + window  # [N, S, steps, W, 2]
    offset = pixel - start[:, :, None, None]
    along = along[:, :, None, None]
    where = ((offset * along).sum(-1, keepdim=True) / along.square().sum(-1, keepdim=True).clamp(min=1e-12)).clamp(0, 1)
    cover = (reach - (offset - where * along).norm(dim=-1)).clamp(0, 1)
    cover = cover * ((pixel >= 0) & (pixel < size)).all(-1) * ~lost[:, None, None, None]

    x, y = pixel.clamp(0, size - 1).unbind(-1)
    index = (layer[:, None, None] * size + y) * size + x
    layers = points.new_zeros(len(points), len(COLOURS) * size * size)
    layers.scatter_reduce_(1, index.flatten(1), cover.flatten(1), "amax")
    by_colour = dict(zip(COLOURS, layers.view(-1, len(COLOURS), size, size).unbind(1), strict=True))
    return torch.stack([torch.stack([by_colour[c] for c in channel]).amax(0) for channel in CHANNELS], dim=1)


def _segments(colour: str, first: int, last: int, closed: bool) -> list[tuple[int, int, int]]:
    """Layer, first and last point of every straight piece of a curve."""
    layer = COLOURS.index(colour)
    pieces = [(layer, i, i + 1) for i in range(first, last)]
    return [*pieces, (layer, last, first)] if closed else pieces
