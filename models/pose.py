"""Head poses as angles and matrices, and the network that estimates pose, place and expression of a head.

The network is H and Delta of Wang, Mallya, Liu (One-Shot Free-View Neural Talking-Head Synthesis for Video
Conferencing, CVPR 2021, arXiv 2011.15126), which share a trunk like that of Hopenet.

Angles are yaw, pitch, roll in degrees. Axes are a camera's: x to the image's right, y down, z away from the camera.
With Rx, Ry, Rz the right-handed turns about them, the matrix of three angles is, by `Convention`:

- "camera": Rz(roll) Ry(-yaw) Rx(-pitch), this project's convention (that of `curate.angles`);
- "hopenet": Rx(-pitch) Ry(yaw) Rz(roll), what Hopenet's angles mean: yaw is positive towards the image's left, pitch
  upwards, roll clockwise as seen in the image (the axes its authors draw, their third one pointing out of the face);
- "public": Rx(pitch) Ry(yaw) Rz(roll), how the public reimplementation of OSFV turns keypoints;
- "public-beta": Rx(roll) Ry(pitch) Rz(yaw), how it did in its older weights.

The last two are learnt against Hopenet's angles, so that those are what their numbers mean; what their matrices would
mean geometrically the expression deformation makes up for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import check_images
from models.fomm import product
from models.layers import unrounded

Convention = Literal["camera", "hopenet", "public", "public-beta"]
# Factors from left to right: (axis, which angle, its sign)
FACTORS: dict[Convention, tuple[tuple[str, int, int], ...]] = {
    "camera": (("z", 2, 1), ("y", 0, -1), ("x", 1, -1)),
    "hopenet": (("x", 1, -1), ("y", 0, 1), ("z", 2, 1)),
    "public": (("x", 1, 1), ("y", 0, 1), ("z", 2, 1)),
    "public-beta": (("x", 2, 1), ("y", 1, 1), ("z", 0, 1)),
}
BINS, BIN_DEGREES, FIRST_BIN = 66, 3.0, -99.0


def rotation(angles: Tensor, convention: Convention = "camera", half_turn: float = math.pi) -> Tensor:
    """Matrices [..., 3, 3] of angles [..., 3] (yaw, pitch, roll in degrees); 180 degrees count `half_turn` radians."""
    radians = angles / 180 * half_turn
    first, second, third = (turn(axis, sign * radians[..., which]) for axis, which, sign in FACTORS[convention])
    return product(product(first, second), third)


def turn(axis: str, radians: Tensor) -> Tensor:
    """Right-handed turns [..., 3, 3] about "x", "y" or "z" by angles [...]."""
    c, s, zero, one = radians.cos(), radians.sin(), torch.zeros_like(radians), torch.ones_like(radians)
    rows = {
        "x": (one, zero, zero, zero, c, -s, zero, s, c),
        "y": (c, zero, s, zero, one, zero, -s, zero, c),
        "z": (c, -s, zero, s, c, zero, zero, zero, one),
    }[axis]
    return torch.stack(rows, dim=-1).view(*radians.shape, 3, 3)


def hopenet_to_camera(angles: Tensor) -> Tensor:
    """This project's angles [..., 3] of heads for which Hopenet's are given."""
    return camera_angles(rotation(angles, "hopenet"))


def camera_angles(m: Tensor) -> Tensor:
    """This project's angles [..., 3] in degrees of rotation matrices [..., 3, 3]: undoes `rotation`."""
    yaw = torch.atan2(m[..., 2, 0], torch.hypot(m[..., 0, 0], m[..., 1, 0]))
    pitch = torch.atan2(-m[..., 2, 1], m[..., 2, 2])
    roll = torch.atan2(m[..., 1, 0], m[..., 0, 0])
    return torch.stack((yaw, pitch, roll), dim=-1).rad2deg()


def camera_to_hopenet(angles: Tensor) -> Tensor:
    """Hopenet's angles [..., 3] of heads for which this project's are given."""
    m = rotation(angles, "camera")
    yaw = torch.atan2(m[..., 0, 2], torch.hypot(m[..., 0, 0], m[..., 0, 1]))
    pitch = torch.atan2(m[..., 1, 2], m[..., 2, 2])
    roll = torch.atan2(-m[..., 0, 1], m[..., 0, 0])
    return torch.stack((yaw, pitch, roll), dim=-1).rad2deg()


