"""FOMM: how it is driven and how it is trained (the networks are in `models.fomm`)."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from baselines import losses
from baselines.initialise import pass_through
from baselines.interface import Extras, Source
from baselines.network_model import NetworkModel
from baselines.training import Recipe
from models.errors import check_shape
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

    def __init__(self, preset: str = "mini", checkpoint: str | Path | None = None, device: str = "cpu") -> None:
        super().__init__(preset, checkpoint, device)
        self.generator = cast(Generator, self.networks["generator"])
        self.kp_detector = cast(KeypointDetector, self.networks["kp_detector"])

    @torch.inference_mode()
    def encode_source(self, images: Tensor, extras: Extras) -> Source:
        """Features, shrunk image and keypoints of the first of the source images [K, 3, R, R]."""
        self.check("images", images)
        image = images[:1].to(self.device)
        state = {
            "features": self.generator.encode(image),
            "small": self.generator.dense_motion_network.down(image),
            "keypoints": self.kp_detector(image),
        }
        return Source(images, state)

    @torch.inference_mode()
    def reenact(self, source: Source, driving: Tensor, extras: Extras, *, relative_to: Tensor | None = None) -> Tensor:
        """The source in the poses of driving frames [T, 3, R, R]; see `Reenactor`."""
        self.check("driving", driving)
        initial = None
        if relative_to is not None:
            check_shape("relative_to", relative_to, (1, 3, *driving.shape[2:]))
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

    @staticmethod
    def recipe(preset: str) -> Recipe:
        """How `bench train` trains it. Decay and betas are the paper's; batch and learning rate too but for "mini"."""
        paper = preset == "paper"
        return Recipe(
            architecture="fomm",
            parts=PARTS,
            resolution=RESOLUTION[preset],
            steps=100_000 if paper else 1000,
            batch=40 if paper else 4,
            learning_rate=2e-4 if paper else 2e-3,
            step=training_step,
            prepare=None if paper else start_as_copy,
        )


def start_as_copy(networks: dict[str, nn.Module]) -> None:
    """The mini generator begins as a copy of the warped source, so that a minute goes into learning motion."""
    pass_through(cast(Generator, networks["generator"]))


def training_step(
    networks: dict[str, nn.Module], source: Tensor, driving: Tensor, generator: torch.Generator
) -> dict[str, Tensor]:
    """Weighted losses of reconstructing driving frames from source frames [B, 3, R, R] of the same clips.

    Equivariance weights are the paper's (10, 10); the perceptual loss is replaced by pixels and gradients on a pyramid.
    """
    detector, synthesis = cast(KeypointDetector, networks["kp_detector"]), cast(Generator, networks["generator"])
    kp_source, kp_driving = detector(source), detector(driving)
    prediction = synthesis(source, kp_source=kp_source, kp_driving=kp_driving)["prediction"]
    warp = losses.RandomWarp.sample(len(driving), generator).to(driving.device)
    kp_warped = detector(warp.images(driving, align_corners=synthesis.align_corners))
    return {
        "pixels": 10 * losses.pyramid_l1(prediction, driving),
        "gradients": 10 * losses.pyramid_gradient(prediction, driving),
        "equivariance_value": 10 * losses.equivariance_value(kp_driving["value"], kp_warped["value"], warp),
        "equivariance_jacobian": 10
        * losses.equivariance_jacobian(kp_driving["jacobian"], kp_warped["value"], kp_warped["jacobian"], warp),
    }
