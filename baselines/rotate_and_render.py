"""Rotate-and-Render: how the model is driven (its network is in `models.rotate_and_render`).

A head is fitted to the source's landmarks and textured with the source, once (`baselines.head_fitting`,
`baselines.head_rendering`). Each output is that head drawn in another pose and repaired by the generator, which also
sees where the landmarks then lie. The paper turns heads and does no more; `reenact` gives the source the driving head's
pose, expression and place (absolute motion), all three as fitted to its landmarks: a use of the same parts that no
training is for.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from baselines.driving_landmarks import landmarks_of
from baselines.head_fitting import Fit, fit_heads
from baselines.head_model import HeadModel, synthetic
from baselines.head_rendering import Textured, draw_curves, textured, turned
from baselines.interface import Extras, Source
from baselines.network_model import NetworkModel
from models.errors import InputError, check_shape
from models.rotate_and_render import Generator

RESOLUTION = {"paper": 256, "mini": 128}
BATCH = 4  # poses at once


class RotateAndRender(NetworkModel):
    """Faces turned by fitting, texturing and drawing a 3D head; what that gets wrong a network repairs."""

    name = "rar"
    parts = ("netG_rotatespade",)
    resolutions = RESOLUTION
    paper = (
        "Zhou et al., Rotate-and-Render: Unsupervised Photorealistic Face Rotation from Single-View Images, CVPR 2020"
    )
    licence = "CC BY 4.0; its head model 3DDFA is not used"
    capabilities = ("redirect",)
    needs = ("landmarks68",)

    def __init__(self, preset: str = "mini", checkpoint: str | Path | None = None, device: str = "cpu") -> None:
        super().__init__(preset, checkpoint, device)
        self.generator = cast(Generator, self.networks["netG_rotatespade"])
        self.use_head(synthetic())

    def use_head(self, head: HeadModel) -> None:
        """Fit and draw another head than SynthHeads', e.g. one that `head_model.read_head_model` read."""
        self.head = head.to(self.device)

    def encode_source(self, images: Tensor, extras: Extras) -> Source:
        """The head of the one source image [1, 3, R, R], textured; extras: landmarks68."""
        self.check_source(images)
        fit = self.fit("source", images, extras)
        with torch.autocast(self.device.type, enabled=False):
            return Source(images, {"textured": textured(self.head, images.to(self.device).clamp(0, 1), fit)})

    def redirect(self, source: Source, yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
        """The source's head in other poses, with its own place and expression; see `Redirector`."""
        for name, angles in (("pitch", pitch), ("roll", roll)):
            check_shape(name, angles, tuple(yaw.shape))
        angles = torch.stack((yaw, pitch, roll), dim=1).float().to(self.device)
        own = cast(Textured, source.state["textured"]).fit
        return self.draw(source, [replace(own.expand(len(part)), angles=part) for part in torch.split(angles, BATCH)])

    def reenact(self, source: Source, driving: Tensor, extras: Extras, *, relative_to: Tensor | None = None) -> Tensor:
        """The source in the poses, places and expressions of driving frames [T, 3, R, R]; extras: landmarks68."""
        if relative_to is not None:
            raise InputError(f"relative_to: {self.name} knows absolute motion alone, expected None")
        self.check("driving", driving)
        seen = self.fit("driving", driving, extras)
        own = cast(Textured, source.state["textured"]).fit
        moved = replace(seen, shape=own.shape.expand(len(seen), -1))
        return self.draw(source, moved.split(BATCH))

    def fit(self, side: str, images: Tensor, extras: Extras) -> Fit:
        """The heads that images [N, 3, R, R] show; `InputError` names those without landmarks."""
        landmarks = landmarks_of(side, images, extras).to(self.device)
        with torch.autocast(self.device.type, enabled=False):
            return fit_heads(self.head, landmarks, self.resolution)

    def draw(self, source: Source, heads: list[Fit]) -> Tensor:
        """Pictures [T, 3, R, R] of the source with its head as parts of T heads say."""
        pictures = []
        for head in heads:
            with torch.autocast(self.device.type, enabled=False):
                rendering = turned(self.head, source.state["textured"].expand(len(head)), head)
                curves = draw_curves(head.landmarks(self.head, self.resolution), self.resolution)
            pictures.append(self.generator(rendering, curves)["prediction"].float())
        return torch.cat(pictures).to(source.images.device)
