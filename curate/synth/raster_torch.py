"""The rasteriser of `raster` in torch, for other devices than the CPU: whole batches of frames at once.

Same rules, same order of operations: ids and depths are equal, colours differ by rounding only.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curate.synth.raster import Surface, Textures

Floats = NDArray[np.float32]
FRAGMENTS = 8_000_000  # pixels of triangles' boxes looked at together: bounds memory (about 60 bytes each)


def visible(points: Tensor, surface: Surface, height: int, width: int) -> tuple[Tensor, Tensor]:
    """As `raster.visible` for a batch: ids int64 [T, h, w] and depths float32 [T, h, w] of points [T, V, 3]."""
    triangles = torch.from_numpy(surface.triangles).long().to(points.device)
    two_sided = torch.from_numpy(surface.two_sided).bool().to(points.device)
    ids, depths = [], []
    for one in points:
        corners = one[triangles]  # [F, 3, 3]
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = (corners[:, k].unbind(1) for k in range(3))
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        low, high = corners[..., :2].amin(1), corners[..., :2].amax(1)
        first = (low - 0.5).ceil().clamp(min=0).long()
        last = torch.minimum((high - 0.5).floor(), torch.tensor([width - 1.0, height - 1.0], device=one.device)).long()
        span = last - first + 1
        drawn = (area != 0) & ((area <= 0) | two_sided) & (span > 0).all(1)
        inverse = 1 / area
        plane = torch.stack(
            [ax, ay, bx, by, cx, cy, inverse, az - cz, bz - cz, cz, (by - cy) * inverse, (cy - ay) * inverse], dim=1
        )
        near = torch.full((height * width,), torch.inf, device=one.device)
        owner = torch.full((height * width,), len(triangles), dtype=torch.long, device=one.device)
        index = drawn.nonzero()[:, 0]
        sizes = span[index].prod(1)
        for part in torch.split(index, _block(sizes)):
            _fill(part, first[part], span[part], plane, near, owner, width)
        ids.append(torch.where(owner == len(triangles), -1, owner).view(height, width))
        depths.append(near.view(height, width))
    return torch.stack(ids), torch.stack(depths)


def _block(sizes: Tensor) -> list[int]:
    """Split triangles so that no block has more than `FRAGMENTS` pixels in its boxes (or one triangle)."""
    blocks, count, load = [], 0, 0
    for size in sizes.tolist():
        if count and load + size > FRAGMENTS:
            blocks.append(count)
            count, load = 0, 0
        count, load = count + 1, load + size
    return [*blocks, count]


def _fill(part: Tensor, first: Tensor, span: Tensor, plane: Tensor, near: Tensor, owner: Tensor, width: int) -> None:
    """Test every pixel of every triangle's box; keep the nearest, of equals the triangle that comes first."""
    sizes = span.prod(1)
    row = torch.arange(len(part), device=part.device).repeat_interleave(sizes)
    within = torch.arange(len(row), device=part.device) - (sizes.cumsum(0) - sizes)[row]
    step, down = within % span[row, 0], within // span[row, 0]
    ax, ay, bx, by, cx, cy, inverse, za, zb, zc, along_a, along_b = plane[part][row].unbind(1)
    px, py = first[row, 0].float() + 0.5, (first[row, 1] + down).float() + 0.5
    wa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) * inverse + step.float() * along_a
    wb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) * inverse + step.float() * along_b
    inside = (wa >= 0) & (wb >= 0) & (wa + wb <= 1)
    pixel = ((first[row, 1] + down) * width + first[row, 0] + step)[inside]
    depth = (zc + wa * za + wb * zb)[inside]
    face = part[row[inside]]
    before = near.clone()
    near.scatter_reduce_(0, pixel, depth, "amin")
    owner[near < before] = torch.iinfo(torch.long).max
    nearest = (depth == near[pixel]) & (depth < before[pixel])
    owner.scatter_reduce_(0, pixel[nearest], face[nearest], "amin")


def paint(
    ids: Tensor,
    points: Tensor,
    surface: Surface,
    uv: Tensor,
    light: Tensor,
    shine: Tensor,
    textures: Textures,
    is_head: NDArray[np.uint8],
    background: Tensor,
    samples: int,
) -> tuple[Tensor, Tensor]:
    """As `raster.paint` for a batch: colours [T, S, S, 3] and shares of the head [T, S, S]."""
    device, (count, height, width) = points.device, ids.shape
    triangles = torch.from_numpy(surface.triangles).long().to(device)
    material = torch.from_numpy(surface.material).long().to(device)
    texels = torch.from_numpy(textures.texels).to(device)
    table = torch.from_numpy(textures.table).to(device)
    head = torch.from_numpy(is_head).bool().to(device)
    fine = background.repeat_interleave(samples, 0).repeat_interleave(samples, 1).expand(count, -1, -1, -1).clone()
    share = torch.zeros(count, height, width, device=device)
    frame, y, x = (ids >= 0).nonzero().unbind(1)
    face = ids[frame, y, x]
    corners = triangles[face]  # [N, 3]
    at = points[frame[:, None], corners]
    (ax, ay, _), (bx, by, _), (cx, cy, _) = (at[:, k].unbind(1) for k in range(3))
    px, py = x.float() + 0.5, y.float() + 0.5
    inverse = 1 / ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
    wa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) * inverse
    wb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) * inverse
    weights = torch.stack([wa, wb, 1 - wa - wb], dim=1)[:, :, None]
    start, rows, columns = table[material[face]].unbind(1)
    place = (weights * uv[frame[:, None], corners]).sum(1) * torch.stack([columns, rows], dim=1) - 0.5
    place = torch.minimum(place.clamp(min=0), torch.stack([columns, rows], dim=1) - 1.001)
    whole = place.long()
    part = place - whole
    first = start + whole[:, 1] * columns + whole[:, 0]
    fu, fv = part[:, :1], part[:, 1:]
    root = (
        (1 - fu) * (1 - fv) * texels[first]
        + fu * (1 - fv) * texels[first + 1]
        + (1 - fu) * fv * texels[first + columns]
        + fu * fv * texels[first + columns + 1]
    ) / 255
    lit = (weights * light[frame[:, None], corners]).sum(1)
    glint = (weights * shine[frame[:, None], corners]).sum(1)
    fine[frame, y, x] = root.square() * lit + glint
    share[frame, y, x] = head[material[face]].float()
    size = height // samples
    colour = fine.view(count, size, samples, size, samples, 3).mean(dim=(2, 4))
    return colour, share.view(count, size, samples, size, samples).mean(dim=(2, 4))
