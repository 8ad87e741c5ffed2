"""The landmark transformer of MarioNETte-LT (Ha et al., AAAI 2020, arXiv 1911.08139): a driver's expression on a
target's face, in landmarks.

Normalised 3D landmarks of person c at time t are taken apart as l(c, t) = l_m + l_id(c) + l_exp(c, t): the mean of all
people, what makes the person, and the expression l_exp = lambda_exp sum_k alpha_k(c, t) b_exp,k. A network predicts
alpha, from landmarks and, where the preset says so, the image. l_id of a target is the mean of l - l_m - l_exp over its
images, and the transfer is l(c_x -> c_y, t) = l_m + l_id(c_y) + l_exp(c_x, t), put back at the driver's scale, rotation
and place.

Landmarks are [N, 68, 3] in iBUG order: x to the image's right, y down, z away from the camera, in any unit.
Normalised ones have the similarity removed that takes the mean face onto them (orthogonal Procrustes over the points
that expressions hardly move); these points of the mean have their centroid at 0 and a root mean square radius of 1.
The networks hold all that was fitted: the mean, the expression bases, the basis of whole shapes by which landmarks
that are known in the image alone [N, 68, 2] are lifted, and the predictor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import InputError, check_images, check_shape
from models.presets import configure

POINTS = 68
RIGID = (0, 1, 2, 14, 15, 16, 27, 28, 29, 30, 36, 39, 42, 45)
"""What fixes a head's pose: the outline beside the ears, the bridge of the nose, the corners of the eyes."""

GROUPS: dict[str, tuple[int, ...]] = {
    "left_eye": tuple(range(36, 42)),  # the image's left
    "right_eye": tuple(range(42, 48)),
    "brows": tuple(range(17, 27)),
    "mouth": tuple(range(48, 68)),
    "rest": (*range(17), *range(27, 36)),
}
"""Parts that have expression bases of their own."""

LIFT_STEPS = 8
NEARNESS = 0.07
"""Of faces that are lifted: the radius of the fixed points over the camera's distance; a face filmed from 0.8 m."""


@dataclass(frozen=True)
class Config:
    """Sizes. Every field is a switch of `models.create`."""

    basis: tuple[int, ...] = (8, 8, 8, 16, 8)  # expression vectors of each of GROUPS
    shape_basis: int = 40  # vectors by which landmarks are lifted
    hidden: int = 512  # of the two-layer predictor
    image: bool = True  # whether the predictor sees the image too
    image_side: int = 224
    image_width: int = 64
    image_blocks: tuple[int, ...] = (3, 4, 6, 3)  # bottlenecks at each size: a ResNet-50
    expression_scale: float = 1.0  # lambda_exp


PRESETS = {"paper": Config(), "mini": Config(hidden=256, image=False)}


def create(preset: str, **switches: Any) -> dict[str, nn.Module]:
    """The transformer of `preset` with fields of `Config` replaced by `switches`; `UnknownName` for other names."""
    return {"transformer": LandmarkTransformer(configure("landmark-transformer", PRESETS, preset, switches))}


@dataclass(frozen=True)
class Pose:
    """The similarity that takes normalised landmarks to where they were: x = scale R l + shift."""

    scale: Tensor  # [N]
    rotation: Tensor  # [N, 3, 3]
    shift: Tensor  # [N, 3]; of lifted landmarks the depth is 0

    def place(self, landmarks: Tensor) -> Tensor:
        """Normalised landmarks [N, 68, 3] in this pose: [N, 68, 3]."""
        return self.scale[:, None, None] * (landmarks @ self.rotation.mT) + self.shift[:, None]

    def project(self, landmarks: Tensor) -> Tensor:
        """The same in the picture, for the pose of lifted landmarks: what is farther is smaller; [N, 68, 2]."""
        turned = landmarks @ self.rotation.mT
        flat = self.scale[:, None, None] * turned[..., :2] / (1 + NEARNESS * turned[..., 2:])
        return flat + self.shift[:, None, :2]


