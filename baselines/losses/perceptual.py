"""Perceptual losses: images must look alike to a trained network (Johnson et al., ECCV 2016, arXiv 1603.08155)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models.layers import AntiAliasDown

FOMM_SCALES = (1.0, 0.5, 0.25, 0.125)
OSFV_SCALES = (1.0, 0.5, 0.25)
OSFV_LAYERS = (0.03125, 0.0625, 0.125, 0.25, 1.0)

Features = Callable[[Tensor], Sequence[Tensor]]
"""Images [B, 3, H, W] in [0, 1] -> maps of some layers, e.g. `models.vgg.VGG19`."""


def perceptual(
    features: Features,
    prediction: Tensor,
    target: Tensor,
    *,
    scales: Sequence[float] = (1.0,),
    layers: Sequence[float] | None = None,
) -> Tensor:
    """sum over scales s and layers i of layers[i] mean |N_i(s prediction) - N_i(s target)| (FOMM eq. 9, OSFV eq. 12).

    `scales`: by how much images are shrunk, each 1 / n, anti-aliased as FOMM's are. `layers`: one weight for each map;
    None: all 1.
    """
    total = prediction.new_zeros(())
    for scale in scales:
        found = features(shrink(prediction, scale))
        with torch.no_grad():
            wanted = features(shrink(target, scale))
        weights = [1.0] * len(found) if layers is None else layers
        for weight, a, b in zip(weights, found, wanted, strict=True):
            total = total + weight * F.l1_loss(a, b)
    return total


def shrink(images: Tensor, scale: float) -> Tensor:
    """Images [B, C, H, W] at `scale` = 1 / n of their size: a Gaussian of sigma (n - 1) / 2, then every n-th pixel."""
    if scale == 1:
        return images
    smaller: Tensor = AntiAliasDown(images.shape[1], scale).to(images.device)(images)
    return smaller
