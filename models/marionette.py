"""MarioNETte (Ha, Kersner, Kim, Seo, Kim; AAAI 2020, arXiv 1911.08139): few-shot reenactment by rendered landmarks.

The paper calls "target" what this project calls source (the person to be shown, in K images y^i) and "driver" what it
calls driving (x, of which only the landmarks are used); names here are the paper's. r = P(x) is a picture of an image's
landmarks. The driver encoder gives z_x = E_x(r_x); the target encoder gives z_y and normalised maps of each target; the
blender mixes z_x with all z_y by attention; the decoder draws, fetching detail from the normalised maps.

Images and rendered landmarks are [B, 3, H, W] in [0, 1], K of each target [B, K, 3, H, W]. A flow f is the offset, in
[-1, 1] of half the picture's side, from each place to where it looks: T(S; f)(p) = S(p + f(p)), bilinear, corners of
the picture at -1 and 1. What the paper leaves open is listed with what was chosen in docs/marionette.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import InputError, check_images, check_shape
from models.layers import coordinate_grid, doubling_widths
from models.presets import configure


@dataclass(frozen=True)
class Config:
    """Sizes; the defaults are the paper's, for 256 x 256. Every field is a switch of `models.create`."""

    width: int = 64  # channels at full resolution; they double with each halving
    max_width: int = 512
    scales: int = 4  # normalised maps S_1 .. S_4; z_x is 2^scales and z_y 2^(scales + 1) times smaller than the image
    attention_blocks: int = 3
    attention_width: int = 512  # c_a
    disc_width: int = 64
    disc_max_width: int = 512
    disc_blocks: int = 5
    spectral_norm: bool = True  # of the generator; the discriminator always has it


PRESETS = {
    "paper": Config(),
    "mini": Config(  # for 128 x 128 images
        width=8,
        max_width=96,
        scales=3,
        attention_blocks=2,
        attention_width=64,
        disc_width=16,
        disc_max_width=64,
        disc_blocks=4,
        spectral_norm=False,
    ),
}


def create(preset: str, **switches: Any) -> dict[str, nn.Module]:
    """Both networks of `preset` with fields of `Config` replaced by `switches`; `UnknownName` for other names."""
    config = configure("marionette", PRESETS, preset, switches)
    discriminator = Discriminator(config)
    _normalise_spectra(discriminator)
    return {"generator": Generator(config), "discriminator": discriminator}


@dataclass(frozen=True)
class Targets:
    """All that depends on the targets alone: computed once, used for every driving frame."""

    keys: tuple[Tensor, ...]  # of each attention block, [B, K * h * w, c_a]
    values: tuple[Tensor, ...]  # [B, K * h * w, c]
    normalised: tuple[Tensor, ...]  # S-hat_1 .. S-hat_n, each the mean over the K targets, [B, c_j, H / 2^j, W / 2^j]
    flows: tuple[Tensor, ...]  # f_y of each of the K targets, [B, 2, H / 2, W / 2]; what is learnt of them, not used

    def expand(self, count: int) -> Targets:
        """Those of one person (B = 1) for `count` driving frames, without copying."""
        return self._each(lambda tensor: tensor.expand(count, *tensor.shape[1:]))

    def repeat(self, times: int) -> Targets:
        """Each person's `times` times in a row: for as many driving frames of each."""
        return self if times == 1 else self._each(lambda tensor: tensor.repeat_interleave(times, dim=0))

    def _each(self, change: Any) -> Targets:
        return Targets(*(tuple(map(change, part)) for part in (self.keys, self.values, self.normalised, self.flows)))


