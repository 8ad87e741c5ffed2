"""IR-SE50, the residual network of ArcFace (Deng, Guo, Xue, Zafeiriou; CVPR 2019, arXiv 1801.07698) with squeeze and
excitation (Hu, Shen, Sun; CVPR 2018): the trunk of pSp's encoder, and, with a layer to 512 numbers, the network that
tells pSp's identity loss who is seen.

Its 50 layers are 24 units in four stages, each of which halves the image. Images are [B, 3, H, W] in [-1, 1]; of the
identity network 112 x 112. The layers' names are those of the public weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import check_shape
from models.presets import configure


@dataclass(frozen=True)
class Config:
    """Sizes of the identity network. Every field is a switch of `models.create`."""

    side: int = 112
    widths: Sequence[int] = (64, 128, 256, 512)  # channels of each stage
    units: Sequence[int] = (3, 4, 14, 3)
    embedding: int = 512


PRESETS = {"paper": Config(), "mini": Config(side=32, widths=(8, 16, 16, 32), units=(1, 1, 1, 1), embedding=32)}


def create(preset: str, **switches: Any) -> dict[str, nn.Module]:
    """The one network, "facenet"; `UnknownName` for other presets and switches."""
    return {"facenet": IdentityNetwork(configure("ir-se50", PRESETS, preset, switches))}


class SqueezeExcite(nn.Module):
    """Channels weighted by what the whole map says."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        inner = max(1, channels // reduction)
        self.fc1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.fc2 = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape."""
        weights: Tensor = self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)))).sigmoid()
        return x * weights


class _Residual(nn.Sequential):
    normalised: ClassVar = (("3", "4"),)  # for `models.folding`

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            SqueezeExcite(outputs),
        )


class _Projection(nn.Sequential):
    normalised: ClassVar = (("0", "1"),)

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))


class Unit(nn.Module):
    """A residual unit; its short cut takes every `stride`-th pixel, and a 1 x 1 convolution where channels change."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        same = inputs == outputs
        self.shortcut_layer = nn.MaxPool2d(1, stride) if same else _Projection(inputs, outputs, stride)
        self.res_layer = _Residual(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]."""
        out: Tensor = self.res_layer(x) + self.shortcut_layer(x)
        return out


class _Input(nn.Sequential):
    normalised: ClassVar = (("0", "1"),)

    def __init__(self, channels: int) -> None:
        super().__init__(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.PReLU(channels))


class Trunk(nn.Module):
    """The input layer and the units of all stages."""

    def __init__(self, widths: Sequence[int], units: Sequence[int]) -> None:
        super().__init__()
        self.units = tuple(units)
        self.input_layer = _Input(widths[0])
        self.body = nn.Sequential()
        for (before, channels), count in zip(pairwise((widths[0], *widths)), units, strict=True):
            self.body += nn.Sequential(
                Unit(before, channels, 2), *(Unit(channels, channels, 1) for _ in range(count - 1))
            )

    def stages(self, x: Tensor) -> Iterator[Tensor]:
        """What each stage makes of images [B, 3, H, W]: [B, widths[i], H / 2^(i+1), W / 2^(i+1)]."""
        x = self.input_layer(x)
        first = 0
        for count in self.units:
            x = self.body[first : first + count](x)
            first += count
            yield x


class IdentityNetwork(Trunk):
    """Embeddings of length 1, near each other for pictures of one person."""

    def __init__(self, config: Config) -> None:
        super().__init__(config.widths, config.units)
        self.side = config.side
        last, area = config.widths[-1], (config.side // 2 ** len(config.units)) ** 2
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(last),
            nn.Dropout(0.6),
            nn.Flatten(),
            nn.Linear(last * area, config.embedding),
            nn.BatchNorm1d(config.embedding),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, 3, side, side] in [-1, 1] -> [B, embedding]."""
        check_shape("x", x, (None, 3, self.side, self.side))
        *_, last = self.stages(x)
        return F.normalize(self.output_layer(last), dim=1)

    def of_faces(self, images: Tensor) -> Tensor:
        """Embeddings [B, embedding] of images [B, 3, 256 n, 256 n] in [-1, 1], aligned as FFHQ: of the face in them,
        35 to 223 of 256 pixels high and 32 to 220 wide, as pSp's identity loss cuts it out."""
        x = F.adaptive_avg_pool2d(images, 256)[:, :, 35:223, 32:220]
        embeddings: Tensor = self(F.adaptive_avg_pool2d(x, self.side))
        return embeddings
