"""Hopenet (Ruiz, Chong, Rehg; Fine-Grained Head Pose Estimation Without Keypoints, CVPR Workshops 2018, arXiv
1710.00925): the head pose network that supervises OSFV.

A ResNet-50 (He, Zhang, Ren, Sun; Deep Residual Learning for Image Recognition, CVPR 2016) with a linear layer for each
angle. Each gives 66 bins of 3 degrees from -99; the angle is their mean. Its angles in degrees are yaw, positive when
the head turns to the image's left, pitch, positive upwards, and roll, positive clockwise as seen in the image; the
matrix that they stand for is "hopenet" in `models.pose`, whose `hopenet_to_camera` gives this project's angles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import check_images
from models.pose import BINS, degrees
from models.presets import configure

SIDE = 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet


@dataclass(frozen=True)
class Config:
    """ResNet-50's sizes. Every field is a switch of `models.create`."""

    width: int = 64
    blocks: Sequence[int] = (3, 4, 6, 3)


PRESETS = {"paper": Config(), "mini": Config(width=8, blocks=(1, 1, 1, 1))}


def create(preset: str, **switches: Any) -> dict[str, nn.Module]:
    """The one network, "hopenet"; `UnknownName` for other presets and switches."""
    config = configure("hopenet", PRESETS, preset, switches)
    return {"hopenet": Hopenet(config)}


def preprocess(images: Tensor, *, antialias: bool = True) -> Tensor:
    """Images [B, 3, H, W] in [0, 1] as the network wants them: [B, 3, 224, 224] with ImageNet's mean and deviation.

    `antialias`: average when shrinking, as image libraries do; the tensor code of 2021 did not.
    """
    check_images("images", images)
    if images.shape[2:] != (SIDE, SIDE):
        images = F.interpolate(images, size=(SIDE, SIDE), mode="bilinear", antialias=antialias)
    mean, std = (images.new_tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (images - mean) / std


class Hopenet(nn.Module):
    """Yaw, pitch and roll of the head in an image that shows little else.

    Published files also hold fc_finetune, a layer of its training that nothing uses, and have no num_batches_tracked.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.width
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels = width
        for stage, count in enumerate(config.blocks):
            inner = width * 2**stage
            blocks = [Bottleneck(channels, inner, stride=2 if stage else 1)]
            channels = 4 * inner
            blocks += [Bottleneck(channels, inner) for _ in range(count - 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.stages = len(config.blocks)
        self.fc_yaw, self.fc_pitch, self.fc_roll = (nn.Linear(channels, BINS) for _ in range(3))
        self.fc_finetune = nn.Linear(channels + 3, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of yaw, pitch and roll [B, 66] of preprocessed images [B, 3, 224, 224]."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        for stage in range(self.stages):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        x = x.mean((2, 3))
        return self.fc_yaw(x), self.fc_pitch(x), self.fc_roll(x)

    def degrees(self, images: Tensor, *, antialias: bool = True) -> Tensor:
        """Yaw, pitch, roll [B, 3] in its own convention, of images [B, 3, H, W] in [0, 1]."""
        return torch.stack([degrees(logits) for logits in self(preprocess(images, antialias=antialias))], dim=-1)


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 (with the stride), 1 x 1 to four times the channels, added to the input or its projection."""

    def __init__(self, in_channels: int, inner: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, 4 * inner, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * inner)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or in_channels != 4 * inner:
            projection = nn.Conv2d(in_channels, 4 * inner, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(4 * inner))

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] -> [B, 4 inner, H / stride, W / stride]."""
        inner = F.relu(self.bn1(self.conv1(x)), inplace=True)
        inner = F.relu(self.bn2(self.conv2(inner)), inplace=True)
        passed = x if self.downsample is None else self.downsample(x)
        return F.relu(self.bn3(self.conv3(inner)) + passed, inplace=True)