class Generator(nn.Module):
    """G(r_x; {y^i}, {r_y^i}): driver encoder, target encoder, blender and decoder."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.multiple = 2 ** (config.scales + 1)
        self.driver_encoder = DriverEncoder(config)
        self.target_encoder = TargetEncoder(config)
        self.blender = Blender(config)
        self.decoder = Decoder(config)
        if config.spectral_norm:
            _normalise_spectra(self)

    def forward(self, driver: Tensor, targets: Tensor, target_landmarks: Tensor) -> dict[str, Tensor]:
        """Targets [B, K, 3, H, W] in the poses of rendered driver landmarks [B, 3, H, W].

        Gives prediction [B, 3, H, W] in [0, 1].
        """
        if len(driver) != len(targets):
            raise InputError(f"driver: expected as many as targets ({len(targets)}), got {len(driver)}")
        return {"prediction": self.drive(driver, self.encode_targets(targets, target_landmarks))}

    def encode_targets(self, targets: Tensor, target_landmarks: Tensor) -> Targets:
        """Images [B, K, 3, H, W] and their rendered landmarks, of the same shape: all that is computed once."""
        check_shape("targets", targets, (None, None, 3, None, None))
        check_shape("target_landmarks", target_landmarks, tuple(targets.shape))
        check_images("targets", targets.flatten(0, 1), multiple=self.multiple)
        check_images("target_landmarks", target_landmarks.flatten(0, 1), multiple=self.multiple)
        batch, shots = targets.shape[:2]
        encoded, warped, flow = self.target_encoder(targets.flatten(0, 1), target_landmarks.flatten(0, 1))
        keys, values = self.blender.project(encoded, shots)
        means = tuple(s.unflatten(0, (batch, shots)).mean(1) for s in warped)
        return Targets(tuple(keys), tuple(values), means, flow.unflatten(0, (batch, shots)).unbind(1))

    def drive(self, driver: Tensor, targets: Targets) -> Tensor:
        """Images [N, 3, H, W] in [0, 1] for rendered landmarks [N, 3, H, W], each of its own of N targets."""
        return self.drive_with_flows(driver, targets)[0]

    def drive_with_flows(self, driver: Tensor, targets: Targets) -> tuple[Tensor, list[Tensor]]:
        """The same, and the flows f_u [N, 2, H / 2^j, W / 2^j] of the decoder, the finest (j = 1) last."""
        check_images("driver", driver, multiple=self.multiple)
        blended = self.blender(self.driver_encoder(driver), targets)
        found: tuple[Tensor, list[Tensor]] = self.decoder(blended, targets.normalised)
        return found


class DriverEncoder(nn.Module):
    """E_x: rendered landmarks to z_x, by `scales` residual halvings with instance normalisation."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = doubling_widths(config.width, config.max_width, config.scales)
        self.first = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(ResDown(a, b, norm=True) for a, b in pairwise(widths))

    def forward(self, rendered: Tensor) -> Tensor:
        """[B, 3, H, W] -> z_x [B, c, H / 2^scales, W / 2^scales]."""
        x: Tensor = self.first(rendered * 2 - 1)
        for block in self.down_blocks:
            x = block(x)
        return x


class TargetEncoder(nn.Module):
    """E_y: a U-Net of scales + 1 halvings and `scales` doublings, without normalisation.

    Its deepest map is z_y. What comes up at half the size gives, through tanh, the flow f_y that brings the maps of the
    halvings to a pose that all targets share: S-hat_j = T(S_j; f_y).
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = doubling_widths(config.width, config.max_width, config.scales + 1)
        self.first = nn.Conv2d(6, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(ResDown(a, b, norm=False) for a, b in pairwise(widths))
        deepest = config.scales + 1
        self.up_blocks = nn.ModuleList(
            ResUp(widths[j + 1] if j + 1 == deepest else 2 * widths[j + 1], widths[j], norm=False)
            for j in range(config.scales, 0, -1)
        )
        self.flow = nn.Conv2d(2 * widths[1], 2, 3, padding=1)

    def forward(self, image: Tensor, rendered: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        """Images and rendered landmarks [N, 3, H, W]: z_y [N, c, H / 2^(scales + 1), ...], the maps S-hat_j, and f_y
        [N, 2, H / 2, W / 2]."""
        x = self.first(torch.cat([image, rendered], dim=1) * 2 - 1)
        maps = []
        for block in self.down_blocks:
            x = block(x)
            maps.append(x)
        *skips, encoded = maps
        for block, skip in zip(self.up_blocks, reversed(skips), strict=True):
            x = torch.cat([block(x), skip], dim=1)
        flow = self.flow(F.relu(x)).tanh()
        return encoded, [warp(s, F.adaptive_avg_pool2d(flow, s.shape[2:])) for s in skips], flow


class Blender(nn.Module):
    """B(z_x, {z_y^i}): image attention blocks, each asking the targets with what the one before has made of z_x."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = doubling_widths(config.width, config.max_width, config.scales + 1)
        self.blocks = nn.ModuleList(
            ImageAttention(widths[config.scales], widths[-1], config.attention_width)
            for _ in range(config.attention_blocks)
        )

    def project(self, encoded: Tensor, shots: int) -> tuple[list[Tensor], list[Tensor]]:
        """Keys and values of each block for z_y of B x K targets [B * K, c, h, w]."""
        pairs = [cast(ImageAttention, block).keys_and_values(encoded, shots) for block in self.blocks]
        return [keys for keys, _ in pairs], [values for _, values in pairs]

    def forward(self, z: Tensor, targets: Targets) -> Tensor:
        """z_x [B, c, h, w] -> z_xy of the same shape."""
        for block, keys, values in zip(self.blocks, targets.keys, targets.values, strict=True):
            z = block(z, keys, values)
        return z


