"""SPADE decoder (Park, Liu, Wang, Zhu; Semantic Image Synthesis with Spatially-Adaptive Normalization, CVPR 2019, arXiv
1903.07291), with the names of public code. Here what modulates is not a segmentation but a map of features."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2  # of every leaky ReLU
HIDDEN = 128  # channels between the modulating map and gamma, beta


class Spade(nn.Module):
    """Equation 1: instance normalisation, then x (1 + gamma) + beta with gamma and beta convolved from a map."""

    def __init__(self, channels: int, map_channels: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.mlp_shared = nn.Sequential(nn.Conv2d(map_channels, hidden, 3, padding=1), nn.ReLU(inplace=True))
        self.mlp_gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """x [B, C, H, W], modulated by a map [B, M, h, w] that is enlarged to H x W (nearest)."""
        if modulation.shape[2:] != x.shape[2:]:
            modulation = F.interpolate(modulation, size=x.shape[2:], mode="nearest")
        shared = self.mlp_shared(modulation)
        gamma, beta = self.mlp_gamma(shared), self.mlp_beta(shared)
        modulated: Tensor = F.instance_norm(x) * (1 + gamma) + beta
        return modulated


class SpadeResBlock(nn.Module):
    """Two modulated convolutions with spectral norm; the shortcut is modulated too where channels change."""

    def __init__(self, in_channels: int, out_channels: int, map_channels: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        inner = min(in_channels, out_channels)
        self.shortcut = in_channels != out_channels
        self.conv_0 = nn.utils.spectral_norm(nn.Conv2d(in_channels, inner, 3, padding=1))
        self.conv_1 = nn.utils.spectral_norm(nn.Conv2d(inner, out_channels, 3, padding=1))
        self.norm_0 = Spade(in_channels, map_channels, hidden)
        self.norm_1 = Spade(inner, map_channels, hidden)
        if self.shortcut:
            self.conv_s = nn.utils.spectral_norm(nn.Conv2d(in_channels, out_channels, 1, bias=False))
            self.norm_s = Spade(in_channels, map_channels, hidden)

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """[B, in, H, W] and a map [B, M, h, w] -> [B, out, H, W]."""
        inner = self.conv_0(F.leaky_relu(self.norm_0(x, modulation), SLOPE))
        inner = self.conv_1(F.leaky_relu(self.norm_1(inner, modulation), SLOPE))
        whole: Tensor = (self.conv_s(self.norm_s(x, modulation)) if self.shortcut else x) + inner
        return whole


class SpadeDecoder(nn.Module):
    """From a map of features, which also modulates every block, to an image of four times its size."""

    def __init__(self, map_channels: int, width: int, out_width: int, blocks: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.fc = nn.Conv2d(map_channels, 2 * width, 3, padding=1)
        self.middle = blocks
        for i in range(blocks):
            setattr(self, f"G_middle_{i}", SpadeResBlock(2 * width, 2 * width, map_channels, hidden))
        self.up_0 = SpadeResBlock(2 * width, width, map_channels, hidden)
        self.up_1 = SpadeResBlock(width, out_width, map_channels, hidden)
        self.conv_img = nn.Conv2d(out_width, 3, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """[B, M, h, w] -> [B, 3, 4h, 4w] in [0, 1]."""
        x = self.fc(features)
        for i in range(self.middle):
            x = self.get_submodule(f"G_middle_{i}")(x, features)
        for block in (self.up_0, self.up_1):
            x = block(F.interpolate(x, scale_factor=2.0, mode="nearest"), features)
        image: Tensor = self.conv_img(F.leaky_relu(x, SLOPE)).sigmoid()
        return image
