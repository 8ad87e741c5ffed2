"""fs-vid2vid's image discriminator: patches are judged at several sizes (pix2pixHD: Wang et al., CVPR 2018)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.fs_vid2vid_blocks import ConvBlock

KERNEL = 4


class Discriminator(nn.Module):
    """The same network for the picture and for halves of it, each with weights of its own.

    It sees the wanted label, label and image of a reference, and the picture that is judged.
    """

    def __init__(self, in_channels: int, width: int, max_width: int, layers: int, scales: int) -> None:
        super().__init__()
        self.net_D = nn.ModuleDict(
            {f"discriminator_{i}": PatchDiscriminator(in_channels, width, max_width, layers) for i in range(scales)}
        )

    def forward(
        self, label: Tensor, ref_label: Tensor, ref_image: Tensor, image: Tensor
    ) -> tuple[list[list[Tensor]], list[Tensor]]:
        """[B, L, H, W] twice and images [B, 3, H, W] in [0, 1]: maps and scores [B, 1, h, w] of each size."""
        x = torch.cat([label, ref_label, ref_image * 2 - 1, image * 2 - 1], dim=1)
        maps, scores = [], []
        for number, network in enumerate(self.net_D.values()):
            if number:
                x = F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=True)
            found, score = network(x)
            maps.append(found)
            scores.append(score)
        return maps, scores


class PatchDiscriminator(nn.Module):
    """Convolutions of stride 2, one of stride 1, and the scores; instance normalisation and spectral norm."""

    def __init__(self, in_channels: int, width: int, max_width: int, layers: int) -> None:
        super().__init__()
        self.count = layers + 2
        widths = [in_channels, *(min(max_width, width * 2**i) for i in range(layers + 1))]
        for i in range(layers + 1):
            stride = 1 if i == layers else 2
            block = ConvBlock(widths[i], widths[i + 1], KERNEL, stride, padding=1, norm=True)
            setattr(self, f"layer{i}", nn.Sequential(block))
        setattr(self, f"layer{layers + 1}", nn.Sequential(ConvBlock(widths[-1], 1, active=False)))

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """[B, in, H, W] -> maps of every layer but the last, whose scores [B, 1, h, w] come apart."""
        maps = []
        for i in range(self.count):
            x = self.get_submodule(f"layer{i}")(x)
            maps.append(x)
        return maps[:-1], maps[-1]
