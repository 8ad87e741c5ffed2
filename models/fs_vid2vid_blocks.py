"""What the fs-vid2vid networks are built of; module names are those of the published state dicts.

Weights of a convolution are either learned, then under spectral norm, or *generated*: made for a person by another
network, in which case every image of a batch has its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layers import coordinate_grid, unrounded

SLOPE = 0.2  # of every leaky ReLU

Coefficients = tuple[Tensor, Tensor]
"""Weight [B, out, in, k, k] and bias [B, out] of a generated convolution."""


def activated(x: Tensor) -> Tensor:
    """Leaky ReLU."""
    return F.leaky_relu(x, SLOPE)


def generated_conv(x: Tensor, coefficients: Coefficients) -> Tensor:
    """Each image of [B, in, H, W] convolved with its own weights: [B, out, H, W]."""
    weight, bias = coefficients
    batch, out, _, size, _ = weight.shape
    mixed = F.conv2d(
        x.reshape(1, -1, *x.shape[2:]), weight.flatten(0, 1), bias.flatten(), padding=size // 2, groups=batch
    )
    return mixed.view(batch, out, *x.shape[2:])


def warp(images: Tensor, flow: Tensor) -> Tensor:
    """Images [B, C, H, W] looked up where the flow [B, 2, H, W] leads: w(I)(p) = I(p + f(p)), f = (x, y) in pixels.

    Bilinear; beyond the border the border goes on.
    """
    flow = unrounded(flow)
    height, width = images.shape[2:]
    reach = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=flow.dtype, device=flow.device)
    places = coordinate_grid(height, width, flow) + flow.permute(0, 2, 3, 1) / reach
    return F.grid_sample(images.to(flow.dtype), places, padding_mode="border", align_corners=True)


class ConvBlock(nn.Module):
    """Convolution, instance normalisation where asked for, leaky ReLU where asked for."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 3,
        stride: int = 1,
        *,
        padding: int | None = None,
        norm: bool = False,
        active: bool = True,
        spectral: bool = True,
    ) -> None:
        super().__init__()
        conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2 if padding is None else padding)
        self.layers = nn.ModuleDict({"conv": nn.utils.spectral_norm(conv) if spectral else conv})
        if norm:
            self.layers["norm"] = nn.InstanceNorm2d(out_channels, affine=True)
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] -> [B, out, H', W']."""
        for layer in self.layers.values():
            x = layer(x)
        return activated(x) if self.active else x


class LinearBlock(nn.Module):
    """Linear layer, leaky ReLU where asked for."""

    def __init__(self, in_features: int, out_features: int, *, active: bool = True) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({"conv": nn.utils.spectral_norm(nn.Linear(in_features, out_features))})
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        """[N, in] -> [N, out]."""
        x = self.layers["conv"](x)
        return activated(x) if self.active else x


class NormConv(nn.Module):
    """Instance normalisation, leaky ReLU, convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        conv = nn.utils.spectral_norm(nn.Conv2d(channels, channels, 3, padding=1))
        self.layers = nn.ModuleDict({"norm": nn.InstanceNorm2d(channels, affine=True), "conv": conv})

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape."""
        convolved: Tensor = self.layers["conv"](activated(self.layers["norm"](x)))
        return convolved


class ResBlock(nn.Module):
    """x plus two `NormConv` of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_block_0 = NormConv(channels)
        self.conv_block_1 = NormConv(channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape."""
        whole: Tensor = x + self.conv_block_1(self.conv_block_0(x))
        return whole


class Spade(nn.Module):
    """Instance normalisation, then x (1 + gamma) + beta once for each map that is there, in their order (section 3.2).

    gamma and beta of a map are a 1 x 1 convolution of it. Those of the first map, the label's, may be generated.
    """

    def __init__(self, channels: int, map_channels: int, maps: int, *, generated: bool) -> None:
        super().__init__()
        self.mlps = nn.ModuleList(
            nn.Identity() if generated and not number else nn.Sequential(_Modulation(map_channels, 2 * channels))
            for number in range(maps)
        )

    def forward(self, x: Tensor, maps: Sequence[Tensor | None], coefficients: Coefficients | None) -> Tensor:
        """[B, C, H, W] and maps [B, M, H, W] -> [B, C, H, W]."""
        x = F.instance_norm(x)
        for number, (mlp, modulating) in enumerate(zip(self.mlps, maps, strict=True)):
            if modulating is None:
                continue
            made = coefficients is not None and not number
            gamma, beta = (
                generated_conv(modulating, coefficients) if made and coefficients else mlp(modulating)
            ).chunk(2, dim=1)
            x = x * (1 + gamma) + beta
        return x


class _Modulation(nn.Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({"conv": nn.Conv2d(in_channels, out_channels, 1)})

    def forward(self, x: Tensor) -> Tensor:
        convolved: Tensor = self.layers["conv"](x)
        return convolved


class SpadeConv(nn.Module):
    """`Spade`, leaky ReLU where asked for, convolution."""

    def __init__(self, channels: int, out_channels: int, spade: Spade, kernel: int = 3, *, active: bool = True) -> None:
        super().__init__()
        conv = nn.utils.spectral_norm(nn.Conv2d(channels, out_channels, kernel, padding=kernel // 2))
        self.layers = nn.ModuleDict({"norm": spade, "conv": conv})
        self.active = active

    def forward(self, x: Tensor, maps: Sequence[Tensor | None], coefficients: Coefficients | None) -> Tensor:
        """[B, C, H, W] and maps [B, M, H, W] -> [B, out, H, W]."""
        x = self.layers["norm"](x, maps, coefficients)
        convolved: Tensor = self.layers["conv"](activated(x) if self.active else x)
        return convolved


class SpadeResBlock(nn.Module):
    """Two modulated convolutions; where channels change the shortcut is a modulated 1 x 1 convolution."""

    def __init__(
        self, in_channels: int, out_channels: int, map_channels: int, *, maps: int = 1, generated: bool = False
    ) -> None:
        super().__init__()

        def spade(channels: int) -> Spade:
            return Spade(channels, map_channels, maps, generated=generated)

        self.conv_block_0 = SpadeConv(in_channels, out_channels, spade(in_channels))
        self.conv_block_1 = SpadeConv(out_channels, out_channels, spade(out_channels))
        self.shortcut = in_channels != out_channels
        if self.shortcut:
            self.conv_block_s = SpadeConv(in_channels, out_channels, spade(in_channels), 1, active=False)

    def forward(
        self, x: Tensor, maps: Sequence[Tensor | None], coefficients: Sequence[Coefficients | None] = (None, None, None)
    ) -> Tensor:
        """[B, in, H, W] and maps [B, M, H, W] -> [B, out, H, W]; `coefficients`: of both blocks and the shortcut."""
        first, second, beside = coefficients
        inner = self.conv_block_1(self.conv_block_0(x, maps, first), maps, second)
        whole: Tensor = inner + (self.conv_block_s(x, maps, beside) if self.shortcut else x)
        return whole


class Embedder(nn.Module):
    """From a picture to a map at every size, by halvings and doublings; with skip connections if it is a `unet`.

    The last `generated` doublings, those at the largest sizes, have no weights of their own.
    """

    def __init__(self, in_channels: int, widths: Sequence[int], *, unet: bool = False, generated: int = 0) -> None:
        super().__init__()
        self.downs, self.unet, self.generated = len(widths) - 1, unet, generated
        self.conv_first = ConvBlock(in_channels, widths[0])
        for i in range(self.downs):
            setattr(self, f"down_{i}", ConvBlock(widths[i], widths[i + 1], stride=2))
        for i in reversed(range(generated, self.downs)):
            joined = unet and i != self.downs - 1
            setattr(self, f"up_{i}", ConvBlock(widths[i + 1] * (2 if joined else 1), widths[i]))

    def forward(self, x: Tensor, coefficients: Sequence[Coefficients] = ()) -> list[Tensor]:
        """[B, in, H, W], H and W multiples of 2^downs -> maps [B, c_i, H / 2^i, W / 2^i] for i = 0 .. downs."""
        down = [self.conv_first(x)]
        for i in range(self.downs):
            down.append(self.get_submodule(f"down_{i}")(down[-1]))
        maps = [down[-1]]
        for i in reversed(range(self.downs)):
            joined = self.unet and i != self.downs - 1
            wide = F.interpolate(torch.cat([maps[-1], down[i + 1]], dim=1) if joined else maps[-1], scale_factor=2.0)
            if i < self.generated:
                maps.append(activated(generated_conv(wide, coefficients[i])))
            else:
                maps.append(self.get_submodule(f"up_{i}")(wide))
        return maps[::-1]
