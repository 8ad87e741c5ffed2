"""pSp: how it is driven (the networks are in `models.psp`, how it is trained in `baselines.objectives.psp`).

Its encoder sees the source once and gives the styles of the same head facing the camera; a latent direction for each
angle turns them (`models.psp.PoseDirections`), and the decoder draws the picture. The published weights frontalise and
know no other pose until directions are put beside them (`baselines.psp_directions`).
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from baselines.interface import Extras, Source
from baselines.network_model import NetworkModel
from models.errors import InputError, check_shape
from models.psp import AverageStyle, GradualStyleEncoder, PoseDirections, PSp
from models.stylegan2 import Generator

RESOLUTION = {"paper": 256, "mini": 64}
BATCH = 8  # images at once


class Psp(NetworkModel):
    """pixel2style2pixel as a frontaliser whose heads can be turned; it takes angles, no driving frames."""

    name = "psp"
    parts = ("encoder", "decoder", "average")
    optional = ("directions",)
    resolutions = RESOLUTION
    paper = "Richardson et al., Encoding in Style: a StyleGAN Encoder for Image-to-Image Translation, CVPR 2021"
    licence = "MIT; parts of the public code that are not in it differ"
    capabilities = ("redirect",)
    follows = False
    compilable = ("encoder.forward", "decoder.forward")

    def __init__(self, preset: str = "mini", checkpoint: str | Path | None = None, device: str = "cpu") -> None:
        super().__init__(preset, checkpoint, device)
        self.psp = PSp(
            cast(GradualStyleEncoder, self.networks["encoder"]),
            cast(Generator, self.networks["decoder"]),
            cast(AverageStyle, self.networks["average"]),
        )
        self.directions = cast(PoseDirections | None, self.networks.get("directions"))

    def encode_source(self, images: Tensor, extras: Extras) -> Source:
        """Styles of the one source image [1, 3, R, R], and the pose that they stand for: 0 where E frontalises."""
        self.check_source(images)
        styles = self.psp.encode(images.to(self.device)).float()
        return Source(images, {"styles": styles})

    def reenact(self, source: Source, driving: Tensor, extras: Extras, *, relative_to: Tensor | None = None) -> Tensor:
        """Not possible: `InputError`. A driving frame's pose and expression are in no form that pSp could take."""
        raise InputError("driving: psp turns heads to angles and follows no frames; use the tasks of redirection")

    def redirect(self, source: Source, yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
        """The source's head in other poses, with its own expression; see `Redirector`."""
        angles = torch.stack((yaw, pitch, roll), dim=1).float().to(self.device)
        check_shape("angles", angles, (None, 3))
        styles = source.state["styles"].expand(len(angles), -1, -1)
        if self.directions is not None:
            styles = self.directions(styles, angles)
        elif angles.any():
            raise InputError(
                f"yaw, pitch, roll: {self.spec.checkpoint} knows one pose, facing the camera (all angles 0); for "
                "others, put latent directions beside its weights: bench psp-directions"
            )
        images = torch.cat([self.psp.decode(some) for some in torch.split(styles, BATCH)])
        return F.adaptive_avg_pool2d(images, self.resolution).to(yaw.device)
