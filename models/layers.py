"""Blocks that the keypoint-driven models share. Tensors are [B, C, H, W] unless said otherwise.

Module and attribute names are those of the published checkpoints, so that their state dicts load.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NEGLIGIBLE = 1e-20  # of a Gaussian; what float32 holds as denormal numbers makes convolutions several times slower


def unrounded(x: Tensor) -> Tensor:
    """`x` as float32 where autocast made it less: what coordinates are computed from."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def coordinate_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Pixel centres as (x, y) in [-1, 1], corners at the extremes: [H, W, 2] with the dtype and device of `like`."""
    y = torch.linspace(-1, 1, height, dtype=like.dtype, device=like.device)
    x = torch.linspace(-1, 1, width, dtype=like.dtype, device=like.device)
    return torch.stack((x.expand(height, width), y[:, None].expand(height, width)), dim=-1)


def gaussian_heatmaps(points: Tensor, height: int, width: int, variance: float) -> Tensor:
    """Unit-height Gaussians around points [B, K, 2] in [-1, 1]: [B, K, H, W]; values below `NEGLIGIBLE` are 0."""
    offset = coordinate_grid(height, width, points) - points[:, :, None, None]
    return F.threshold(torch.exp(-0.5 * offset.square().sum(-1) / variance), NEGLIGIBLE, 0.0)


class AntiAliasDown(nn.Module):
    """Shrinks by `scale` = 1/n: a Gaussian of sigma (n - 1) / 2 with zero padding, then every n-th pixel."""

    weight: Tensor

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.stride = round(1 / scale)
        if abs(self.stride * scale - 1) > 1e-6:
            raise ValueError(f"scale: expected 1 / integer, got {scale}")
        sigma = (self.stride - 1) / 2
        radius = round(4 * sigma)
        position = torch.arange(-radius, radius + 1, dtype=torch.float32)
        profile = torch.exp(-position.square() / (2 * sigma**2)) if sigma else torch.ones(1)
        kernel = torch.outer(profile, profile)
        self.register_buffer("weight", (kernel / kernel.sum()).repeat(channels, 1, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H * scale, W * scale]."""
        channels, _, size, _ = self.weight.shape
        return F.conv2d(image, self.weight, stride=self.stride, padding=size // 2, groups=channels)


class SameBlock(nn.Module):
    """Convolution, batch normalisation, ReLU at one resolution."""

    normalised: ClassVar = (("conv", "norm"),)  # for `models.folding`

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] -> [B, out, H, W]."""
        return F.relu(self.norm(self.conv(x)), inplace=True)


class DownBlock(SameBlock):
    """`SameBlock` followed by 2 x 2 average pooling."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] -> [B, out, H/2, W/2]."""
        return F.avg_pool2d(super().forward(x), 2)


class UpBlock(SameBlock):
    """`SameBlock` on the input enlarged twice (nearest)."""

    enlarged: ClassVar = (("enlarge", "conv"),)

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels)
        self.enlarge = nn.Upsample(scale_factor=2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] -> [B, out, 2H, 2W]."""
        return super().forward(self.enlarge(x))


class ResBlock(nn.Module):
    """Pre-activation residual block: x + conv(relu(norm(conv(relu(norm(x))))))."""

    normalised: ClassVar = (("conv1", "norm2"),)

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape."""
        residual: Tensor = self.conv1(F.relu(self.norm1(x), inplace=True))
        residual = self.conv2(F.relu(self.norm2(residual), inplace=True))
        return x + residual


def doubling_widths(width: int, max_width: int, blocks: int) -> list[int]:
    """Channels at each of blocks + 1 resolutions: `width` times powers of two, at most `max_width`."""
    return [min(max_width, width * 2**i) for i in range(blocks + 1)]


class _Encoder(nn.Module):
    def __init__(self, in_channels: int, widths: list[int]) -> None:
        super().__init__()
        channels = [in_channels, *widths[1:]]
        self.down_blocks = nn.ModuleList(DownBlock(a, b) for a, b in pairwise(channels))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = [x]
        for block in self.down_blocks:
            features.append(block(features[-1]))
        return features


class _Decoder(nn.Module):
    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        deepest = len(widths) - 1
        self.up_blocks = nn.ModuleList(
            UpBlock(widths[i] if i == deepest else 2 * widths[i], widths[i - 1]) for i in range(deepest, 0, -1)
        )

    def forward(self, features: list[Tensor]) -> Tensor:
        out, *skips = reversed(features)
        for block, skip in zip(self.up_blocks, skips, strict=True):
            out = torch.cat([block(out), skip], dim=1)
        return out


class Hourglass(nn.Module):
    """U-Net of `blocks` halvings whose output keeps the input as its last channels.

    Channels double from `width` at full resolution up to `max_width`; the output has `width + in_channels` channels.
    """

    def __init__(self, in_channels: int, width: int, max_width: int, blocks: int) -> None:
        super().__init__()
        widths = doubling_widths(width, max_width, blocks)
        self.encoder = _Encoder(in_channels, widths)
        self.decoder = _Decoder(widths)
        self.out_channels = widths[0] + in_channels

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W], H and W multiples of 2^blocks -> [B, width + in, H, W]."""
        decoded: Tensor = self.decoder(self.encoder(x))
        return decoded
