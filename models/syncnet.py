"""SyncNet (Chung, Zisserman; Out of Time: Automated Lip Sync in the Wild, ACCV Workshops 2016): does a mouth say what
is heard?

Two convolutional networks put 0.2 seconds of face and of sound into one space, where they are near each other when they
belong together. Sizes and names are those of the public release (syncnet_v2), which looks at colour and at the whole
face, where the paper's first version looked at grey mouths. The distances and their confidence are in `bench.metrics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.errors import check_images, check_shape
from models.presets import configure

SIDE = 224  # pixels of a face
WINDOW = 5  # frames at 25 a second that one embedding looks at
COEFFICIENTS, STEPS = 13, 20  # of the sound of those frames: cepstra at 100 a second


@dataclass(frozen=True)
class Config:
    """Channels of the convolutions of sound and of lips, of the layer behind them, and the size of the space."""

    voice: Sequence[int] = (64, 192, 384, 256, 256, 512)
    lips: Sequence[int] = (96, 256, 256, 256, 256, 512)
    hidden: int = 512
    space: int = 1024


PRESETS = {
    "paper": Config(),
    "mini": Config(voice=(8, 16, 16, 16, 16, 32), lips=(8, 16, 16, 16, 16, 32), hidden=32, space=64),
}


def create(preset: str, **switches: Any) -> dict[str, nn.Module]:
    """The one network, "syncnet"; `UnknownName` for other presets and switches."""
    return {"syncnet": SyncNet(configure("syncnet", PRESETS, preset, switches))}


class SyncNet(nn.Module):
    """Embeddings of faces and of sounds; `bench` compares them by their Euclidean distance."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        a, b = config.voice, config.lips
        self.netcnnaud = nn.Sequential(
            *_block(nn.Conv2d(1, a[0], 3, padding=1)),
            nn.MaxPool2d(1),  # of no effect; it has a number in the names of what follows
            *_block(nn.Conv2d(a[0], a[1], 3, padding=1)),
            nn.MaxPool2d(3, stride=(1, 2)),
            *_block(nn.Conv2d(a[1], a[2], 3, padding=1)),
            *_block(nn.Conv2d(a[2], a[3], 3, padding=1)),
            *_block(nn.Conv2d(a[3], a[4], 3, padding=1)),
            nn.MaxPool2d(3, stride=2),
            *_block(nn.Conv2d(a[4], a[5], (5, 4))),
        )
        self.netfcaud = _head(a[5], config)
        self.netfclip = _head(b[5], config)
        self.netcnnlip = nn.Sequential(
            *_block(nn.Conv3d(3, b[0], (WINDOW, 7, 7), stride=(1, 2, 2))),
            nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2)),
            *_block(nn.Conv3d(b[0], b[1], (1, 5, 5), stride=(1, 2, 2), padding=(0, 1, 1))),
            nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
            *_block(nn.Conv3d(b[1], b[2], (1, 3, 3), padding=(0, 1, 1))),
            *_block(nn.Conv3d(b[2], b[3], (1, 3, 3), padding=(0, 1, 1))),
            *_block(nn.Conv3d(b[3], b[4], (1, 3, 3), padding=(0, 1, 1))),
            nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2)),
            *_block(nn.Conv3d(b[4], b[5], (1, 6, 6))),
        )

    def lips(self, faces: Tensor) -> Tensor:
        """Faces [T, 3, 224, 224] in [0, 1] that follow each other at 25 a second -> [T - 4, D], one of each five.

        Only the first layer looks along time, so windows share all that they have in common. The published network
        takes BGR in [0, 255].
        """
        check_images("faces", faces)
        check_shape("faces", faces, (None, 3, SIDE, SIDE))
        clip = (255 * faces.flip(1)).transpose(0, 1)[None]
        seen: Tensor = self.netcnnlip(clip)
        return torch.as_tensor(self.netfclip(seen[0, :, :, 0, 0].T))

    def voice(self, cepstra: Tensor) -> Tensor:
        """Cepstra [B, 13, 20] of 0.2 seconds of sound each (`bench.cepstra`) -> [B, D]."""
        check_shape("cepstra", cepstra, (None, COEFFICIENTS, STEPS))
        return torch.as_tensor(self.netfcaud(self.netcnnaud(cepstra[:, None]).flatten(1)))


def _block(convolution: nn.Conv2d | nn.Conv3d) -> tuple[nn.Module, nn.Module, nn.Module]:
    norm = nn.BatchNorm3d if isinstance(convolution, nn.Conv3d) else nn.BatchNorm2d
    return convolution, norm(convolution.out_channels), nn.ReLU(inplace=True)


def _head(channels: int, config: Config) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(channels, config.hidden),
        nn.BatchNorm1d(config.hidden),
        nn.ReLU(),
        nn.Linear(config.hidden, config.space),
    )
