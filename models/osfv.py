"""One-shot free-view neural talking-head synthesis (Wang, Mallya, Liu; CVPR 2021, arXiv 2011.15126).

An image is taken apart without supervision (section 3.1). F extracts a volume of appearance features f_s from the
source; L finds K canonical keypoints x_c, which tell only whose head it is; H estimates a head pose (R, t) and Delta
expression deformations delta. The keypoints of an image are x_k = R x_c,k + t + delta_k (eq. 2): the source's with its
own pose and expression, the driving frame's with the source's x_c and the driving frame's pose and expression. M joins
the K warps that take driving keypoints to source keypoints into one 3D flow w and an occlusion map; G decodes the
warped volume (section 3.2). A frame is transmitted as R, t and delta (section 3.3), and a user changes the view by
R_d <- R_u R_d, t_d <- t_u + t_d.

Keypoints are [B, K, 3] as (x, y, z) in [-1, 1], volumes [B, C, D, H, W]. There is no official code. Sizes are the
paper's; where it is silent this follows the layout and names of the public reimplementation (`models.osfv_community`):
motion and occlusion at the volume's resolution, Gaussians of variance 0.01, no Jacobians. The turn R means what this
project's angles mean ("camera" in `models.pose`).

Ablations of table 5: `num_kp`; `keypoints="direct"`, where L gives the keypoints of each image and there is no H and
Delta; `warp="2d"`, where keypoints are projected (z dropped) and a map of features is warped by a 2D flow.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import fomm
from models.errors import UnknownName, check_images, check_shape
from models.layers import AntiAliasDown, DownBlock, ResBlock, SameBlock, UpBlock, doubling_widths, unrounded
from models.layers3d import Hourglass3d, ResBlock3d, UpBlock3d, convolution, gaussian_volumes, volume_grid
from models.pose import Convention, PoseEstimator, degrees, rotation
from models.presets import configure

HEATMAP_VARIANCE = 0.01
SLOPE = 0.01  # of the leaky ReLU where a volume becomes a map


@dataclass(frozen=True)
class Config:
    """Sizes; the defaults are the paper's, at 256 x 256. Every field is a switch of `models.create`."""

    num_kp: int = 20
    keypoints: Literal["two-step", "direct"] = "two-step"
    warp: Literal["3d", "2d"] = "3d"
    align_corners: bool = True
    spectral_norm: bool = True  # of the generator's convolutions; the discriminator always has it
    width: int = 64  # F
    max_width: int = 512
    down_blocks: int = 2
    first_kernel: int = 7
    volume_channels: int = 32
    volume_depth: int = 16
    volume_blocks: int = 6
    bottleneck_blocks: int = 6  # G
    kp_width: int = 32  # L
    kp_max_width: int = 1024
    kp_blocks: int = 5
    kp_scale: float = 0.25  # the image is shrunk by this before L
    kp_depth: int = 16
    kp_kernel: int = 7
    temperature: float = 0.1  # of the keypoint softmax
    pose_width: int = 64  # H and Delta
    pose_blocks: Sequence[int] = (3, 3, 5, 2)
    swapped_names: bool = False  # see `models.pose.PoseEstimator`
    convention: Convention = "camera"  # of R
    half_turn: float = math.pi  # radians that 180 degrees are taken for
    motion_width: int = 32  # M
    motion_max_width: int = 1024
    motion_blocks: int = 5
    motion_channels: int = 4  # the volume is compressed to so many before it is warped K + 1 times
    motion_head: bool = False  # one more convolution at the end of M's hourglass
    motion_down: int = 1  # M sees the compressed volume averaged over squares of this side
    mask_kernel: int = 7
    disc_width: int = 32
    disc_max_width: int = 512
    disc_blocks: int = 4
    disc_scales: Sequence[float] = (1.0,)  # at 512 x 512 the paper has two: 1 and 0.5

    @property
    def volume(self) -> tuple[int, int]:
        """Channels and depth of f_s; a map as wide as G's where warping is 2D."""
        if self.warp == "3d":
            return self.volume_channels, self.volume_depth
        return doubling_widths(self.width, self.max_width, self.down_blocks)[-1], 1


