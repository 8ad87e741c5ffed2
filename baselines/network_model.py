"""What the adapters of models share: networks filled from a checkpoint, what a table needs to know, checked images."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from baselines.checkpoint import load_networks
from baselines.interface import ModelSpec
from models.errors import check_shape


class NetworkModel:
    """An adapter says of itself what stands here, and adds `encode_source` and `reenact`."""

    name: ClassVar[str]
    architecture: ClassVar[str] = ""  # in `models`, and of its checkpoints, where its name is another
    parts: ClassVar[tuple[str, ...]]  # which networks of its architecture it is driven with
    resolutions: ClassVar[dict[str, int]]  # by preset: side of the images it takes and gives
    paper: ClassVar[str]
    licence: ClassVar[str]
    shots: ClassVar[int] = 1
    capabilities: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, preset: str = "mini", checkpoint: str | Path | None = None, device: str = "cpu") -> None:
        self.networks, found = load_networks(self.architecture or self.name, preset, checkpoint, device, self.parts)
        self.device = torch.device(device)
        self.resolution = self.resolutions[found.preset]
        self.spec = ModelSpec(
            name=self.name,
            preset=found.preset,
            resolution=self.resolution,
            paper=self.paper,
            licence=self.licence,
            shots=self.shots,
            parameters=sum(p.numel() for network in self.networks.values() for p in network.parameters()),
            capabilities=self.capabilities,
            needs=self.needs,
            checkpoint=found.path.name,
            weights_sha256=found.sha256,
            details=found.details,
        )

    def check(self, name: str, images: Tensor) -> None:
        """Raise `InputError` unless `images` is [N, 3, R, R] at the model's resolution."""
        check_shape(name, images, (None, 3, self.resolution, self.resolution))
