"""The trunks and linear heads of LPIPS, through the lpips package.

Zhang et al. (The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018), version 0.1: the
weights of the heads come with the package, those of the trunk are torchvision's. A distance of two images takes both
through the trunk; here an image goes through it once, and what is kept of it is such that the distance is the sum of
squared differences (equation 1): unit-length activations of each layer and position, times the root of weight over
positions. That is a number for each activation, so Features look at few frames at a time (`WIDE`).
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.evaluators.batches import in_batches
from bench.evaluators.files import digest_of, locate
from curate.errors import UserError
from curate.files import sha256_text
from curate.perception.interface import Frames

TRUNKS = {"alex": "alexnet", "vgg": "vgg16"}  # of lpips -> of files.toml


class LpipsTrunk:
    """A `PerceptualEncoder` for the net "alex" or "vgg"."""

    def __init__(self, net: str) -> None:
        path, trunk = locate(TRUNKS[net])
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.network = _through_lpips(net, state)
        except Exception as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{path} holds no {TRUNKS[net]} network of torchvision: {reason}") from error
        heads = digest_of(_heads(net))
        both = sha256_text(trunk.sha256 + heads)
        self.info = replace(trunk, name=f"lpips-{net}", sha256=both)

    def perceptual(self, frames: Frames) -> NDArray[np.float32]:
        """[T, P] of uint8 RGB frames [T, H, W, 3]; P grows with the frames' size."""
        if not len(frames):
            return np.zeros((0, 0), np.float32)
        return in_batches(self.vectors, frames)

    def vectors(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W] in [0, 1] -> [B, P]."""
        import lpips  # type: ignore[import-untyped,unused-ignore]  # no types

        maps = self.network.net(self.network.scaling_layer(2 * images - 1))
        parts = []
        for map_, head in zip(maps, self.network.lins, strict=True):
            weights = head.model[-1].weight.clamp(min=0) / (map_.shape[2] * map_.shape[3])
            parts.append((lpips.normalize_tensor(map_) * weights.sqrt()).flatten(1))
        return torch.cat(parts, 1)


class Alex(LpipsTrunk):
    """LPIPS with AlexNet, what its authors advise for comparing images."""

    def __init__(self) -> None:
        super().__init__("alex")


class Vgg(LpipsTrunk):
    """LPIPS with VGG-16."""

    def __init__(self) -> None:
        super().__init__("vgg")


def _heads(net: str) -> Path:
    import lpips  # type: ignore[import-untyped,unused-ignore]  # no types

    return Path(lpips.__file__).parent / "weights" / "v0.1" / f"{net}.pth"


def _through_lpips(net: str, state: dict[str, Tensor]) -> Any:
    """The package's network with its own heads and a trunk that is here."""
    import lpips  # type: ignore[import-untyped,unused-ignore]  # no types

    with warnings.catch_warnings(), torch.device("meta"):  # no numbers are drawn, for all of them are replaced
        warnings.simplefilter("ignore")  # torchvision's, about the way lpips asks for its networks
        network = lpips.LPIPS(net=net, pnet_rand=True, pretrained=False, verbose=False)
    network.scaling_layer = lpips.ScalingLayer()
    layers = {}
    for name in network.net.state_dict():
        _, layer, kind = name.split(".")  # slice2.5.weight
        layers[name] = state[f"features.{layer}.{kind}"]
    network.net.load_state_dict(layers, assign=True)
    heads = torch.load(_heads(net), map_location="cpu", weights_only=True)
    for number, head in enumerate(network.lins):
        head.load_state_dict({"model.1.weight": heads[f"lin{number}.model.1.weight"]}, assign=True)
    return network.eval().requires_grad_(False)
