"""OSFV's ablation without canonical keypoints: L gives the 3D keypoints of every image (table 5, direct prediction)."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from baselines.interface import Extras, Source
from baselines.network_model import NetworkModel
from baselines.osfv import BATCH, RESOLUTION, Osfv, render_keypoints
from models.osfv import KeypointDetector, VolumeGenerator


class OsfvDirect(NetworkModel):
    """OSFV with direct keypoint prediction: its motion is where keypoints are, so that heads cannot be redirected."""

    name = "osfv-direct"
    parts = ("generator", "kp_detector")
    resolutions = RESOLUTION
    paper = Osfv.paper
    licence = "written from the paper"
    capabilities = ("relative",)
    compilable = Osfv.compilable

    def __init__(self, preset: str = "mini", checkpoint: str | Path | None = None, device: str = "cpu") -> None:
        super().__init__(preset, checkpoint, device)
        self.generator = cast(VolumeGenerator, self.networks["generator"])
        self.kp_detector = cast(KeypointDetector, self.networks["kp_detector"])

    def encode_source(self, images: Tensor, extras: Extras) -> Source:
        """Volume and keypoints of the one source image [1, 3, R, R]."""
        self.check_source(images)
        image = images.to(self.device)
        volume = self.generator.encode(image)
        small = self.generator.dense_motion_network.compressed(volume)
        return Source(images, {"volume": volume, "small": small, "keypoints": self.kp_detector(image)})

    def reenact(self, source: Source, driving: Tensor, extras: Extras, *, relative_to: Tensor | None = None) -> Tensor:
        """The source with the keypoints of driving frames [T, 3, R, R], or, relative, with its own moved by their
        shifts since the initial frame; see `Reenactor`."""
        self.check("driving", driving)
        found = torch.cat([self.kp_detector(frames.to(self.device)) for frames in torch.split(driving, BATCH)])
        if relative_to is not None:
            self.check_one("relative_to", relative_to)
            found = source.state["keypoints"] + found - self.kp_detector(relative_to.to(self.device))
        return render_keypoints(self.generator, source, found).to(driving.device)
