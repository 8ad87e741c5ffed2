"""Turning a fitted head in its picture: texture sampled from the source, drawn in another pose, behind it the rest.

After section 3.2 of Rotate-and-Render (Zhou et al., CVPR 2020, arXiv 2003.08124). A pixel of the turned head belongs to
a triangle, which has a place in the source too: there its colour is looked up, so that the source is the texture, as
sharp as it is. Where the source does not show the triangle (it faces away, or something hides it) the other half of
the face stands in, mirrored; where that is hidden too, what lies there in the source, as in the paper.

What is no head (hair beyond the skull, shoulders, background) goes along with the head's outline: a pixel keeps its
direction from the head's middle and its distance as a multiple of the outline's, and the further out it is the less
it moves. So nothing is torn and no hole is left; the generator repairs what this bends.

Triangles are drawn by `curate.synth.raster` on the CPU and by `curate.synth.raster_torch` on any other device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from baselines.head_fitting import Fit
from baselines.head_model import HeadModel
from models.layers import coordinate_grid

SAMPLES = 2  # per pixel and axis
FACING = (0.1, 0.35)  # cosines between which a surface begins to count as seen
BEHIND = 4.0  # mm that a point may lie behind what is drawn there
DIRECTIONS = 96  # in which the outline's distance is measured
STILL = (1.1, 2.2)  # multiples of the outline's distance from which on, and at which, the background rests


@dataclass(frozen=True)
class Textured:
    """N pictures with the heads fitted to them: everything that does not depend on where the head turns."""

    images: Tensor  # [N, 3, R, R] in [0, 1]
    fit: Fit
    seen: Tensor  # [N, V, 3] x and y in pixels of the picture, depth in mm
    shown: Tensor  # [N, V] how well the picture shows each point, in [0, 1]
    outline: Outline

    def expand(self, count: int) -> Textured:
        """One picture (N = 1) for `count` poses, without copying."""

        def many(value: Tensor) -> Tensor:
            return value.expand(count, *value.shape[1:])

        outline = Outline(many(self.outline.centre), many(self.outline.reach))
        return Textured(many(self.images), self.fit.expand(count), many(self.seen), many(self.shown), outline)


@dataclass(frozen=True)
class Outline:
    """How far N heads reach in each direction about their middle, in pixels."""

    centre: Tensor  # [N, 2]
    reach: Tensor  # [N, DIRECTIONS], the first to the image's right, then clockwise

    def at(self, direction: Tensor) -> Tensor:
        """The reach [N, ...] in directions [N, ...] (radians, clockwise from the image's right)."""
        place = direction / (2 * math.pi) * DIRECTIONS
        first = place.floor()
        low, high = (((first + k) % DIRECTIONS).long().flatten(1) for k in (0, 1))
        near, far = (self.reach.gather(1, k).view_as(place) for k in (low, high))
        return torch.lerp(near, far, place - first)


def textured(model: HeadModel, images: Tensor, fit: Fit) -> Textured:
    """Pictures [N, 3, R, R] with the heads that they show."""
    side = images.shape[-1]
    rest = fit.points(model)
    seen = fit.seen(model, rest, side)
    drawn = _draw(model, seen, side)
    return Textured(images, fit, seen, _shown(model, fit, rest, seen, drawn.near), drawn.outline)


def turned(model: HeadModel, source: Textured, to: Fit) -> Tensor:
    """The pictures [N, 3, R, R] with their heads as `to` says: in another pose and, if it says so, with another
    expression or in another place."""
    side = source.images.shape[-1]
    drawn = _draw(model, to.seen(model, to.points(model), side), side)
    known = torch.cat([source.seen[..., :2], source.shown[..., None]], dim=-1)
    found = drawn.blend(torch.cat([known, known[:, model.mirrored]], dim=-1))
    behind = _behind(source, drawn.outline, to.angles[:, 2] - source.fit.angles[:, 2], side)
    colours = _look(source.images, drawn.over(found[:, :2], behind))
    other = drawn.over(torch.cat([found[:, 3:5], ((1 - found[:, 2]) * found[:, 5])[:, None]], dim=1), None)
    mirrored = _look(source.images, other[..., :2])
    return F.avg_pool2d(torch.lerp(colours, mirrored, other[:, None, ..., 2]), SAMPLES)


@dataclass(frozen=True)
class _Drawn:
    """What is where in N pictures, at the finer pixels, of which the head is at M."""

    hit: Tensor  # [N, h, w] whether the head is there
    rows: Tensor  # [M, 3] the points of the nearest triangle, counted through all pictures
    weights: Tensor  # [M, 3] how much each counts
    near: Tensor  # [N, h, w] depth
    outline: Outline

    def blend(self, values: Tensor) -> Tensor:
        """Values of points [N, V, C] at the head's pixels: [M, C]."""
        return torch.einsum("mk,mkc->mc", self.weights, values.flatten(0, 1)[self.rows])

    def over(self, values: Tensor, background: Tensor | None) -> Tensor:
        """[N, h, w, C]: values [M, C] where the head is, else the background's (0 without one)."""
        whole = values.new_zeros(*self.hit.shape, values.shape[1]) if background is None else background.clone()
        whole[self.hit] = values
        return whole


def _draw(model: HeadModel, seen: Tensor, side: int) -> _Drawn:
    edges = torch.cat([(seen[..., :2] + 0.5) * SAMPLES, seen[..., 2:]], dim=-1)
    ids, near = _visible(edges, model, side * SAMPLES)
    hit = ids >= 0
    frame, y, x = hit.nonzero().unbind(1)
    corners = model.triangles.long()[ids[hit]]
    rows = corners + frame[:, None] * seen.shape[1]
    (ax, ay), (bx, by), (cx, cy) = (at.unbind(-1) for at in edges.flatten(0, 1)[rows][..., :2].unbind(1))
    px, py = x + 0.5, y + 0.5
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    wa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area
    wb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area
    is_head = torch.zeros_like(hit)
    is_head[hit] = model.with_head[corners].amin(-1) > 0.99
    return _Drawn(hit, rows, torch.stack([wa, wb, 1 - wa - wb], dim=-1), near, _outline(is_head, side))


def _visible(edges: Tensor, model: HeadModel, size: int) -> tuple[Tensor, Tensor]:
    """The nearest triangle [N, size, size] at every pixel, -1 for none, and its depth."""
    triangles = model.triangles.cpu().numpy()
    one_sided = np.zeros(len(triangles), np.uint8)
    if edges.device.type == "cpu":
        from curate.synth import raster

        found = [raster.visible(one, triangles, one_sided, size, size) for one in edges.float().contiguous().numpy()]
        ids, near = (torch.from_numpy(np.stack(column)) for column in zip(*found, strict=True))
        return ids.long(), near
    from curate.synth import raster_torch
    from curate.synth.raster import Surface

    unused: Any = np.zeros((len(triangles), 2), np.float32)
    surface = Surface(triangles, one_sided, one_sided, unused)
    return raster_torch.visible(edges.float(), surface, size, size)


def _outline(is_head: Tensor, side: int) -> Outline:
    count = len(is_head)
    fine = (torch.arange(side * SAMPLES, device=is_head.device) + 0.5) / SAMPLES - 0.5
    weight = is_head.float()
    total = weight.sum((1, 2)).clamp(min=1)
    centre = torch.stack([(weight.sum(1) @ fine) / total, (weight.sum(2) @ fine) / total], dim=-1)
    x, y = fine - centre[:, 0, None, None], fine[:, None] - centre[:, 1, None, None]
    number = (torch.atan2(y, x) / (2 * math.pi) * DIRECTIONS).round().long() % DIRECTIONS
    radius = torch.hypot(x, y) * weight
    reach = torch.ones(count, DIRECTIONS, device=is_head.device)
    reach.scatter_reduce_(1, number.flatten(1), radius.flatten(1), "amax")
    padded = F.pad(reach[:, None], (2, 2), mode="circular")
    return Outline(centre, F.avg_pool1d(padded, 5, stride=1)[:, 0])


def _shown(model: HeadModel, fit: Fit, rest: Tensor, seen: Tensor, near: Tensor) -> Tensor:
    """[N, V] whether the picture shows a point: it faces the camera, nothing is before it, it lies in the picture."""
    side = near.shape[-1] // SAMPLES
    facing = _facing(model, rest, seen, fit.scale * side)
    place = ((seen[..., :2] + 0.5) * SAMPLES).floor()
    inside = ((place >= 0) & (place < near.shape[-1])).all(-1)
    column, row = place.long().clamp(0, near.shape[-1] - 1).unbind(-1)
    around = F.max_pool2d(near.clamp(max=1e6)[:, None], 3, stride=1, padding=1)[:, 0]
    nearest = around.flatten(1).gather(1, row * near.shape[-1] + column)
    return _smooth(facing, *FACING) * (inside & (seen[..., 2] <= nearest + BEHIND))


def _facing(model: HeadModel, rest: Tensor, seen: Tensor, per_mm: Tensor) -> Tensor:
    """[N, V] cosines towards the camera: areas in the picture over areas on the head, of the triangles of a point."""
    corners = model.triangles.long()
    a, b, c = (seen[:, corners[:, k], :2] for k in range(3))
    (ux, uy), (vx, vy) = (b - a).unbind(-1), (c - a).unbind(-1)
    on_picture = (uy * vx - ux * vy) / per_mm[:, None].square()  # positive where seen from outside
    a, b, c = (rest[:, corners[:, k]] for k in range(3))
    on_head = torch.linalg.cross(b - a, c - a, dim=-1).norm(dim=-1)
    sums = torch.zeros(2, *seen.shape[:2], device=seen.device)
    for k in range(3):
        sums[0].index_add_(1, corners[:, k], on_picture)
        sums[1].index_add_(1, corners[:, k], on_head)
    return sums[0] / sums[1].clamp(min=1e-6)


def _behind(source: Textured, outline: Outline, roll: Tensor, side: int) -> Tensor:
    """Where in the source [N, h, w, 2] what is beside the turned head comes from; the head has rolled by `roll` [N]
    degrees."""
    fine = (torch.arange(side * SAMPLES, device=roll.device) + 0.5) / SAMPLES - 0.5
    here = torch.stack([fine.expand(len(fine), -1), fine[:, None].expand(-1, len(fine))], dim=-1)
    offset = here - outline.centre[:, None, None]
    direction, distance = torch.atan2(offset[..., 1], offset[..., 0]), offset.norm(dim=-1)
    before = direction - roll.deg2rad()[:, None, None]
    multiple = distance / outline.at(direction)
    reach = multiple * source.outline.at(before)
    there = torch.stack([before.cos(), before.sin()], dim=-1) * reach[..., None] + source.outline.centre[:, None, None]
    return torch.lerp(there, here.expand_as(there), _smooth(multiple, *STILL)[..., None])


def _look(images: Tensor, places: Tensor) -> Tensor:
    """Colours [N, 3, h, w] at places [N, h, w, 2] in pixels; the border goes on."""
    side = images.shape[-1]
    return F.grid_sample(images, (2 * places + 1) / side - 1, padding_mode="border", align_corners=False)


def _smooth(x: Tensor, low: float, high: float) -> Tensor:
    """0 below `low`, 1 above `high`, without a kink between."""
    share = ((x - low) / (high - low)).clamp(0, 1)
    return share.square() * (3 - 2 * share)


CURVES: tuple[tuple[tuple[int, int, bool], ...], ...] = (  # of each channel: first and last landmark, whether closed
    ((0, 16, False),),
    ((17, 21, False), (22, 26, False)),
    ((27, 30, False), (31, 35, False)),
    ((36, 41, True), (42, 47, True)),
    ((48, 59, True), (60, 67, True)),
)
SOFTNESS = 1 / 128  # of a curve: standard deviation as a share of the picture's side


def draw_curves(landmarks: Tensor, side: int) -> Tensor:
    """Landmarks [N, 68, 2] in pixels as five maps [N, 5, side, side] in [0, 1]: outline, brows, nose, eyes, mouth, each
    joined by straight lines and blurred."""
    pixels = (coordinate_grid(side, side, landmarks) + 1) / 2 * (side - 1)
    maps = []
    for curves in CURVES:
        pairs = [pair for first, last, closed in curves for pair in _pairs(first, last, closed)]
        start, end = (landmarks[:, [pair[k] for pair in pairs], None, None] for k in (0, 1))
        along, offset = end - start, pixels - start
        share = (offset * along).sum(-1) / along.square().sum(-1).clamp(min=1e-9)
        away = (offset - share.clamp(0, 1)[..., None] * along).square().sum(-1).amin(1)
        maps.append(torch.exp(-0.5 * away / (SOFTNESS * side) ** 2))
    return torch.stack(maps, dim=1)


def _pairs(first: int, last: int, closed: bool) -> list[tuple[int, int]]:
    pairs = [(k, k + 1) for k in range(first, last)]
    return [*pairs, (last, first)] if closed else pairs