class LandmarkTransformer(nn.Module):
    """Takes landmarks apart and puts them together; see the module. Fitted by `baselines.landmark_transformer`."""

    mean: Tensor
    basis: Tensor
    shape_basis: Tensor
    shape_spread: Tensor
    noise: Tensor
    alpha_spread: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        if len(config.basis) != len(GROUPS):
            raise ValueError(f"basis: expected a number for each of {', '.join(GROUPS)}, got {config.basis}")
        self.config = config
        count = sum(config.basis)
        self.register_buffer("mean", torch.zeros(POINTS, 3))
        self.register_buffer("basis", torch.zeros(count, POINTS, 3))  # orthonormal rows
        self.register_buffer("shape_basis", torch.zeros(config.shape_basis, POINTS, 3))
        self.register_buffer("shape_spread", torch.ones(config.shape_basis))  # standard deviations along it
        self.register_buffer("noise", torch.tensor(0.04))  # standard deviation that lifting takes points to have
        self.register_buffer("alpha_spread", torch.ones(count))
        self.image_encoder = ImageEncoder(config) if config.image else None
        features = self.image_encoder.out_channels if self.image_encoder is not None else 0
        self.predictor = nn.Sequential(
            nn.Linear(3 * POINTS + features, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, count),
        )

    def normalise(self, landmarks: Tensor) -> tuple[Tensor, Pose]:
        """Landmarks [N, 68, 3] without scale, rotation and place, and these."""
        check_shape("landmarks", landmarks, (None, POINTS, 3))
        pose = rigid_fit(self.mean, landmarks)
        moved = (landmarks - pose.shift[:, None]) @ pose.rotation
        return moved / pose.scale[:, None, None], pose

    def lift(self, points: Tensor) -> tuple[Tensor, Pose]:
        """Normalised landmarks [N, 68, 3] and pose of points in the image [N, 68, 2].

        The most probable shape: pose and coefficients of the whole-shape basis (with their spread as prior, and `noise`
        of the points) in turns, each by least squares under a scaled orthographic camera, for points from which the
        perspective of a camera at a usual distance has been taken (as POSIT does).
        """
        check_shape("points", points, (None, POINTS, 2))
        shape, flat = self.mean.expand(len(points), -1, -1), points
        prior = (self.noise / self.shape_spread).square().diag()
        for _ in range(LIFT_STEPS):
            pose = orthographic_fit(shape, flat)
            depth = shape @ pose.rotation[:, 2:].mT
            offset = (points - pose.shift[:, None, :2]) * (1 + NEARNESS * depth)
            flat = pose.shift[:, None, :2] + offset
            seen = pose.rotation[:, None, :2]  # the rows that reach the picture
            design = (seen @ self.shape_basis[None].mT).permute(0, 3, 2, 1).flatten(1, 2)  # [N, 68 * 2, k]
            rest = (offset / pose.scale[:, None, None] - self.mean @ pose.rotation[:, :2].mT).flatten(1)[..., None]
            coefficients = torch.linalg.solve(design.mT @ design + prior, design.mT @ rest)[..., 0]
            shape = self.mean + torch.einsum("nk,kpd->npd", coefficients, self.shape_basis)
        landmarks, _ = self.normalise(shape)
        return landmarks, orthographic_fit(landmarks, flat)

    def alpha(self, landmarks: Tensor, images: Tensor | None = None) -> Tensor:
        """Coefficients [N, n] of the expression bases for normalised landmarks [N, 68, 3] and, where this network sees
        them, images [N, 3, H, W] in [0, 1]."""
        check_shape("landmarks", landmarks, (None, POINTS, 3))
        given = ((landmarks - self.mean) / self.shape_spread[0]).flatten(1)
        if (images is None) != (self.image_encoder is None):
            wanted = "no images" if self.image_encoder is None else "images"
            raise InputError(f"images: this landmark transformer takes {wanted}")
        if self.image_encoder is not None and images is not None:
            given = torch.cat([given, self.image_encoder(images)], dim=1)
        predicted: Tensor = self.predictor(given) * self.alpha_spread
        return predicted

    def expression(self, landmarks: Tensor, images: Tensor | None = None) -> Tensor:
        """l_exp [N, 68, 3] of normalised landmarks (and images)."""
        scale = self.config.expression_scale
        return scale * torch.einsum("nk,kpd->npd", self.alpha(landmarks, images), self.basis)

    def identity(self, landmarks: Tensor, images: Tensor | None = None) -> Tensor:
        """l_id [68, 3] of one person's K normalised landmarks [K, 68, 3] (and images)."""
        return (landmarks - self.mean - self.expression(landmarks, images)).mean(0)

    def transfer(self, identity: Tensor, landmarks: Tensor, images: Tensor | None = None) -> Tensor:
        """Normalised landmarks [N, 68, 3] of the person with this l_id in the expressions of a driver's."""
        return self.mean + identity + self.expression(landmarks, images)


