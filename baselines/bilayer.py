"""Bi-layer head avatars: how the model is driven (the networks are in `models.bilayer`).

It sees of the source its image, the head's mask and its landmarks, drawn; of driving frames their landmarks alone.
Motion is absolute. Pixels p of landmarks become 2 p / R - 1, as in the authors' code, whose pictures are square crops
about the face: centred on the box of the landmarks and moved up by a sixth of its longer side, twice as large as that.
Up to eight source images count by the mean of their encodings, as the code averages frames of a person; its released
weights were trained with one. The background is not predicted: pictures are black behind the head, to be compared with
truth masked in the same way (`reenact_with_mask` gives the mask).
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from baselines.driving_landmarks import landmarks_of
from baselines.interface import Extras, Source
from baselines.landmark_drawing import draw_stickmen
from baselines.network_model import NetworkModel
from models.bilayer import drive, encode, remove_spectral_norm
from models.errors import InputError, check_images, check_shape

RESOLUTION = {"paper": 256, "mini": 128}
BATCH = 4  # driving frames at once: of more, maps of the paper's size leave the cache of a CPU


class Bilayer(NetworkModel):
    """One-shot head avatars: a texture drawn once for the person, warped to each pose, over what is drawn for it."""

    name = "bilayer"
    parts: ClassVar[tuple[str, ...]] = (
        "identity_embedder",
        "texture_generator",
        "keypoints_embedder",
        "inference_generator",
    )
    resolutions = RESOLUTION
    paper = "Zakharov et al., Fast Bi-layer Neural Synthesis of One-Shot Realistic Head Avatars, ECCV 2020"
    licence = "MPL-2.0"
    shots = 8
    needs = ("landmarks68", "mask")
    compilable = ("keypoints_embedder.forward", "inference_generator.forward")

    def __init__(self, preset: str = "mini", checkpoint: str | Path | None = None, device: str = "cpu") -> None:
        super().__init__(preset, checkpoint, device)
        remove_spectral_norm(self.networks)

    def encode_source(self, images: Tensor, extras: Extras) -> Source:
        """Texture and adaptive weights of source images [K, 3, R, R]; extras: landmarks68 and mask."""
        self.check_source(images)
        poses = self.poses("source", images, extras)
        mask = extras.get("mask")
        if mask is None:
            raise InputError(f"extras of source frames: expected mask, got {', '.join(extras) or 'nothing'}")
        check_shape("mask of source frames", mask, (len(images), 1, self.resolution, self.resolution))
        check_images("mask of source frames", mask, channels=1)
        seen = (images.clamp(0, 1), mask.clamp(0, 1), draw_stickmen(poses, self.resolution))
        return Source(images, {"person": encode(self.networks, *(x.to(self.device)[None] for x in seen))})

    def reenact(self, source: Source, driving: Tensor, extras: Extras, *, relative_to: Tensor | None = None) -> Tensor:
        """The source in the poses of driving frames [T, 3, R, R], black behind the head; see `Reenactor`."""
        if relative_to is not None:
            raise InputError(f"relative_to: {self.name} knows absolute motion alone, expected None")
        return self.reenact_with_mask(source, driving, extras)[0]

    def reenact_with_mask(self, source: Source, driving: Tensor, extras: Extras) -> tuple[Tensor, Tensor]:
        """What `reenact` gives, and where the head is in it: [T, 3, R, R] and [T, 1, R, R] in [0, 1]."""
        self.check("driving", driving)
        images, masks = [], []
        for poses in torch.split(self.poses("driving", driving, extras).to(self.device), BATCH):
            found = drive(self.networks, source.state["person"], poses)
            images.append(found["prediction"].float().clamp(0, 1).to(driving.device))
            masks.append(found["mask"].float().to(driving.device))
        return torch.cat(images), torch.cat(masks)

    def poses(self, side: str, images: Tensor, extras: Extras) -> Tensor:
        """The landmarks of all images in [-1, 1], [N, 68, 2]; `InputError` names the frames that have none."""
        return poses_of(landmarks_of(side, images, extras), self.resolution)


def poses_of(landmarks: Tensor, side: int) -> Tensor:
    """Landmarks in pixels of images of this side, as the networks take them: in [-1, 1]."""
    return 2 * landmarks / side - 1
