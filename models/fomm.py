"""First Order Motion Model (Siarohin, Lathuiliere, Tulyakov, Ricci, Sebe; NeurIPS 2019, arXiv 2003.00196).

A keypoint detector gives, for an image X, K points T_{X<-R}(p_k) and Jacobians d T_{X<-R} / dp at p_k with respect to
an abstract reference frame R (section 3.1). A dense motion network combines the K local affine motions into one
backward flow from the driving frame D to the source S and an occlusion map (section 3.2); the generator warps the
source's features with it and inpaints. Coordinates are (x, y) in [-1, 1]. Keypoints are a dict with value [B, K, 2]
and jacobian [B, K, 2, 2].

`align_corners` belongs to a checkpoint's recipe: the published weights were trained when `grid_sample` had it True.
Coordinates are computed without matrix products, which autocast would round to a pixel's fraction.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import check_images, check_shape
from models.layers import (
    AntiAliasDown,
    DownBlock,
    Hourglass,
    ResBlock,
    SameBlock,
    UpBlock,
    coordinate_grid,
    doubling_widths,
    gaussian_heatmaps,
    unrounded,
)
from models.presets import configure

Keypoints = dict[str, Tensor]
HEATMAP_VARIANCE = 0.01


@dataclass(frozen=True)
class Config:
    """Sizes; the defaults are those of the published vox-256 model. Every field is a switch of `models.create`."""

    num_kp: int = 10
    align_corners: bool = True
    temperature: float = 0.1  # of the keypoint softmax
    kp_width: int = 32
    kp_max_width: int = 1024
    kp_blocks: int = 5
    kp_scale: float = 0.25  # the image is shrunk by this before the keypoint hourglass
    motion_width: int = 64
    motion_max_width: int = 1024
    motion_blocks: int = 5
    motion_scale: float = 0.25
    width: int = 64
    max_width: int = 512
    down_blocks: int = 2
    bottleneck_blocks: int = 6
    disc_width: int = 32
    disc_max_width: int = 512
    disc_blocks: int = 4
    disc_spectral_norm: bool = True
    disc_keypoints: bool = False  # True (and no spectral norm) in the published adversarial variant


PRESETS = {
    "paper": Config(),
    "mini": Config(  # for 128 x 128 images
        num_kp=10,
        kp_width=16,
        kp_max_width=64,
        kp_blocks=4,
        motion_width=16,
        motion_max_width=64,
        motion_blocks=4,
        width=12,
        max_width=24,
        down_blocks=1,
        bottleneck_blocks=1,
    ),
}


def create(preset: str, **switches: Any) -> dict[str, nn.Module]:
    """The three networks of `preset` with fields of `Config` replaced by `switches`; `UnknownName` for other names."""
    return networks(configure("fomm", PRESETS, preset, switches))


def networks(config: Config) -> dict[str, nn.Module]:
    """The three networks, named as in the published checkpoints."""
    return {
        "generator": Generator(config),
        "kp_detector": KeypointDetector(config),
        "discriminator": MultiScaleDiscriminator(config),
    }


class KeypointDetector(nn.Module):
    """Section 3.1 and supplementary B: heatmaps by softmax; each keypoint is its heatmap's mean position."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.temperature = config.temperature
        self.multiple = round(2**config.kp_blocks / config.kp_scale)
        self.down = AntiAliasDown(3, config.kp_scale)
        self.predictor = Hourglass(3, config.kp_width, config.kp_max_width, config.kp_blocks)
        self.kp = nn.Conv2d(self.predictor.out_channels, config.num_kp, 7)
        self.jacobian = nn.Conv2d(self.predictor.out_channels, 4 * config.num_kp, 7)
        nn.init.zeros_(self.jacobian.weight)  # training starts from pure translation: every Jacobian the identity
        self.jacobian.bias = nn.Parameter(torch.tensor([1.0, 0.0, 0.0, 1.0]).repeat(config.num_kp))

    def forward(self, image: Tensor) -> Keypoints:
        """Keypoints of images [B, 3, H, W] in [0, 1]; H and W multiples of `self.multiple`."""
        check_images("image", image, multiple=self.multiple)
        features = self.predictor(self.down(image))
        logits = self.kp(features)
        batch, points, height, width = logits.shape
        heatmap = (unrounded(logits) / self.temperature).flatten(2).softmax(-1).view_as(logits)
        value = (heatmap[..., None] * coordinate_grid(height, width, heatmap)).sum((2, 3))
        jacobian_map = self.jacobian(features).view(batch, points, 4, height, width)
        jacobian = (heatmap[:, :, None] * jacobian_map).sum((3, 4)).view(batch, points, 2, 2)
        return {"value": value, "jacobian": jacobian}


