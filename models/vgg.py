"""VGG trunks for perceptual losses: VGG-19 trained on ImageNet, and VGGFace.

Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015 (arXiv 1409.1556);
Parkhi, Vedaldi and Zisserman, Deep Face Recognition, BMVC 2015 (the 16-layer network). Both end at the last map that
losses compare: the first rectified one of each of the five blocks. Images are float32 RGB [B, 3, H, W] in [0, 1].
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

WIDTHS = (64, 128, 256, 512, 512)  # channels of the five blocks


class VGG19(nn.Module):
    """Names and shapes are those of torchvision's `vgg19().features`, as far as this goes."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential()
        self.taken = []  # places in `features` after which a map is taken
        for (inside, outside), depth in zip(pairwise((3, *WIDTHS)), (2, 2, 4, 4, 1), strict=True):
            if len(self.features):
                self.features.append(nn.MaxPool2d(2))
            self.taken.append(len(self.features) + 1)
            for i in range(depth):
                self.features.extend((nn.Conv2d(outside if i else inside, outside, 3, padding=1), nn.ReLU()))
        _constants(self, mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225))

    def forward(self, image: Tensor) -> list[Tensor]:
        """relu1_1, relu2_1, relu3_1, relu4_1, relu5_1: [B, C, H / 2^i, W / 2^i] of images normalised as on ImageNet."""
        x = (image - self.mean) / self.deviation
        maps = []
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in self.taken:
                maps.append(x)
        return maps


class VGGFace(nn.Module):
    """Layers are named conv1_1 to conv5_1, as in the authors' release; pixels from 0 to 255 less the faces' mean."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.depths = (2, 2, 3, 3, 1)
        for block, ((inside, outside), depth) in enumerate(zip(pairwise((3, *WIDTHS)), self.depths, strict=True), 1):
            for i in range(depth):
                self.add_module(f"conv{block}_{i + 1}", nn.Conv2d(outside if i else inside, outside, 3, padding=1))
        mean = (129.1863 / 255, 104.7624 / 255, 93.5940 / 255)
        _constants(self, mean=mean, deviation=(1 / 255, 1 / 255, 1 / 255))

    def forward(self, image: Tensor) -> list[Tensor]:
        """The first rectified map of each block: [B, C, H / 2^i, W / 2^i]."""
        x = (image - self.mean) / self.deviation
        maps = []
        for block, depth in enumerate(self.depths, 1):
            if block > 1:
                x = nn.functional.max_pool2d(x, 2)
            for i in range(depth):
                x = self.get_submodule(f"conv{block}_{i + 1}")(x).relu()
                if not i:
                    maps.append(x)
        return maps


def _constants(network: nn.Module, **values: tuple[float, float, float]) -> None:
    """Keep colours as buffers that are no part of the state dict."""
    for name, value in values.items():
        network.register_buffer(name, torch.tensor(value).view(1, 3, 1, 1), persistent=False)
