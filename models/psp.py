"""pSp (Richardson, Alaluf, Patashnik, Nitzan, Azar, Shapiro, Cohen-Or; Encoding in Style: a StyleGAN Encoder for
Image-to-Image Translation, CVPR 2021, arXiv 2008.00951).

A feature pyramid over an IR-SE50 trunk gives maps of three sizes; a small map2style network for each layer of StyleGAN2
takes one of them to that layer's style (section 3, figure 2). The styles are offsets from the average style of the
generator: pSp(x) = G(E(x) + w-bar) (eq. 1). Trained to frontalise, E gives the same styles whichever way the head in x
is turned, and G draws it facing the camera.

`PoseDirections` turns that head: along directions in W+, one for each angle. Angles are yaw, pitch, roll in degrees in
the convention of this project (`models.pose`, "camera"). Images are [B, 3, H, W] in [0, 1] where `PSp` takes and gives
them, in [-1, 1] in the encoder and the decoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import InputError, check_images, check_shape
from models.ir_se import Trunk
from models.presets import configure
from models.stylegan2 import EqualLinear, Generator, layers_of

STEP = 10.0  # degrees: what one length of a direction turns the head by


@dataclass(frozen=True)
class Config:
    """Sizes; the defaults are the published ones. Every field is a switch of `models.create`."""

    side: int = 1024  # of the decoder's images
    encoder_side: int = 256  # of the encoder's images
    widths: Sequence[int] = (64, 128, 256, 512)  # of the trunk's stages
    units: Sequence[int] = (3, 4, 14, 3)
    style: int = 512  # D
    coarse: int = 3  # how many styles come from the smallest map
    middle: int = 4  # from the middle one; the others come from the largest
    mapping: int = 8  # layers of the mapping network
    width: int = 32768  # channels of the decoder times its side
    max_width: int = 512
    rate: float = 1.0  # of the decoder's learning, and of the layers that give styles


PRESETS = {
    "paper": Config(),
    "mini": Config(
        side=64,
        encoder_side=32,
        widths=(16, 24, 32, 48),
        units=(1, 1, 2, 1),
        style=48,
        width=1024,
        max_width=64,
        rate=6.0,
    ),
}


def create(preset: str, **switches: Any) -> dict[str, nn.Module]:
    """Encoder, decoder, average style and pose directions of `preset` with fields of `Config` replaced by `switches`;
    `UnknownName` for other names.

    The first two are named as in the published checkpoints, the third holds their `latent_avg`; the directions are this
    project's.
    """
    config = configure("psp", PRESETS, preset, switches)
    layers = layers_of(config.side)
    return {
        "encoder": GradualStyleEncoder(config),
        "decoder": Generator(config.side, config.style, config.mapping, config.width, config.max_width, config.rate),
        "average": AverageStyle(layers, config.style),
        "directions": PoseDirections(layers, config.style),
    }


class Map2Style(nn.Module):
    """A map of a power of two pixels to one style: convolutions of stride 2 down to one pixel, then a linear layer."""

    def __init__(self, channels: int, side: int, rate: float) -> None:
        super().__init__()
        halvings = side.bit_length() - 1
        layers = ((nn.Conv2d(channels, channels, 3, stride=2, padding=1), nn.LeakyReLU()) for _ in range(halvings))
        self.convs = nn.Sequential(*chain.from_iterable(layers))
        self.linear = EqualLinear(channels, channels, rate=rate)

    def forward(self, x: Tensor) -> Tensor:
        """[B, D, side, side] -> [B, D]."""
        style: Tensor = self.linear(self.convs(x).flatten(1))
        return style


class GradualStyleEncoder(Trunk):
    """Section 3.1: coarse styles from the map of 1/16 of the image's side, middle ones from 1/8, fine ones from 1/4."""

    def __init__(self, config: Config) -> None:
        if config.widths[-1] != config.style or len(config.widths) != 4:
            raise ValueError(f"widths: expected four stages, the last of {config.style}, got {config.widths}")
        super().__init__(config.widths, config.units)
        self.side, self.coarse, self.middle = config.encoder_side, config.coarse, config.coarse + config.middle
        shares = [16 if i < self.coarse else 8 if i < self.middle else 4 for i in range(layers_of(config.side))]
        self.styles = nn.ModuleList(Map2Style(config.style, self.side // share, config.rate) for share in shares)
        self.latlayer1 = nn.Conv2d(config.widths[2], config.style, 1)
        self.latlayer2 = nn.Conv2d(config.widths[1], config.style, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, 3, side, side] in [-1, 1] -> offsets of styles [B, L, D]."""
        check_shape("x", x, (None, 3, self.side, self.side))
        _, large, middle, small = self.stages(x)
        middle = _enlarged(small, middle) + self.latlayer1(middle)
        large = _enlarged(middle, large) + self.latlayer2(large)
        maps = [small if i < self.coarse else middle if i < self.middle else large for i in range(len(self.styles))]
        return torch.stack([style(one) for style, one in zip(self.styles, maps, strict=True)], dim=1)


def _enlarged(x: Tensor, to: Tensor) -> Tensor:
    return F.interpolate(x, size=to.shape[2:], mode="bilinear", align_corners=True)


class AverageStyle(nn.Module):
    """w-bar: the mean of the mapping network's w, for each layer; zeros until it is known."""

    latent_avg: Tensor

    def __init__(self, layers: int, style: int) -> None:
        super().__init__()
        self.register_buffer("latent_avg", torch.zeros(layers, style))

    def forward(self, offsets: Tensor) -> Tensor:
        """Styles [B, L, D] of the encoder's offsets from the average."""
        check_shape("offsets", offsets, (None, *self.latent_avg.shape))
        return offsets + self.latent_avg

    @torch.no_grad()
    def take(self, decoder: Generator, z: Tensor) -> None:
        """The mean of f(z) over z [N, D], for all layers the same."""
        self.latent_avg.copy_(decoder.style(z).mean(0).expand_as(self.latent_avg))


class PoseDirections(nn.Module):
    """Head pose in W+ is taken to be linear, both ways.

    Turned by an angle, styles move along that angle's direction; and the pose that styles stand for is read off them by
    a linear function. Where the encoder frontalises, the latter is 0: all its styles face the camera.
    """

    readout: Tensor
    rest: Tensor

    def __init__(self, layers: int, style: int) -> None:
        super().__init__()
        # A step of `STEP` degrees of yaw, pitch, roll; at first any direction, to which training bends the decoder too.
        self.directions = nn.Parameter(0.3 * torch.randn(3, layers, style))
        self.register_buffer("readout", torch.zeros(3, layers, style))  # degrees for each unit of a style
        self.register_buffer("rest", torch.zeros(3))

    def pose(self, styles: Tensor) -> Tensor:
        """Yaw, pitch, roll [B, 3] in degrees of styles [B, L, D]."""
        check_shape("styles", styles, (None, *self.directions.shape[1:]))
        pose: Tensor = styles.flatten(1) @ self.readout.flatten(1).t() + self.rest
        return pose

    def turned(self, styles: Tensor, angles: Tensor) -> Tensor:
        """Styles [B, L, D] of heads facing the camera, turned by angles [B, 3] in degrees."""
        check_shape("styles", styles, (None, *self.directions.shape[1:]))
        check_shape("angles", angles, (len(styles), 3))
        return styles + torch.einsum("ba,ald->bld", angles / STEP, self.directions)

    def forward(self, styles: Tensor, angles: Tensor) -> Tensor:
        """Styles [B, L, D] brought from the pose that they stand for to angles [B, 3] in degrees."""
        check_shape("angles", angles, (len(styles), 3))
        return self.turned(styles, angles - self.pose(styles))

    @torch.no_grad()
    def fit(self, styles: Tensor, angles: Tensor, *, ridge: float = 1e-2) -> None:
        """Find directions and readout from styles [N, L, D] of heads at known angles [N, 3].

        Directions: least squares of styles on angles, S = 1 s-bar + A D / 10. Readout: ridge regression of angles on
        styles, `ridge` being a share of the styles' mean variance. `InputError` unless the angles span all three.
        """
        count, layers, width = styles.shape
        check_shape("angles", angles, (count, 3))
        s, a = styles.flatten(1).double(), angles.double()
        centred_s, centred_a = s - s.mean(0), a - a.mean(0)
        if count < 4 or torch.linalg.matrix_rank(centred_a) < 3:
            raise InputError(f"angles: expected at least 4 poses that differ in yaw, pitch and roll, got {count}")
        directions = STEP * torch.linalg.lstsq(centred_a, centred_s).solution
        penalty = ridge * centred_s.square().sum() / s.shape[1]
        gram = centred_s.t() @ centred_s + penalty * torch.eye(s.shape[1], dtype=s.dtype)
        readout = torch.linalg.solve(gram, centred_s.t() @ centred_a).t()
        self.directions.copy_(directions.view(3, layers, width))
        self.readout.copy_(readout.view(3, layers, width))
        self.rest.copy_(a.mean(0) - readout @ s.mean(0))


@dataclass(frozen=True)
class PSp:
    """The whole: images to styles to images."""

    encoder: GradualStyleEncoder
    decoder: Generator
    average: AverageStyle

    def encode(self, images: Tensor) -> Tensor:
        """Styles [B, L, D] of images [B, 3, H, W] in [0, 1], whose sides are multiples of the encoder's."""
        check_images("images", images, multiple=self.encoder.side)
        pooled = F.adaptive_avg_pool2d(images, self.encoder.side)
        styles: Tensor = self.average(self.encoder(2 * pooled - 1))
        return styles

    def decode(self, styles: Tensor, *, pooled: bool = False) -> Tensor:
        """Images [B, 3, side, side] in [0, 1] of styles [B, L, D]; `pooled`: averaged down to the encoder's side."""
        images = self.decoder(styles)
        if pooled:
            images = F.adaptive_avg_pool2d(images, self.encoder.side)
        drawn: Tensor = (images.float() / 2 + 0.5).clamp(0, 1)
        return drawn

    def __call__(self, images: Tensor) -> Tensor:
        """Images in [0, 1] as the network draws them, at the encoder's side: frontalised, where it learnt that."""
        return self.decode(self.encode(images), pooled=True)
