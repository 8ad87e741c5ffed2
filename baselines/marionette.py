"""MarioNETte: how it is driven (the networks are in `models.marionette`).

The paper's targets are the source images, up to eight of them; of the driving frames only their landmarks are used,
drawn as curves. Motion is absolute: `marionette` passes the driver's landmarks on as they are, `marionette-lt` gives
them the source's face first (`baselines.marionette_lt`).
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from baselines.driving_landmarks import landmarks_of
from baselines.interface import Extras, Source
from baselines.landmark_rendering import draw_landmarks
from baselines.network_model import NetworkModel
from models.errors import InputError
from models.marionette import Generator

RESOLUTION = {"paper": 256, "mini": 128}
BATCH = 16  # driving frames at once


class Marionette(NetworkModel):
    """Few-shot reenactment by rendered landmarks."""

    name = "marionette"
    parts = ("generator",)
    resolutions = RESOLUTION
    paper = "Ha et al., MarioNETte: Few-Shot Face Reenactment Preserving Identity of Unseen Targets, AAAI 2020"
    licence = "no public code; written from the paper"
    shots = 8
    needs = ("landmarks68",)

    def __init__(self, preset: str = "mini", checkpoint: str | Path | None = None, device: str = "cpu") -> None:
        super().__init__(preset, checkpoint, device)
        self.generator = cast(Generator, self.networks["generator"])

    def encode_source(self, images: Tensor, extras: Extras) -> Source:
        """Attention keys and values and normalised maps of source images [K, 3, R, R]; extras: landmarks68."""
        self.check_source(images)
        landmarks = self.landmarks("source", images, extras)
        drawn = draw_landmarks(landmarks, self.resolution)
        targets = self.generator.encode_targets(images.to(self.device)[None], drawn[None])
        return Source(images, {"targets": targets, "landmarks": landmarks})

    def reenact(self, source: Source, driving: Tensor, extras: Extras, *, relative_to: Tensor | None = None) -> Tensor:
        """The source in the poses of driving frames [T, 3, R, R]; see `Reenactor`."""
        self.check("driving", driving)
        if relative_to is not None:
            raise InputError(f"relative_to: {self.name} knows absolute motion alone, expected None")
        points = self.driver_landmarks(source, self.landmarks("driving", driving, extras))
        outputs = []
        for part in torch.split(points, BATCH):
            drawn = draw_landmarks(part, self.resolution)
            outputs.append(self.generator.drive(drawn, source.state["targets"].expand(len(part))).to(driving.device))
        return torch.cat(outputs)

    def driver_landmarks(self, source: Source, landmarks: Tensor) -> Tensor:
        """The landmarks [T, 68, 2] that are drawn for driving frames with these ones."""
        return landmarks

    def landmarks(self, side: str, images: Tensor, extras: Extras) -> Tensor:
        """The landmarks of all images; `InputError` names the frames that have none."""
        return landmarks_of(side, images, extras).to(self.device)
