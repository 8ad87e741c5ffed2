"""FOMM: how it is driven (the networks are in `models.fomm`, how it is trained in `baselines.objectives.fomm`)."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from baselines.interface import Extras, Source
from baselines.network_model import NetworkModel
from models.fomm import Generator, KeypointDetector, relative_keypoints

PARTS = ("generator", "kp_detector")
RESOLUTION = {"paper": 256, "mini": 128}
BATCH = 16  # driving frames at once


class Fomm(NetworkModel):
    """First Order Motion Model; absolute motion, or relative with the authors' scale by hull areas."""

    name = "fomm"
    parts = PARTS
    resolutions = RESOLUTION
    paper = "Siarohin et al., First Order Motion Model for Image Animation, NeurIPS 2019"
    licence = "MIT"
    capabilities = ("relative",)
    compilable = (
        "generator.encode",
        "generator.dense_motion_network.combine",
        "generator.decode",
        "kp_detector.forward",
    )

    def __init__(self, preset: str = "mini", checkpoint: str | Path | None = None, device: str = "cpu") -> None:
        super().__init__(preset, checkpoint, device)
        self.generator = cast(Generator, self.networks["generator"])
        self.kp_detector = cast(KeypointDetector, self.networks["kp_detector"])

    def encode_source(self, images: Tensor, extras: Extras) -> Source:
        """Features, shrunk image and keypoints of the one source image [1, 3, R, R]."""
        self.check_source(images)
        image = images.to(self.device)
        state = {
            "features": self.generator.encode(image),
            "small": self.generator.dense_motion_network.down(image),
            "keypoints": self.kp_detector(image),
        }
        return Source(images, state)

    def reenact(self, source: Source, driving: Tensor, extras: Extras, *, relative_to: Tensor | None = None) -> Tensor:
        """The source in the poses of driving frames [T, 3, R, R]; see `Reenactor`."""
        self.check("driving", driving)
        initial = None
        if relative_to is not None:
            self.check_one("relative_to", relative_to)
            initial = self.kp_detector(relative_to.to(self.device))
        outputs = []
        for frames in torch.split(driving, BATCH):
            keypoints = self.kp_detector(frames.to(self.device))
            if initial is not None:
                keypoints = relative_keypoints(source.state["keypoints"], keypoints, initial)
            count = len(frames)
            small, features = (source.state[key].expand(count, -1, -1, -1) for key in ("small", "features"))
            kp_source = {key: value.expand(count, *value.shape[1:]) for key, value in source.state["keypoints"].items()}
            motion = self.generator.dense_motion_network.combine(small, keypoints, kp_source)
            outputs.append(self.generator.decode(features, motion).to(driving.device))
        return torch.cat(outputs)
