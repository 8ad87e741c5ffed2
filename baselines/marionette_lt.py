"""MarioNETte-LT: MarioNETte driven by landmarks that have the source's face and the driver's expression and pose.

Landmarks come from images, so the transformer lifts them first (`models.landmark_transformer`). The generator is
`marionette`'s, with its checkpoints; the transformer that ships serves every preset.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from torch import Tensor

from baselines.checkpoint import load_networks
from baselines.interface import Extras, Source
from baselines.marionette import Marionette
from models.landmark_transformer import LandmarkTransformer


class MarionetteLT(Marionette):
    """MarioNETte with the landmark transformer."""

    name = "marionette-lt"
    architecture = "marionette"

    def __init__(self, preset: str = "mini", checkpoint: str | Path | None = None, device: str = "cpu") -> None:
        super().__init__(preset, checkpoint, device)
        networks, _ = load_networks("landmark-transformer", "mini", None, device, ("transformer",))
        self.transformer = cast(LandmarkTransformer, networks["transformer"])

    def encode_source(self, images: Tensor, extras: Extras) -> Source:
        """What `marionette` computes, and the identity part of the landmarks, the mean over all K images."""
        source = super().encode_source(images, extras)
        landmarks, _ = self.transformer.lift(source.state["landmarks"])
        source.state["identity"] = self.transformer.identity(landmarks)
        return source

    def driver_landmarks(self, source: Source, landmarks: Tensor) -> Tensor:
        """The source's face in the driver's expressions, at its scale, rotation and place."""
        driving, pose = self.transformer.lift(landmarks)
        return pose.project(self.transformer.transfer(source.state["identity"], driving))
