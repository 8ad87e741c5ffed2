"""Rotate-and-Render (Zhou, Liu, Liu, Liu, Wang; CVPR 2020, arXiv 2003.08124): the generator that repairs renderings.

A 3D head is fitted to the one source image, textured with it, turned and rendered; what the source does not show is
missing or wrong in the rendering. The generator (section 3.3) makes a photograph of it: convolutions that halve the
picture, residual blocks whose normalisation is modulated by a map of where the face's features lie (SPADE), transposed
convolutions that double it. Its names and shapes are those of the public code. Fitting and rendering are no networks:
`baselines.head_fitting`, `baselines.head_rendering`.

The map has five channels, each in [0, 1]: the landmarks of outline, brows, nose, eyes and mouth, joined to curves
and blurred. The published network takes renderings in [-1, 1] (`raw`); `forward` takes and gives [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import InputError, check_images
from models.layers import doubling_widths
from models.presets import configure
from models.spade import HIDDEN, SLOPE

KEPT = 0.99  # how near to black and white a rendering is taken where the network adds to it: tanh never reaches 1


@dataclass(frozen=True)
class Config:
    """Sizes; the defaults are those of the published model. Every field is a switch of `models.create`."""

    width: int = 64
    down_blocks: int = 4
    blocks: int = 9
    map_channels: int = 5
    hidden: int = HIDDEN  # channels between the map and what modulates
    residual: bool = False  # True: the output is added to the rendering, and nothing at first; not in the paper
    disc_width: int = 64
    disc_max_width: int = 512
    disc_blocks: int = 4
    disc_scales: int = 2


PRESETS = {
    "paper": Config(),  # 256 x 256
    "mini": Config(  # for 128 x 128 images
        width=24, down_blocks=2, blocks=3, hidden=16, residual=True, disc_width=16, disc_max_width=64, disc_blocks=3
    ),
}


def create(preset: str, **switches: Any) -> dict[str, nn.Module]:
    """Generator and discriminator of `preset` with fields of `Config` replaced by `switches`."""
    config = configure("rar", PRESETS, preset, switches)
    return {"netG_rotatespade": Generator(config), "netD": MultiScaleDiscriminator(config)}


class Generator(nn.Module):
    """Section 3.3: renderings to photographs, with SPADE (Park et al., CVPR 2019) in the residual blocks."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.multiple = 2**config.down_blocks
        self.map_channels, self.residual = config.map_channels, config.residual
        widths = doubling_widths(config.width, config.width * self.multiple, config.down_blocks)
        self.first_layer = nn.Sequential(nn.ReflectionPad2d(3), NormedConv(3, widths[0], 7), nn.ReLU())
        self.downsample_layers = nn.Sequential()
        self.upsample_layers = nn.Sequential()
        for narrow, wide in pairwise(widths):
            self.downsample_layers.extend([NormedConv(narrow, wide, 3, stride=2, padding=1), nn.ReLU()])
        for wide, narrow in pairwise(reversed(widths)):
            self.upsample_layers.extend([NormedTransposedConv(wide, narrow), nn.ReLU()])
        self.blocks = config.blocks
        for i in range(config.blocks):
            self.add_module(f"resnet_layers{i}", SpadeResnetBlock(widths[-1], config.map_channels, config.hidden))
        last = nn.Conv2d(widths[0], 3, 7)
        if config.residual:
            for parameter in last.parameters():
                nn.init.zeros_(parameter)
        self.final_layer = nn.Sequential(nn.ReflectionPad2d(3), last, nn.Tanh())

    def forward(self, rendering: Tensor, curves: Tensor) -> dict[str, Tensor]:
        """Renderings [B, 3, H, W] and curves [B, 5, H, W], both in [0, 1]: prediction [B, 3, H, W] in [0, 1].

        H and W must be multiples of `self.multiple`.
        """
        check_images("rendering", rendering, multiple=self.multiple)
        check_images("curves", curves, channels=self.map_channels)
        if len(curves) != len(rendering):
            raise InputError(f"curves: expected as many as renderings ({len(rendering)}), got {len(curves)}")
        return {"prediction": (self.raw(rendering * 2 - 1, curves) + 1) / 2}

    def raw(self, rendering: Tensor, curves: Tensor) -> Tensor:
        """The published call: renderings in [-1, 1] to images in [-1, 1], of any size that can be halved so often."""
        x: Tensor = self.downsample_layers(self.first_layer(rendering))
        for i in range(self.blocks):
            x = self.get_submodule(f"resnet_layers{i}")(x, curves)
        x = self.upsample_layers(x)
        if not self.residual:
            image: Tensor = self.final_layer(x)
            return image
        added: Tensor = self.final_layer[:2](x)
        return (added + torch.atanh(KEPT * rendering.clamp(-1, 1))).tanh()