class DenseMotion(nn.Module):
    """Section 3.2: from K local motions to one dense backward flow and an occlusion map."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.num_kp = config.num_kp
        self.align_corners = config.align_corners
        self.down = AntiAliasDown(3, config.motion_scale)
        in_channels = (config.num_kp + 1) * 4  # a heatmap and a warped RGB source for each motion and the background
        self.hourglass = Hourglass(in_channels, config.motion_width, config.motion_max_width, config.motion_blocks)
        self.mask = nn.Conv2d(self.hourglass.out_channels, config.num_kp + 1, 7, padding=3)
        self.occlusion = nn.Conv2d(self.hourglass.out_channels, 1, 7, padding=3)

    def forward(self, source_image: Tensor, kp_driving: Keypoints, kp_source: Keypoints) -> dict[str, Tensor]:
        """Motion that takes source images [B, 3, H, W] to the driving pose; see `combine` for what is returned."""
        return self.combine(self.down(source_image), kp_driving, kp_source)

    def combine(self, small: Tensor, kp_driving: Keypoints, kp_source: Keypoints) -> dict[str, Tensor]:
        """The same from source images [B, 3, h, w] that are already shrunk (`self.down`).

        Gives deformation [B, h, w, 2] (where in the source each pixel comes from), occlusion_map [B, 1, h, w] in
        [0, 1], mask [B, K+1, h, w] (sums to 1), sparse_deformed [B, K+1, 3, h, w].
        """
        height, width = small.shape[2:]
        motions = self.sparse_motions(height, width, kp_driving, kp_source)
        deformed = self.warp_by_each(small, motions)
        heatmaps = self.heatmap_differences(height, width, kp_driving, kp_source)
        features = self.hourglass(torch.cat([heatmaps[:, :, None], deformed], dim=2).flatten(1, 2))
        mask = unrounded(self.mask(features)).softmax(1)
        return {
            "deformation": (mask[..., None] * motions).sum(1),  # eq. 7
            "occlusion_map": self.occlusion(features).sigmoid(),
            "mask": mask,
            "sparse_deformed": deformed,
        }

    def sparse_motions(self, height: int, width: int, kp_driving: Keypoints, kp_source: Keypoints) -> Tensor:
        """Equations 4 and 5: near keypoint k, T_{S<-D}(z) = T_{S<-R}(p_k) + J_k (z - T_{D<-R}(p_k)).

        [B, K+1, H, W, 2]; the first is the background, which stays where it is.
        """
        grid = coordinate_grid(height, width, kp_driving["value"])
        local = product(kp_source["jacobian"], inverse(kp_driving["jacobian"]))  # J_k, eq. 5
        offset = grid - kp_driving["value"][:, :, None, None]
        turned = (local[:, :, None, None] * offset[..., None, :]).sum(-1)
        motion = turned + kp_source["value"][:, :, None, None]
        return torch.cat([grid.expand(len(motion), 1, -1, -1, -1), motion], dim=1)

    def warp_by_each(self, small: Tensor, motions: Tensor) -> Tensor:
        """The source warped by each of the K+1 motions: [B, K+1, 3, H, W]."""
        repeated = small[:, None].expand(-1, self.num_kp + 1, -1, -1, -1).flatten(0, 1)
        warped = F.grid_sample(repeated, motions.flatten(0, 1), align_corners=self.align_corners)
        return warped.view(len(small), self.num_kp + 1, *small.shape[1:])

    @staticmethod
    def heatmap_differences(height: int, width: int, kp_driving: Keypoints, kp_source: Keypoints) -> Tensor:
        """Equation 6: where each keypoint is in the driving frame minus where it is in the source; [B, K+1, H, W]."""
        driving = gaussian_heatmaps(kp_driving["value"], height, width, HEATMAP_VARIANCE)
        source = gaussian_heatmaps(kp_source["value"], height, width, HEATMAP_VARIANCE)
        return F.pad(driving - source, (0, 0, 0, 0, 1, 0))  # zeros for the background


class Generator(nn.Module):
    """Section 3.2: encode the source, warp and mask its features (eq. 8), inpaint and decode."""

    narrow: ClassVar = ("final",)  # for `models.folding`

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.num_kp = config.num_kp
        self.align_corners = config.align_corners
        self.multiple = max(2**config.down_blocks, round(2**config.motion_blocks / config.motion_scale))
        widths = doubling_widths(config.width, config.max_width, config.down_blocks)
        self.dense_motion_network = DenseMotion(config)
        self.first = SameBlock(3, widths[0], kernel=7)
        self.down_blocks = nn.ModuleList(DownBlock(a, b) for a, b in pairwise(widths))
        self.up_blocks = nn.ModuleList(UpBlock(a, b) for a, b in pairwise(widths[::-1]))
        self.bottleneck = nn.Sequential()
        for i in range(config.bottleneck_blocks):
            self.bottleneck.add_module(f"r{i}", ResBlock(widths[-1]))
        self.final = nn.Conv2d(widths[0], 3, 7, padding=3)

    def forward(self, source_image: Tensor, kp_driving: Keypoints, kp_source: Keypoints) -> dict[str, Tensor]:
        """Source images [B, 3, H, W] in [0, 1] in the pose of the driving keypoints.

        Gives prediction [B, 3, H, W] in [0, 1], deformed (the warped source, same shape), and what
        `DenseMotion.combine` gives.
        """
        check_images("source_image", source_image, multiple=self.multiple)
        for name, kp in (("kp_driving", kp_driving), ("kp_source", kp_source)):
            check_shape(f"{name}['value']", kp["value"], (len(source_image), self.num_kp, 2))
            check_shape(f"{name}['jacobian']", kp["jacobian"], (len(source_image), self.num_kp, 2, 2))
        motion: dict[str, Tensor] = self.dense_motion_network(source_image, kp_driving, kp_source)
        prediction = self.decode(self.encode(source_image), motion)
        return {**motion, "prediction": prediction, "deformed": self.warp(source_image, motion["deformation"])}

    def encode(self, source_image: Tensor) -> Tensor:
        """Features of the source [B, C, H / 2^n, W / 2^n]: all that can be computed once per source."""
        features: Tensor = self.first(source_image)
        for block in self.down_blocks:
            features = block(features)
        return features

    def decode(self, features: Tensor, motion: dict[str, Tensor]) -> Tensor:
        """Images [B, 3, H, W] in [0, 1] from features and motion: xi' = occlusion * warp(xi) (eq. 8), then decoded."""
        occlusion = motion["occlusion_map"]
        if occlusion.shape[2:] != features.shape[2:]:
            occlusion = F.interpolate(occlusion, size=features.shape[2:], mode="bilinear", align_corners=False)
        warped = occlusion * self.warp(features, motion["deformation"])
        features = self.bottleneck(warped.to(features.dtype))  # under autocast the warp gives float32
        for block in self.up_blocks:
            features = block(features)
        image: Tensor = self.final(features).sigmoid()
        return image

    def warp(self, image: Tensor, deformation: Tensor) -> Tensor:
        """Backward-warp [B, C, H, W] with a flow [B, h, w, 2], enlarged to H x W where needed."""
        if deformation.shape[1:3] != image.shape[2:]:
            flow = deformation.permute(0, 3, 1, 2)
            flow = F.interpolate(flow, size=image.shape[2:], mode="bilinear", align_corners=False)
            deformation = flow.permute(0, 2, 3, 1)
        return F.grid_sample(image, deformation, align_corners=self.align_corners)