class ImageAttention(nn.Module):
    """Equations 1 and 2: softmax(Q K^T / sqrt(c_a)) V over all positions of all K targets, where

    Q = z_x W_q + P_x W_qp,  K = Z_y W_k + P_y W_kp,  V = Z_y W_v,

    and P are sinusoidal codes of the positions. Residual connection, instance normalisation and a convolution follow.
    """

    def __init__(self, driver_width: int, target_width: int, attention_width: int) -> None:
        super().__init__()
        self.query = nn.Linear(driver_width, attention_width, bias=False)
        self.query_position = nn.Linear(driver_width, attention_width, bias=False)
        self.key = nn.Linear(target_width, attention_width, bias=False)
        self.key_position = nn.Linear(target_width, attention_width, bias=False)
        self.value = nn.Linear(target_width, driver_width, bias=False)
        self.norm = nn.InstanceNorm2d(driver_width, affine=True)
        self.conv = nn.Conv2d(driver_width, driver_width, 3, padding=1)
        self.conv_norm = nn.InstanceNorm2d(driver_width, affine=True)

    def forward(self, z: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """z [B, c, h, w], and keys and values of the targets (`keys_and_values`) -> [B, c, h, w]."""
        attended = self.attend(z, keys, values).mT.reshape(z.shape)
        x = self.norm(z + attended)
        out: Tensor = self.conv_norm(x + self.conv(F.relu(x)))
        return out

    def attend(self, z: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Equation 2 for the positions of z [B, c, h, w], row by row: [B, h * w, c]."""
        queries = self.query(_rows(z)) + self.query_position(position_codes(z))
        return F.scaled_dot_product_attention(queries, keys, values)

    def keys_and_values(self, encoded: Tensor, shots: int) -> tuple[Tensor, Tensor]:
        """K and V of z_y [B * K, c, h, w], the positions of a person's K targets one after the other."""
        rows = _rows(encoded)
        keys = self.key(rows) + self.key_position(position_codes(encoded))
        keys, values = (x.unflatten(0, (-1, shots)).flatten(1, 2) for x in (keys, self.value(rows)))
        return keys, values


class Decoder(nn.Module):
    """Q(z_xy, {S-hat^i}): warp-alignment blocks, then a convolution and tanh."""

    narrow = ("last",)

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = doubling_widths(config.width, config.max_width, config.scales)
        self.blocks = nn.ModuleList(WarpAlign(widths[j], widths[j - 1]) for j in range(config.scales, 0, -1))
        self.last = nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, z: Tensor, normalised: tuple[Tensor, ...]) -> tuple[Tensor, list[Tensor]]:
        """z_xy [B, c, h, w] and S-hat_1, S-hat_2, ... -> images [B, 3, H, W] in [0, 1], and the flows f_u."""
        flows = []
        for block, s in zip(self.blocks, reversed(normalised), strict=True):
            z, flow = block(z, s)
            flows.append(flow)
        return (self.last(F.relu(z)).tanh() + 1) / 2, flows


class WarpAlign(nn.Module):
    """The second step of target feature alignment: S-hat_j is warped to the driver's pose and joined to the features.

    f_u comes from the current features u; [u, T(S-hat_j; f_u)] go through a 1 x 1 convolution and a residual doubling.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(in_channels, affine=True)
        self.flow = nn.Conv2d(in_channels, 2, 3, padding=1)
        self.join = nn.Conv2d(2 * in_channels, in_channels, 1)
        self.up = ResUp(in_channels, out_channels, norm=True)

    def forward(self, u: Tensor, normalised: Tensor) -> tuple[Tensor, Tensor]:
        """u and S-hat_j [B, c, h, w] -> [B, c', 2h, 2w], and f_u [B, 2, h, w]."""
        flow: Tensor = self.flow(F.relu(self.norm(u))).tanh()
        return self.up(self.join(torch.cat([u, warp(normalised, flow)], dim=1))), flow


class Discriminator(nn.Module):
    """Residual halvings without normalisation, over the image and its rendered landmarks; scores patches."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = doubling_widths(config.disc_width, config.disc_max_width, config.disc_blocks)
        self.first = nn.Conv2d(6, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(ResDown(a, b, norm=False) for a, b in pairwise(widths))
        self.score = nn.Conv2d(widths[-1], 1, 1)

    def forward(self, image: Tensor, rendered: Tensor) -> tuple[list[Tensor], Tensor]:
        """[B, 3, H, W] and rendered landmarks: features of every block, and scores [B, 1, h, w] (hinge; real high)."""
        x = self.first(torch.cat([image, rendered], dim=1) * 2 - 1)
        features = []
        for block in self.down_blocks:
            x = block(x)
            features.append(x)
        return features, self.score(F.relu(x))


class ResDown(nn.Module):
    """Residual halving as in BigGAN: two activated convolutions, then the mean of 2 x 2; beside it a 1 x 1."""

    def __init__(self, in_channels: int, out_channels: int, *, norm: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = _norm(in_channels, norm), _norm(out_channels, norm)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] -> [B, out, H/2, W/2]."""
        residual = self.conv1(F.relu(self.norm1(x)))
        residual = F.avg_pool2d(self.conv2(F.relu(self.norm2(residual))), 2)
        out: Tensor = residual + self.skip(F.avg_pool2d(x, 2))  # a mean and a 1 x 1 may change places
        return out


class ResUp(nn.Module):
    """Residual doubling as in BigGAN: enlarged (nearest) between the activation and the first convolution."""

    enlarged = (("enlarge", "conv1"),)

    def __init__(self, in_channels: int, out_channels: int, *, norm: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = _norm(in_channels, norm), _norm(out_channels, norm)
        self.enlarge = nn.Upsample(scale_factor=2)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] -> [B, out, 2H, 2W]."""
        residual = self.conv1(self.enlarge(F.relu(self.norm1(x))))
        residual = self.conv2(F.relu(self.norm2(residual)))
        out: Tensor = residual + F.interpolate(self.skip(x), scale_factor=2)
        return out


def _norm(channels: int, norm: bool) -> nn.Module:
    return nn.InstanceNorm2d(channels, affine=True) if norm else nn.Identity()


def _rows(x: Tensor) -> Tensor:
    """[B, c, h, w] -> [B, h * w, c]."""
    return x.flatten(2).mT


def warp(features: Tensor, flow: Tensor) -> Tensor:
    """T(S; f): features [B, c, h, w] looked up where the offsets [B, 2, h, w] (x, y) lead; the border goes on."""
    places = coordinate_grid(features.shape[2], features.shape[3], features) + flow.permute(0, 2, 3, 1)
    return F.grid_sample(features, places, padding_mode="border", align_corners=True)


def position_codes(like: Tensor) -> Tensor:
    """Sinusoidal codes P of the positions of a map [B, c, h, w], row by row: [h * w, c].

    With d = 10000^(2k / c): channels 4k and 4k + 1 are sin and cos of 256 i / (h d) for row i; 4k + 2 and 4k + 3 of
    256 j / (w d) for column j. A coordinate counts as a share of the map, so that maps of any size have one measure.
    """
    channels, height, width = like.shape[1:]
    k = torch.arange((channels + 3) // 4, device=like.device, dtype=torch.float32)
    divisor = 10000 ** (2 * k / channels)
    rows, columns = (
        256 / size * torch.arange(size, device=like.device, dtype=torch.float32)[:, None] / divisor
        for size in (height, width)
    )
    codes = torch.stack(
        [
            rows.sin()[:, None].expand(-1, width, -1),
            rows.cos()[:, None].expand(-1, width, -1),
            columns.sin().expand(height, -1, -1),
            columns.cos().expand(height, -1, -1),
        ],
        dim=-1,
    )
    return codes.flatten(2)[..., :channels].flatten(0, 1).to(like.dtype)


def _normalise_spectra(network: nn.Module) -> None:
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.utils.spectral_norm(module)