def degrees(logits: Tensor) -> Tensor:
    """Angles [...] from logits [..., 66]: the mean of bins of 3 degrees, the first at -99 (Hopenet, section 3.2)."""
    return (unrounded(logits).softmax(-1) * bin_degrees(logits.shape[-1], logits.device)).sum(-1)


def bin_degrees(count: int = BINS, device: torch.device | None = None) -> Tensor:
    """The angles [count] that bins stand for."""
    return torch.arange(count, dtype=torch.float32, device=device) * BIN_DEGREES + FIRST_BIN


class PoseEstimator(nn.Module):
    """H and Delta: residual bottlenecks in four stages, mean over the image, one linear layer for each result.

    `blocks` are the residual blocks of each stage after the one that halves. `swapped_names`: the layer called fc_roll
    gives the yaw and the one called fc_yaw the roll, as in the public reimplementation's weights.
    """

    normalised: ClassVar = tuple((f"conv{i}", f"norm{i}") for i in range(1, 6))  # for `models.folding`

    def __init__(
        self, num_kp: int, width: int = 64, blocks: Sequence[int] = (3, 3, 5, 2), *, swapped_names: bool = False
    ) -> None:
        super().__init__()
        self.num_kp = num_kp
        self.swapped_names = swapped_names
        widths = [width * 4 * 2**i for i in range(4)]
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3)
        self.norm1 = nn.BatchNorm2d(width)
        for stage, (before, channels, count) in enumerate(zip([width, *widths], widths, blocks, strict=False)):
            setattr(self, f"conv{stage + 2}", nn.Conv2d(before, channels, 1))
            setattr(self, f"norm{stage + 2}", nn.BatchNorm2d(channels))
            if stage:
                setattr(self, f"block{2 * stage}", ResBottleneck(channels, stride=2))
            rest = nn.Sequential()
            for i in range(count):
                rest.add_module(f"b{2 * stage + 1}_{i}", ResBottleneck(channels))
            setattr(self, f"block{2 * stage + 1}", rest)
        for name in ("roll", "pitch", "yaw"):
            setattr(self, f"fc_{name}", nn.Linear(widths[-1], BINS))
        self.fc_t = nn.Linear(widths[-1], 3)
        self.fc_exp = nn.Linear(widths[-1], 3 * num_kp)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Of images [B, 3, H, W] in [0, 1]: logits yaw, pitch, roll [B, 66], t [B, 3] and delta [B, K, 3]."""
        check_images("image", image)
        x = F.relu(self.norm1(self.conv1(image)), inplace=True)
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        for stage in range(4):
            x = F.relu(self._part(f"norm{stage + 2}")(self._part(f"conv{stage + 2}")(x)), inplace=True)
            if stage:
                x = self._part(f"block{2 * stage}")(x)
            x = self._part(f"block{2 * stage + 1}")(x)
        x = x.mean((2, 3))
        logits = {name: self._part(f"fc_{name}")(x) for name in ("yaw", "pitch", "roll")}
        if self.swapped_names:
            logits["yaw"], logits["roll"] = logits["roll"], logits["yaw"]
        delta = unrounded(self.fc_exp(x)).view(len(x), self.num_kp, 3)
        return {**logits, "t": unrounded(self.fc_t(x)), "delta": delta}

    def _part(self, name: str) -> nn.Module:
        return self.get_submodule(name)


class ResBottleneck(nn.Module):
    """1 x 1 to a quarter of the channels, 3 x 3, 1 x 1 back, added to the input; with a stride both sides shrink."""

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        inner = channels // 4
        self.conv1 = nn.Conv2d(channels, inner, 1)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1)
        self.conv3 = nn.Conv2d(inner, channels, 1)
        self.norm1 = nn.BatchNorm2d(inner)
        self.norm2 = nn.BatchNorm2d(inner)
        self.norm3 = nn.BatchNorm2d(channels)
        self.normalised = [("conv1", "norm1"), ("conv2", "norm2"), ("conv3", "norm3")]  # for `models.folding`
        if stride != 1:
            self.normalised.append(("skip", "norm4"))
            self.skip: nn.Module = nn.Conv2d(channels, channels, 1, stride=stride)
            self.norm4: nn.Module = nn.BatchNorm2d(channels)
        else:
            self.skip = self.norm4 = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H / stride, W / stride]."""
        inner = F.relu(self.norm1(self.conv1(x)), inplace=True)
        inner = F.relu(self.norm2(self.conv2(inner)), inplace=True)
        return F.relu(self.norm3(self.conv3(inner)) + self.norm4(self.skip(x)), inplace=True)