class _DiscriminatorBlock(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, *, norm: bool, pool: bool, spectral: bool) -> None:
        super().__init__()
        conv = nn.Conv2d(in_channels, out_channels, 4)
        self.conv = nn.utils.spectral_norm(conv) if spectral else conv
        self.norm = nn.InstanceNorm2d(out_channels, affine=True) if norm else None
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = F.leaky_relu(x if self.norm is None else self.norm(x), 0.2)
        return F.avg_pool2d(x, 2) if self.pool else x


class Discriminator(nn.Module):
    """Patch discriminator of one scale, as in pix2pix; may see the driving keypoints as heatmaps."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.keypoints = config.disc_keypoints
        spectral = config.disc_spectral_norm
        widths = doubling_widths(config.disc_width, config.disc_max_width, config.disc_blocks)
        channels = [3 + config.num_kp * config.disc_keypoints, *widths[1:]]
        last = config.disc_blocks - 1
        self.down_blocks = nn.ModuleList(
            _DiscriminatorBlock(channels[i], channels[i + 1], norm=i > 0, pool=i < last, spectral=spectral)
            for i in range(config.disc_blocks)
        )
        conv = nn.Conv2d(channels[-1], 1, 1)
        self.conv = nn.utils.spectral_norm(conv) if spectral else conv

    def forward(self, image: Tensor, kp: Keypoints | None = None) -> tuple[list[Tensor], Tensor]:
        """Feature maps of every block, and the map of scores [B, 1, h, w] (1 real, 0 generated; least squares)."""
        x = image
        if self.keypoints:
            if kp is None:
                raise ValueError("kp: this discriminator is conditioned on the driving keypoints, got None")
            heatmaps = gaussian_heatmaps(kp["value"], image.shape[2], image.shape[3], HEATMAP_VARIANCE)
            x = torch.cat([image, heatmaps], dim=1)
        features = []
        for block in self.down_blocks:
            x = block(x)
            features.append(x)
        return features, self.conv(x)


class MultiScaleDiscriminator(nn.Module):
    """The published model has one scale, 1; its layers are named `discs.1`."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.discs = nn.ModuleDict({"1": Discriminator(config)})

    def forward(self, image: Tensor, kp: Keypoints | None = None) -> tuple[list[Tensor], Tensor]:
        """See `Discriminator.forward`."""
        result: tuple[list[Tensor], Tensor] = self.discs["1"](image, kp)
        return result