PRESETS = {
    "paper": Config(),
    "mini": Config(  # for 128 x 128 images
        spectral_norm=False,
        width=12,
        max_width=24,
        down_blocks=1,
        volume_channels=12,
        volume_depth=4,
        volume_blocks=1,
        bottleneck_blocks=2,
        kp_width=8,
        kp_max_width=64,
        kp_blocks=4,
        kp_depth=4,
        kp_kernel=3,
        pose_width=12,
        pose_blocks=(1, 1, 1, 1),
        motion_width=8,
        motion_max_width=64,
        motion_blocks=4,
        motion_down=2,
        mask_kernel=3,
        disc_width=16,
        disc_max_width=64,
    ),
}


def create(preset: str, **switches: Any) -> dict[str, nn.Module]:
    """Generator (F, M and G), kp_detector (L), he_estimator (H and Delta; not with direct keypoints), discriminator.

    Fields of the preset's `Config` are replaced by `switches`; `UnknownName` for names that do not exist.
    """
    config = configure("osfv", PRESETS, preset, switches)
    networks = networks_around(Generator(config), config)
    if config.spectral_norm:
        for module in networks["generator"].modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d):
                nn.utils.spectral_norm(module)
    return networks


def create_direct(preset: str, **switches: Any) -> dict[str, nn.Module]:
    """The same with `keypoints="direct"`, an architecture of its own by name: "osfv-direct"."""
    return create(preset, **{"keypoints": "direct", **switches})


def networks_around(generator: nn.Module, config: Config) -> dict[str, nn.Module]:
    """The generator and the other networks of a configuration."""
    for name, known in (("keypoints", ("two-step", "direct")), ("warp", ("3d", "2d"))):
        if getattr(config, name) not in known:
            raise UnknownName(f"value of {name}", getattr(config, name), known)
    networks = {
        "generator": generator,
        "kp_detector": KeypointDetector(config),
        "discriminator": MultiScaleDiscriminator(config),
    }
    if config.keypoints == "two-step":
        networks["he_estimator"] = HeadEstimator(config)
    return networks


@dataclass(frozen=True)
class Motion:
    """Head poses and expressions of B images: what is estimated of a frame, and transmitted."""

    angles: Tensor  # [B, 3]: yaw, pitch, roll in degrees, as the model's convention has them
    rotation: Tensor  # [B, 3, 3]: R
    translation: Tensor  # [B, 3]: t
    deformation: Tensor  # [B, K, 3]: delta

    def keypoints(self, canonical: Tensor) -> Tensor:
        """Equation 2: x_k = R x_c,k + t + delta_k, for canonical keypoints [B, K, 3] or [1, K, 3]."""
        turned = (self.rotation[:, None] * canonical[:, :, None]).sum(-1)  # autocast would round a matrix product
        return turned + self.translation[:, None] + self.deformation