def rigid_fit(shape: Tensor, landmarks: Tensor) -> Pose:
    """The similarity that takes RIGID points of `shape` [68, 3] (or [N, 68, 3]) to landmarks [N, 68, 3] with the least
    squares (orthogonal Procrustes)."""
    model, given = shape[..., RIGID, :], landmarks[:, RIGID]
    middle, centre = model.mean(-2, keepdim=True), given.mean(-2, keepdim=True)
    a, b = model - middle, given - centre
    u, s, vh = torch.linalg.svd(b.mT @ a)
    sign = torch.ones_like(s)
    sign[:, -1] = torch.det(u @ vh).sign()  # a rotation, no reflection
    rotation = (u * sign[:, None]) @ vh
    scale = (s * sign).sum(-1) / a.square().sum((-2, -1))
    shift = centre[:, 0] - scale[:, None] * (middle @ rotation.mT)[:, 0]
    return Pose(scale, rotation, shift)


def orthographic_fit(shape: Tensor, points: Tensor) -> Pose:
    """The scaled orthographic camera that takes shapes [N, 68, 3] to points [N, 68, 2]: the best affine one, and the
    rotation and scale nearest to it."""
    middle, centre = shape.mean(1, keepdim=True), points.mean(1, keepdim=True)
    a, b = shape - middle, points - centre
    affine = torch.linalg.solve(a.mT @ a, a.mT @ b).mT  # [N, 2, 3]
    u, s, vh = torch.linalg.svd(affine, full_matrices=False)
    rows = u @ vh
    rotation = torch.cat([rows, torch.linalg.cross(rows[:, :1], rows[:, 1:])], dim=1)
    scale = s.mean(-1)
    shift = centre[:, 0] - scale[:, None] * (middle @ rows.mT)[:, 0]
    return Pose(scale, rotation, F.pad(shift, (0, 1)))


class ImageEncoder(nn.Module):
    """A residual network of bottlenecks (He et al., 2016) without its classifier: an image to a feature."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.side = config.image_side
        width = config.image_width
        self.first = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(width)
        blocks: list[nn.Module] = []
        channels = width
        for level, count in enumerate(config.image_blocks):
            for i in range(count):
                blocks.append(Bottleneck(channels, width * 2**level, stride=2 if level and not i else 1))
                channels = 4 * width * 2**level
        self.blocks = nn.Sequential(*blocks)
        self.out_channels = channels

    def forward(self, images: Tensor) -> Tensor:
        """[N, 3, H, W] in [0, 1], resized to the configured side -> [N, out_channels]."""
        check_images("images", images)
        if images.shape[-2:] != (self.side, self.side):
            images = F.interpolate(images, (self.side, self.side), mode="bilinear", antialias=True).clamp(0, 1)
        x = F.max_pool2d(F.relu(self.norm(self.first(images * 2 - 1))), 3, stride=2, padding=1)
        features: Tensor = self.blocks(x).mean((2, 3))
        return features


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3, 1 x 1 convolutions with batch normalisation, and a shortcut."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out = 4 * width
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or in_channels != out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] -> [B, 4 width, H / stride, W / stride]."""
        return F.relu(self.body(x) + self.shortcut(x))