class NormedConv(nn.Sequential):
    """A convolution without bias under spectral norm, then batch normalisation."""

    normalised: ClassVar = (("0", "1"),)  # for `models.folding`

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, padding: int = 0) -> None:
        convolution = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False)
        super().__init__(nn.utils.spectral_norm(convolution), nn.BatchNorm2d(out_channels))


class NormedTransposedConv(nn.Sequential):
    """The same, of a transposed convolution that doubles the picture."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        convolution = nn.ConvTranspose2d(in_channels, out_channels, 3, 2, padding=1, output_padding=1, bias=False)
        super().__init__(nn.utils.spectral_norm(convolution), nn.BatchNorm2d(out_channels))


class SpadeResnetBlock(nn.Module):
    """x + two times a convolution (reflection padding, spectral norm), a modulated normalisation and a leaky ReLU."""

    def __init__(self, channels: int, map_channels: int, hidden: int) -> None:
        super().__init__()
        self.conv_0 = nn.utils.spectral_norm(nn.Conv2d(channels, channels, 3))
        self.conv_1 = nn.utils.spectral_norm(nn.Conv2d(channels, channels, 3))
        self.conv_block1, self.conv_block4 = self.conv_0, self.conv_1  # published files hold both under two names
        self.norm_0 = BatchSpade(channels, map_channels, hidden)
        self.norm_1 = BatchSpade(channels, map_channels, hidden)

    def forward(self, x: Tensor, curves: Tensor) -> Tensor:
        """[B, C, H, W] and a map [B, M, h, w] -> [B, C, H, W]."""
        inner = self.conv_0(F.pad(x, (1, 1, 1, 1), mode="reflect"))
        inner = F.leaky_relu(self.norm_0(inner, curves), SLOPE)
        inner = self.conv_1(F.pad(inner, (1, 1, 1, 1), mode="reflect"))
        return x + F.leaky_relu(self.norm_1(inner, curves), SLOPE)


class BatchSpade(nn.Module):
    """Equation 1 of SPADE with batch normalisation: normalised x times (1 + gamma), plus beta, convolved from a map."""

    def __init__(self, channels: int, map_channels: int, hidden: int) -> None:
        super().__init__()
        self.param_free_norm = nn.BatchNorm2d(channels, affine=False)
        self.mlp_shared = nn.Sequential(nn.Conv2d(map_channels, hidden, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor, curves: Tensor) -> Tensor:
        """x [B, C, H, W], modulated by a map [B, M, h, w] that is resized to H x W (nearest)."""
        shared = self.mlp_shared(F.interpolate(curves, size=x.shape[2:], mode="nearest"))
        return torch.addcmul(self.mlp_beta(shared), self.param_free_norm(x), 1 + self.mlp_gamma(shared))


class MultiScaleDiscriminator(nn.Module):
    """Section 3.4: the patch discriminators of pix2pixHD (Wang et al., CVPR 2018), one for each size of image."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchDiscriminator(config) for _ in range(config.disc_scales))

    def forward(self, image: Tensor) -> list[tuple[list[Tensor], Tensor]]:
        """[B, 3, H, W] in [0, 1]: of every scale the features of each layer, and scores [B, 1, h, w] (hinge)."""
        found, x = [], image * 2 - 1
        for scale in self.scales:
            found.append(scale(x))
            x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        return found


class PatchDiscriminator(nn.Module):
    """Convolutions of 4 x 4 under spectral norm, all but the first with instance normalisation; the last keeps size."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = doubling_widths(config.disc_width, config.disc_max_width, config.disc_blocks - 1)
        self.first = nn.Conv2d(3, widths[0], 4, stride=2, padding=2)
        self.convs = nn.ModuleList(
            nn.utils.spectral_norm(
                nn.Conv2d(a, b, 4, stride=1 if i == config.disc_blocks - 2 else 2, padding=2, bias=False)
            )
            for i, (a, b) in enumerate(pairwise(widths))
        )
        self.score = nn.Conv2d(widths[-1], 1, 4, padding=2)

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """[B, 3, H, W] in [-1, 1]: features of every layer, and scores [B, 1, h, w]."""
        x = F.leaky_relu(self.first(x), SLOPE)
        features = [x]
        for convolution in self.convs:
            x = F.leaky_relu(F.instance_norm(convolution(x)), SLOPE)
            features.append(x)
        return features, self.score(x)
