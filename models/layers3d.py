"""Blocks on volumes [B, C, D, H, W], the 3D relatives of `models.layers`, with the names of published checkpoints.

Depth is never halved or enlarged: every block changes height and width alone. A volume of depth 1 is a map: blocks made
with `deep=False` have kernels of depth 1, and its grid lies at z = 0.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layers import NEGLIGIBLE, doubling_widths


def volume_grid(depth: int, height: int, width: int, like: Tensor) -> Tensor:
    """Voxel centres as (x, y, z) in [-1, 1], corners at the extremes: [D, H, W, 3]; z is 0 if there is one layer."""
    x, y, z = (_line(size, like) for size in (width, height, depth))
    return torch.stack(torch.meshgrid(z, y, x, indexing="ij")[::-1], dim=-1)


def gaussian_volumes(points: Tensor, depth: int, height: int, width: int, variance: float) -> Tensor:
    """Unit-height Gaussians around points [B, K, 3] in [-1, 1]: [B, K, D, H, W], products of one along each axis.

    Where layers are few, the deviation along z is half their distance, so that no point is lost between two. Values
    below `NEGLIGIBLE` are 0.
    """
    along_z = max(variance, (1 / (depth - 1)) ** 2) if depth > 1 else variance
    x, y, z = (
        torch.exp(-0.5 * (_line(size, points) - points[..., axis, None]).square() / squared)
        for axis, (size, squared) in enumerate(((width, variance), (height, variance), (depth, along_z)))
    )
    return F.threshold((z[..., :, None] * y[..., None, :])[..., None] * x[..., None, None, :], NEGLIGIBLE, 0.0)


def _line(size: int, like: Tensor) -> Tensor:
    if size == 1:
        return like.new_zeros(1)
    return torch.linspace(-1, 1, size, dtype=like.dtype, device=like.device)


def convolution(in_channels: int, out_channels: int, kernel: int, *, deep: bool = True) -> nn.Conv3d:
    """A 3D convolution that keeps the size; its kernel has depth 1 unless `deep`."""
    depth = kernel if deep else 1
    return nn.Conv3d(in_channels, out_channels, (depth, kernel, kernel), padding=(depth // 2, kernel // 2, kernel // 2))


class SameBlock3d(nn.Module):
    """Convolution, batch normalisation, ReLU at one resolution."""

    normalised: ClassVar = (("conv", "norm"),)  # for `models.folding`

    def __init__(self, in_channels: int, out_channels: int, *, deep: bool = True) -> None:
        super().__init__()
        self.conv = convolution(in_channels, out_channels, 3, deep=deep)
        self.norm = nn.BatchNorm3d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, D, H, W] -> [B, out, D, H, W]."""
        return F.relu(self.norm(self.conv(x)), inplace=True)


class DownBlock3d(SameBlock3d):
    """`SameBlock3d` followed by averaging of 2 x 2 in height and width."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, D, H, W] -> [B, out, D, H/2, W/2]."""
        return F.avg_pool3d(super().forward(x), (1, 2, 2))


class UpBlock3d(SameBlock3d):
    """`SameBlock3d` on the input enlarged twice in height and width (nearest)."""

    enlarged: ClassVar = (("enlarge", "conv"),)

    def __init__(self, in_channels: int, out_channels: int, *, deep: bool = True) -> None:
        super().__init__(in_channels, out_channels, deep=deep)
        self.enlarge = nn.Upsample(scale_factor=(1, 2, 2))

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, D, H, W] -> [B, out, D, 2H, 2W]."""
        return super().forward(self.enlarge(x))


class ResBlock3d(nn.Module):
    """Pre-activation residual block: x + conv(relu(norm(conv(relu(norm(x))))))."""

    normalised: ClassVar = (("conv1", "norm2"),)

    def __init__(self, channels: int, *, deep: bool = True) -> None:
        super().__init__()
        self.conv1 = convolution(channels, channels, 3, deep=deep)
        self.conv2 = convolution(channels, channels, 3, deep=deep)
        self.norm1 = nn.BatchNorm3d(channels)
        self.norm2 = nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, D, H, W] -> the same shape."""
        residual: Tensor = self.conv1(F.relu(self.norm1(x), inplace=True))
        residual = self.conv2(F.relu(self.norm2(residual), inplace=True))
        return x + residual


class _Encoder3d(nn.Module):
    def __init__(self, in_channels: int, widths: list[int], *, deep: bool) -> None:
        super().__init__()
        channels = [in_channels, *widths[1:]]
        self.down_blocks = nn.ModuleList(DownBlock3d(a, b, deep=deep) for a, b in pairwise(channels))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = [x]
        for block in self.down_blocks:
            features.append(block(features[-1]))
        return features


class _Decoder3d(nn.Module):
    def __init__(self, widths: list[int], out_channels: int, *, head: bool, deep: bool) -> None:
        super().__init__()
        deepest = len(widths) - 1
        self.up_blocks = nn.ModuleList(
            UpBlock3d(widths[i] if i == deepest else 2 * widths[i], widths[i - 1], deep=deep)
            for i in range(deepest, 0, -1)
        )
        self.head = head
        if head:
            self.conv = convolution(out_channels, out_channels, 3, deep=deep)
            self.norm = nn.BatchNorm3d(out_channels)
            self.normalised = (("conv", "norm"),)

    def forward(self, features: list[Tensor]) -> Tensor:
        out, *skips = reversed(features)
        for block, skip in zip(self.up_blocks, skips, strict=True):
            out = torch.cat([block(out), skip], dim=1)
        return F.relu(self.norm(self.conv(out)), inplace=True) if self.head else out


class Hourglass3d(nn.Module):
    """U-Net of `blocks` halvings of height and width, whose last features stand before the input as channels.

    Channels double from `width` at full resolution up to `max_width`; the output has `width + in_channels` channels.
    `head`: one more convolution with normalisation and ReLU over all of them.
    """

    def __init__(
        self, in_channels: int, width: int, max_width: int, blocks: int, *, head: bool = False, deep: bool = True
    ) -> None:
        super().__init__()
        widths = doubling_widths(width, max_width, blocks)
        self.out_channels = widths[0] + in_channels
        self.encoder = _Encoder3d(in_channels, widths, deep=deep)
        self.decoder = _Decoder3d(widths, self.out_channels, head=head, deep=deep)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, D, H, W], H and W multiples of 2^blocks -> [B, width + in, D, H, W]."""
        decoded: Tensor = self.decoder(self.encoder(x))
        return decoded