def relative_keypoints(kp_source: Keypoints, kp_driving: Keypoints, kp_initial: Keypoints) -> Keypoints:
    """Section 3.4: move the source by the driving video's motion since its initial frame.

    Shifts are scaled by how large the source's face is against the driving one: the square root of the ratio of the
    areas of the keypoints' convex hulls (the authors' code; the paper has no scale).
    Source and initial are [1, K, ...], driving is [T, K, ...]; gives [T, K, ...].
    """
    area_source, area_initial = (hull_area(kp["value"][0]) for kp in (kp_source, kp_initial))
    scale = (area_source / area_initial) ** 0.5 if area_initial > 0 else 1.0
    value = kp_source["value"] + scale * (kp_driving["value"] - kp_initial["value"])
    change = product(kp_driving["jacobian"], inverse(kp_initial["jacobian"]))
    return {"value": value, "jacobian": product(change, kp_source["jacobian"])}


def product(a: Tensor, b: Tensor) -> Tensor:
    """Products of matrices [..., 2, 2] that autocast leaves alone."""
    return (a[..., None] * b[..., None, :, :]).sum(-2)


def inverse(matrix: Tensor) -> Tensor:
    """Inverses of matrices [..., 2, 2]; of a singular one, infinite."""
    (a, b), (c, d) = ((row[..., 0], row[..., 1]) for row in (matrix[..., 0, :], matrix[..., 1, :]))
    adjugate = torch.stack([d, -b, -c, a], dim=-1).view(matrix.shape)
    result: Tensor = adjugate / (a * d - b * c)[..., None, None]
    return result


def hull_area(points: Tensor) -> float:
    """Area of the convex hull of points [K, 2] (Andrew's monotone chain, then the shoelace formula)."""
    ordered = sorted((float(x), float(y)) for x, y in points.tolist())

    def chain(sequence: list[tuple[float, float]]) -> list[tuple[float, float]]:
        hull: list[tuple[float, float]] = []
        for x, y in sequence:
            while len(hull) > 1:
                (ax, ay), (bx, by) = hull[-2:]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                hull.pop()
            hull.append((x, y))
        return hull[:-1]

    hull = chain(ordered) + chain(ordered[::-1])
    return 0.5 * abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in zip(hull, hull[1:] + hull[:1], strict=True)))