class KeypointDetector(nn.Module):
    """L: a 2D encoder whose deepest map is seen as a volume, a 3D decoder, K heatmaps by softmax, their means."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.temperature = config.temperature
        self.multiple = round(2**config.kp_blocks / config.kp_scale)
        self.down = AntiAliasDown(3, config.kp_scale) if config.kp_scale != 1 else nn.Identity()
        self.predictor = _VolumePredictor(config)
        self.kp = convolution(config.kp_width, config.num_kp, config.kp_kernel)

    def forward(self, image: Tensor) -> Tensor:
        """Canonical keypoints [B, K, 3] of images [B, 3, H, W] in [0, 1]; H and W multiples of `self.multiple`."""
        check_images("image", image, multiple=self.multiple)
        logits = unrounded(self.kp(self.predictor(self.down(image))))
        heatmap = (logits / self.temperature).flatten(2).softmax(-1).view_as(logits)
        z, y, x = (heatmap.sum([a for a in (2, 3, 4) if a != axis]) for axis in (2, 3, 4))
        lines = ((marginal, torch.linspace(-1, 1, marginal.shape[-1], device=image.device)) for marginal in (x, y, z))
        return torch.stack([(marginal * line).sum(-1) for marginal, line in lines], dim=-1)


class _VolumePredictor(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = doubling_widths(config.kp_width, config.kp_max_width, config.kp_blocks)
        self.depth = config.kp_depth
        self.down_blocks, self.up_blocks = nn.Sequential(), nn.Sequential()
        for i, (before, after) in enumerate(pairwise([3, *widths[1:]])):
            self.down_blocks.add_module(f"down{i}", DownBlock(before, after))
        self.conv = nn.Conv2d(widths[-1], widths[-1] * self.depth, 1)
        for i, (before, after) in enumerate(pairwise(widths[::-1])):
            self.up_blocks.add_module(f"up{i}", UpBlock3d(before, after))

    def forward(self, image: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, width, D, H, W]."""
        deepest: Tensor = self.conv(self.down_blocks(image))
        batch, channels, height, width = deepest.shape
        volume: Tensor = self.up_blocks(deepest.view(batch, channels // self.depth, self.depth, height, width))
        return volume


class HeadEstimator(PoseEstimator):
    """H and Delta: head pose and expression of an image."""

    def __init__(self, config: Config) -> None:
        super().__init__(config.num_kp, config.pose_width, config.pose_blocks, swapped_names=config.swapped_names)
        self.convention: Convention = config.convention
        self.half_turn = config.half_turn

    def motion(self, image: Tensor) -> Motion:
        """Poses and expressions of images [B, 3, H, W] in [0, 1]."""
        return self.read(self(image))

    def read(self, found: dict[str, Tensor]) -> Motion:
        """The same from what `forward` gives."""
        angles = torch.stack([degrees(found[name]) for name in ("yaw", "pitch", "roll")], dim=-1)
        return Motion(angles, self.rotation(angles), found["t"], found["delta"])

    def rotation(self, angles: Tensor) -> Tensor:
        """R [B, 3, 3] of angles [B, 3] as this network estimates them."""
        return rotation(angles, self.convention, self.half_turn)


class DenseMotion(nn.Module):
    """M: from 2K keypoints to a 3D flow and a 2D occlusion map."""

    normalised: ClassVar = (("compress", "norm"),)  # for `models.folding`
    narrow: ClassVar = ("occlusion",)

    def __init__(self, config: Config) -> None:
        super().__init__()
        channels, depth = config.volume
        self.num_kp = config.num_kp
        self.align_corners = config.align_corners
        self.shrinking = config.motion_down
        self.flat = depth == 1
        self.compress = nn.Conv3d(channels, config.motion_channels, 1)
        self.norm = nn.BatchNorm3d(config.motion_channels)
        self.hourglass = Hourglass3d(
            (config.num_kp + 1) * (config.motion_channels + 1),  # a heatmap and a warped volume for each motion
            config.motion_width,
            config.motion_max_width,
            config.motion_blocks,
            head=config.motion_head,
            deep=not self.flat,
        )
        self.mask = convolution(self.hourglass.out_channels, config.num_kp + 1, config.mask_kernel, deep=not self.flat)
        self.occlusion = nn.Conv2d(self.hourglass.out_channels * depth, 1, 7, padding=3)

    def compressed(self, volume: Tensor) -> Tensor:
        """What is warped by each keypoint's motion [B, C', D, h, w]: it depends on the source alone."""
        small = F.relu(self.norm(self.compress(volume)))
        return small if self.shrinking == 1 else F.avg_pool3d(small, (1, self.shrinking, self.shrinking))

    def forward(self, volume: Tensor, kp_driving: Tensor, kp_source: Tensor) -> dict[str, Tensor]:
        """Motion of volumes [B, C, D, H, W]; see `combine`."""
        return self.combine(self.compressed(volume), kp_driving, kp_source)

    def combine(self, small: Tensor, kp_driving: Tensor, kp_source: Tensor) -> dict[str, Tensor]:
        """From compressed volumes [B, C', D, h, w] and keypoints [B, K, 3].

        Gives deformation [B, D, h, w, 3] (where in the source each voxel comes from), mask [B, K+1, D, h, w] (sums to
        1 over motions) and occlusion_map [B, 1, h, w] in [0, 1].
        """
        if self.flat:
            kp_driving, kp_source = (F.pad(kp[..., :2], (0, 1)) for kp in (kp_driving, kp_source))
        depth, height, width = small.shape[2:]
        shifts = F.pad(kp_source - kp_driving, (0, 0, 1, 0))  # of the background (first): none
        grid = volume_grid(depth, height, width, kp_driving)
        motions = grid + shifts[:, :, None, None, None]  # w_k, [B, K+1, D, h, w, 3]
        repeated = small[:, None].expand(-1, self.num_kp + 1, -1, -1, -1, -1).flatten(0, 1)
        warped = F.grid_sample(repeated, motions.flatten(0, 1), align_corners=self.align_corners)
        warped = warped.view(*motions.shape[:2], *small.shape[1:])
        here, there = (gaussian_volumes(kp, depth, height, width, HEATMAP_VARIANCE) for kp in (kp_driving, kp_source))
        heatmaps = F.pad(here - there, (0, 0, 0, 0, 0, 0, 1, 0))  # zeros for the background
        features = self.hourglass(torch.cat([heatmaps[:, :, None], warped], dim=2).flatten(1, 2))
        mask = unrounded(self.mask(features)).softmax(1)
        moved = (mask[:, :, None] * shifts[:, :, :, None, None, None]).sum(1)  # sum_k m_k w_k - grid
        return {
            "deformation": grid + moved.permute(0, 2, 3, 4, 1),
            "mask": mask,
            "occlusion_map": self.occlusion(features.flatten(1, 2)).sigmoid(),
        }


class VolumeGenerator(nn.Module, ABC):
    """F, M and the first layers of G: everything up to a map of warped features, from which `decode` makes an image."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.num_kp = config.num_kp
        self.align_corners = config.align_corners
        self.multiple = 2 ** (config.down_blocks + config.motion_blocks) * config.motion_down
        channels, depth = self.volume = config.volume
        deep = depth > 1
        widths = doubling_widths(config.width, config.max_width, config.down_blocks)
        self.out_channels = widths[-1]
        self.dense_motion_network = DenseMotion(config)
        self.first = SameBlock(3, widths[0], kernel=config.first_kernel)
        self.down_blocks = nn.ModuleList(DownBlock(a, b) for a, b in pairwise(widths))
        self.second = nn.Conv2d(widths[-1], channels * depth, 1)
        self.resblocks_3d = nn.Sequential()
        for i in range(config.volume_blocks):
            self.resblocks_3d.add_module(f"3dr{i}", ResBlock3d(channels, deep=deep))
        self.third = LeakyBlock(channels * depth, widths[-1])
        self.fourth = nn.Conv2d(widths[-1], widths[-1], 1)

    def forward(self, source_image: Tensor, kp_driving: Tensor, kp_source: Tensor) -> dict[str, Tensor]:
        """Source images [B, 3, H, W] in [0, 1], moved from keypoints kp_source to kp_driving [B, K, 3].

        Gives prediction [B, 3, H, W] in [0, 1] and what `DenseMotion.combine` gives.
        """
        check_images("source_image", source_image, multiple=self.multiple)
        for name, kp in (("kp_driving", kp_driving), ("kp_source", kp_source)):
            check_shape(name, kp, (len(source_image), self.num_kp, 3))
        volume = self.encode(source_image)
        motion = self.dense_motion_network(volume, kp_driving, kp_source)
        return {**motion, "prediction": self.decode(self.warped(volume, motion))}

    def encode(self, source_image: Tensor) -> Tensor:
        """F: the volume f_s [B, C, D, H / 2^n, W / 2^n], all that G needs of the source."""
        features = self.first(source_image)
        for block in self.down_blocks:
            features = block(features)
        features = self.second(features)
        volume: Tensor = self.resblocks_3d(features.view(len(features), *self.volume, *features.shape[2:]))
        return volume

    def warped(self, volume: Tensor, motion: dict[str, Tensor]) -> Tensor:
        """w(f_s) as a map [B, C, h, w], occluded: what is left to G is to decode it."""
        deformation, occlusion = motion["deformation"], motion["occlusion_map"]
        if deformation.shape[1:4] != volume.shape[2:]:
            flow, size = deformation.permute(0, 4, 1, 2, 3), volume.shape[2:]
            flow = F.interpolate(flow, size=size, mode="trilinear", align_corners=self.align_corners)
            deformation = flow.permute(0, 2, 3, 4, 1)
            occlusion = F.interpolate(occlusion, size=volume.shape[3:], mode="bilinear")
        warped = F.grid_sample(volume, deformation.to(volume.dtype), align_corners=self.align_corners)
        features: Tensor = self.fourth(self.third(warped.flatten(1, 2)))
        return features * occlusion

    @abstractmethod
    def decode(self, features: Tensor) -> Tensor:
        """Images [B, 3, H, W] in [0, 1] from warped features: where the paper's G and SPADE's differ."""


class Generator(VolumeGenerator):
    """F, M, and G as in the paper: residual blocks, then enlarging convolutions."""

    narrow: ClassVar = ("final",)  # for `models.folding`

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        widths = doubling_widths(config.width, config.max_width, config.down_blocks)
        self.resblocks_2d = nn.Sequential()
        for i in range(config.bottleneck_blocks):
            self.resblocks_2d.add_module(f"2dr{i}", ResBlock(widths[-1]))
        self.up_blocks = nn.ModuleList(UpBlock(a, b) for a, b in pairwise(widths[::-1]))
        self.final = nn.Conv2d(widths[0], 3, 7, padding=3)

    def decode(self, features: Tensor) -> Tensor:
        """Images [B, 3, H, W] in [0, 1] from warped features [B, C, H / 2^n, W / 2^n]."""
        features = self.resblocks_2d(features)
        for block in self.up_blocks:
            features = block(features)
        image: Tensor = self.final(features).sigmoid()
        return image


class LeakyBlock(SameBlock):
    """`SameBlock` with a leaky ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] -> [B, out, H, W]."""
        return F.leaky_relu(self.norm(self.conv(x)), SLOPE, inplace=True)


class MultiScaleDiscriminator(nn.Module):
    """Patch discriminators with spectral norm, one at each scale of the image; named `discs.1`, `discs.0-5`."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        sizes = fomm.Config(
            disc_width=config.disc_width, disc_max_width=config.disc_max_width, disc_blocks=config.disc_blocks
        )
        self.scales = {f"{scale:g}".replace(".", "-"): scale for scale in config.disc_scales}
        self.discs = nn.ModuleDict({name: fomm.Discriminator(sizes) for name in self.scales})

    def forward(self, image: Tensor) -> list[tuple[list[Tensor], Tensor]]:
        """For each scale: the maps of every block, and the scores [B, 1, h, w]."""
        found = []
        for name, scale in self.scales.items():
            seen = image if scale == 1 else F.interpolate(image, scale_factor=scale, mode="area")
            found.append(self.discs[name](seen))
        return found


def relative_motion(source: Motion, driving: Motion, initial: Motion) -> Motion:
    """The source moved as the driving video has since its initial frame.

    R = R_d R_i^T R_s, t = t_s + t_d - t_i, delta = delta_s + delta_d - delta_i. (The public code shifts keypoints as
    FOMM does, which bends a head that turns.) Source and initial are of one image, driving of T.
    """
    turned = fomm.product(fomm.product(driving.rotation, initial.rotation.mT), source.rotation)
    return Motion(
        driving.angles,
        turned,
        source.translation + driving.translation - initial.translation,
        source.deformation + driving.deformation - initial.deformation,
    )


def free_view(motion: Motion, rotation_u: Tensor, translation_u: Tensor) -> Motion:
    """Section 3.3: R_d <- R_u R_d, t_d <- t_u + t_d, for turns [B, 3, 3] and shifts [B, 3] that a user chose."""
    turned = fomm.product(rotation_u, motion.rotation)
    return Motion(motion.angles, turned, translation_u + motion.translation, motion.deformation)
