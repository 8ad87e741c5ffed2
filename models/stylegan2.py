"""StyleGAN2 (Karras, Laine, Aittala, Hellsten, Lehtinen, Aila; Analyzing and Improving the Image Quality of StyleGAN,
CVPR 2020, arXiv 1912.04958): the generator, in plain torch.

A mapping network f takes z to w; the synthesis network g takes styles to an image, doubling its side from 4 pixels.
Styles [B, L, D] hold one w for each of the L = 2 log2(side) - 2 layers that take one (the space W+ of Abdal, Qin and
Wonka, ICCV 2019); a single w is every layer's. Images are [B, 3, side, side], in [-1, 1] where the network was trained
on such ones, and not clamped. The layers' names are those of the public PyTorch implementation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import check_shape

TAPS = (1.0, 3.0, 3.0, 1.0)  # of the low-pass filter, in each direction
GAIN = 2**0.5  # after a leaky ReLU, so that variances stay
SLOPE = 0.2


def upfirdn2d(
    x: Tensor, kernel: Tensor, *, up: int = 1, down: int = 1, pad: tuple[int, int, int, int] = (0, 0, 0, 0)
) -> Tensor:
    """Put up - 1 zeros after each pixel, pad, convolve with a FIR filter, keep each `down`-th pixel.

    x [B, C, H, W]; kernel [h, w], the same for all channels; pad: left, right, top, bottom, where negative crops. The
    side of the result is (H up + top + bottom - h) // down + 1.
    """
    batch, channels, height, width = x.shape
    if up > 1:
        spread = x.new_zeros(batch, channels, height, up, width, up)
        spread[:, :, :, 0, :, 0] = x
        x = spread.view(batch, channels, height * up, width * up)
    if any(pad):
        x = F.pad(x, pad)
    weight = kernel.flip(0, 1).to(x.dtype).expand(channels, 1, -1, -1)  # torch correlates, a filter convolves
    return F.conv2d(x, weight, stride=down, groups=channels)


def fused_leaky_relu(x: Tensor, bias: Tensor) -> Tensor:
    """Leaky ReLU of x [B, C, ...] plus bias [C], times the square root of 2."""
    return GAIN * F.leaky_relu(x + bias.view(1, -1, *[1] * (x.dim() - 2)), SLOPE)


def low_pass(gain: float = 1.0) -> Tensor:
    """The filter [4, 4] that goes with every change of size; its taps add up to `gain`."""
    taps = torch.tensor(TAPS)
    kernel = torch.outer(taps, taps)
    return gain * kernel / kernel.sum()


def layers_of(side: int) -> int:
    """How many styles L a generator of images of so many pixels takes; `ValueError` unless a power of two above 4."""
    if side < 8 or side & (side - 1):
        raise ValueError(f"side: expected a power of two of at least 8, got {side}")
    return 2 * side.bit_length() - 4


class PixelNorm(nn.Module):
    """x / sqrt(mean x^2 + 1e-8) over channels."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C] -> [B, C]."""
        return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class EqualLinear(nn.Module):
    """A linear layer whose weights are stored at unit variance and scaled when used (equalised learning rate)."""

    def __init__(
        self, inputs: int, outputs: int, *, bias: float = 0.0, rate: float = 1.0, activated: bool = False
    ) -> None:
        """`rate`: times the learning rate; `bias`: at the start; `activated`: a leaky ReLU follows."""
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale, self.rate, self.activated = rate / math.sqrt(inputs), rate, activated

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs] -> [B, outputs]."""
        weight, bias = self.weight * self.scale, self.bias * self.rate
        return fused_leaky_relu(F.linear(x, weight), bias) if self.activated else F.linear(x, weight, bias)


class Filter(nn.Module):
    """The low-pass filter after a convolution that enlarges."""

    kernel: Tensor

    def __init__(self, pad: tuple[int, int], *, up: int = 1) -> None:
        super().__init__()
        self.register_buffer("kernel", low_pass(4.0))  # a pixel among three zeros counts four times
        self.pad, self.up = (*pad, *pad), up

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, up H + pads - 3, up W + pads - 3]."""
        return upfirdn2d(x, self.kernel, up=self.up, pad=self.pad)


class ModulatedConv(nn.Module):
    """A convolution whose kernels are scaled by a style and brought back to unit variance (section 2.2, eq. 1 and 3).

    w'_ijk = s_i w_ijk and w''_ijk = w'_ijk / sqrt(sum_ik w'_ijk^2 + 1e-8), for each image of a batch. Scaling kernels
    by s_i is scaling the input's channels, and dividing them is dividing the output's, so that one convolution with w
    serves the whole batch.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        style: int,
        *,
        demodulate: bool = True,
        up: bool = False,
        rate: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, outputs, inputs, kernel, kernel) / rate)
        self.modulation = EqualLinear(style, inputs, bias=1.0, rate=rate)
        self.scale, self.demodulate, self.padding = rate / math.sqrt(inputs * kernel**2), demodulate, kernel // 2
        self.blur = Filter((1, 1)) if up else None

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """[B, inputs, H, W] and styles [B, D] -> [B, outputs, H, W], or twice the size."""
        style = self.modulation(w)
        weight = self.scale * self.weight[0]
        x = x * style[:, :, None, None]
        if self.blur is None:
            x = F.conv2d(x, weight, padding=self.padding)
        else:
            x = self.blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        if self.demodulate:
            squared = style.square() @ weight.square().sum((2, 3)).t()
            x = x * (squared + 1e-8).rsqrt()[:, :, None, None]
        return x


class Noise(nn.Module):
    """Adds a picture of noise to every channel, as strong as was learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """[B, C, H, W] and [B or 1, 1, H, W] -> [B, C, H, W]."""
        return x + self.weight * noise


class BiasedLeakyReLU(nn.Module):
    """`fused_leaky_relu` with a bias of its own."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, ...] -> the same shape."""
        return fused_leaky_relu(x, self.bias)


class StyledConv(nn.Module):
    """Modulated convolution, noise, bias and leaky ReLU (figure 2c)."""

    def __init__(self, inputs: int, outputs: int, style: int, *, up: bool = False, rate: float = 1.0) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, outputs, 3, style, up=up, rate=rate)
        self.noise = Noise()
        self.activate = BiasedLeakyReLU(outputs)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """[B, inputs, H, W], styles [B, D] and noise of the output's size -> [B, outputs, H, W], or twice the size."""
        out: Tensor = self.activate(self.noise(self.conv(x, w), noise))
        return out


class ToRGB(nn.Module):
    """Colours of one resolution, added to the enlarged ones of the resolution before (section 4.1, "skip")."""

    def __init__(self, inputs: int, style: int, *, up: bool = True, rate: float = 1.0) -> None:
        super().__init__()
        self.upsample = Filter((2, 1), up=2) if up else None
        self.conv = ModulatedConv(inputs, 3, 1, style, demodulate=False, rate=rate)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor, w: Tensor, before: Tensor | None = None) -> Tensor:
        """[B, inputs, H, W], styles [B, D] and an image [B, 3, H/2, W/2] -> [B, 3, H, W]."""
        image: Tensor = self.conv(x, w) + self.bias
        if self.upsample is not None and before is not None:
            image = image + self.upsample(before)
        return image


class _Constant(nn.Module):
    """What synthesis begins with."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, channels, 4, 4))


class _Noises(nn.Module):
    """One picture of noise for each convolution."""

    def __init__(self, sides: Sequence[int]) -> None:
        super().__init__()
        for number, side in enumerate(sides):
            self.register_buffer(f"noise_{number}", torch.randn(1, 1, side, side))

    def pictures(self) -> list[Tensor]:
        """In the order of the convolutions."""
        return list(self.buffers())


class Generator(nn.Module):
    """f and g. Channels at a side of s pixels: `width` / s, at most `max_width`.

    `rate` multiplies the learning rate of g's convolutions, as f's is multiplied by 0.01: equalised weights move
    slowly, as is right where training takes weeks.
    """

    def __init__(
        self,
        side: int = 1024,
        style: int = 512,
        mapping: int = 8,
        width: int = 32768,
        max_width: int = 512,
        rate: float = 1.0,
    ) -> None:
        super().__init__()
        self.layers, self.style_dim = layers_of(side), style
        sides = [2**i for i in range(2, side.bit_length())]
        widths = [min(max_width, width // s) for s in sides]
        self.style = nn.Sequential(
            PixelNorm(), *(EqualLinear(style, style, rate=0.01, activated=True) for _ in range(mapping))
        )
        self.input = _Constant(widths[0])
        self.conv1 = StyledConv(widths[0], widths[0], style, rate=rate)
        self.to_rgb1 = ToRGB(widths[0], style, up=False, rate=rate)
        self.convs, self.to_rgbs = nn.ModuleList(), nn.ModuleList()
        for before, channels in pairwise(widths):
            self.convs.append(StyledConv(before, channels, style, up=True, rate=rate))
            self.convs.append(StyledConv(channels, channels, style, rate=rate))
            self.to_rgbs.append(ToRGB(channels, style, rate=rate))
        self.noises = _Noises([4, *(s for s in sides[1:] for _ in range(2))])

    def forward(self, styles: Tensor, *, fresh_noise: bool = False, until: int | None = None) -> Tensor:
        """Images [B, 3, side, side] of styles [B, L, D], or of one w [B, D] for all layers.

        The noise is the stored one, always the same, or with `fresh_noise` drawn anew. `until`: a smaller side, at
        which synthesis ends.
        """
        if styles.dim() == 2:
            styles = styles[:, None].expand(-1, self.layers, -1)
        check_shape("styles", styles, (None, self.layers, self.style_dim))
        noises = self.noises.pictures()
        if fresh_noise:
            noises = [torch.randn_like(one.expand(len(styles), -1, -1, -1)) for one in noises]
        w = styles.unbind(1)
        x = self.conv1(self.input.input.expand(len(styles), -1, -1, -1), w[0], noises[0])
        image: Tensor = self.to_rgb1(x, w[1])
        for i, to_rgb in enumerate(self.to_rgbs):
            if image.shape[-1] == until:
                break
            x = self.convs[2 * i](x, w[2 * i + 1], noises[2 * i + 1])
            x = self.convs[2 * i + 1](x, w[2 * i + 2], noises[2 * i + 2])
            image = to_rgb(x, w[2 * i + 3], image)
        return image
