"""OSFV: how it is driven (the networks are in `models.osfv` and `models.osfv_community`).

The source's feature volume, canonical keypoints and own motion are computed once. Absolute motion gives the source the
driving frame's pose, place and expression; relative motion moves the source's own by what changed since the initial
frame (`models.osfv.relative_motion`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from baselines.interface import Extras, Source
from baselines.network_model import NetworkModel
from models.errors import check_shape
from models.osfv import HeadEstimator, KeypointDetector, Motion, VolumeGenerator, free_view, relative_motion
from models.pose import camera_to_hopenet

RESOLUTION = {"paper": 256, "mini": 128}
BATCH = 4  # driving frames at once


class Osfv(NetworkModel):
    """Two-step 3D keypoints, and heads turned to any pose; its checkpoint says how many keypoints, and how it warps."""

    name = "osfv"
    parts = ("generator", "kp_detector", "he_estimator")
    resolutions = RESOLUTION
    paper = "Wang et al., One-Shot Free-View Neural Talking-Head Synthesis for Video Conferencing, CVPR 2021"
    licence = "no official code; written from the paper. Weights of the public reimplementation: non-commercial"
    capabilities = ("relative", "redirect", "codec", "canonical-keypoints")
    compilable = ("generator.encode", "generator.dense_motion_network.combine", "generator.decode")

    def __init__(self, preset: str = "mini", checkpoint: str | Path | None = None, device: str = "cpu") -> None:
        super().__init__(preset, checkpoint, device)
        self.generator = cast(VolumeGenerator, self.networks["generator"])
        self.kp_detector = cast(KeypointDetector, self.networks["kp_detector"])
        self.estimator = cast(HeadEstimator, self.networks["he_estimator"])

    def encode_source(self, images: Tensor, extras: Extras) -> Source:
        """Volume, canonical keypoints, motion and keypoints of the one source image [1, 3, R, R]."""
        self.check_source(images)
        image = images.to(self.device)
        volume = self.generator.encode(image)
        canonical, motion = self.kp_detector(image), self.estimator.motion(image)
        state = {
            "volume": volume,
            "small": self.generator.dense_motion_network.compressed(volume),
            "canonical": canonical,
            "motion": motion,
            "keypoints": motion.keypoints(canonical),
        }
        return Source(images, state)

    def canonical_keypoints(self, source: Source) -> Tensor:
        """x_c [K, 3]: where the source's keypoints are without its pose and expression; see `KeypointReader`."""
        found: Tensor = source.state["canonical"][0]
        return found

    def reenact(self, source: Source, driving: Tensor, extras: Extras, *, relative_to: Tensor | None = None) -> Tensor:
        """The source in the poses of driving frames [T, 3, R, R]; see `Reenactor`."""
        moved = self.estimate("driving", driving)
        if relative_to is not None:
            self.check_one("relative_to", relative_to)
            moved = relative_motion(source.state["motion"], moved, self.estimate("relative_to", relative_to))
        return self.drive(source, moved).to(driving.device)

    def motion(self, driving: Tensor) -> dict[str, Tensor]:
        """What is transmitted of frames [T, 3, R, R]: yaw, pitch, roll [T] (degrees, the model's own convention),
        t [T, 3], delta [T, K, 3]."""
        found = self.estimate("driving", driving)
        yaw, pitch, roll = found.angles.unbind(1)
        return {"yaw": yaw, "pitch": pitch, "roll": roll, "t": found.translation, "delta": found.deformation}

    def render(self, source: Source, motion: Mapping[str, Tensor]) -> Tensor:
        """Images [T, 3, R, R] of the source moved as `motion` gave it: x = R x_c + t + delta, x_c the source's."""
        angles = torch.stack([motion[name] for name in ("yaw", "pitch", "roll")], dim=1).to(self.device)
        check_shape("motion['t']", motion["t"], (len(angles), 3))
        check_shape("motion['delta']", motion["delta"], (len(angles), self.generator.num_kp, 3))
        t, delta = (motion[name].to(self.device) for name in ("t", "delta"))
        return self.drive(source, Motion(angles, self.estimator.rotation(angles), t, delta))

    def free_view(self, source: Source, driving: Tensor, rotation_u: Tensor, translation_u: Tensor) -> Tensor:
        """Section 3.3: driving frames [T, 3, R, R] with R_d <- R_u R_d, t_d <- t_u + t_d; [T, 3, 3] and [T, 3]."""
        check_shape("rotation_u", rotation_u, (len(driving), 3, 3))
        check_shape("translation_u", translation_u, (len(driving), 3))
        moved = self.estimate("driving", driving)
        return self.drive(source, free_view(moved, rotation_u.to(self.device), translation_u.to(self.device)))

    def redirect(self, source: Source, yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
        """The source's head in other poses, with its own place and expression; see `Redirector`."""
        angles = self.own_angles(torch.stack((yaw, pitch, roll), dim=1).float().to(self.device))
        own: Motion = source.state["motion"]
        return self.drive(source, Motion(angles, self.estimator.rotation(angles), own.translation, own.deformation)).to(
            yaw.device
        )

    def own_angles(self, angles: Tensor) -> Tensor:
        """The model's angles for this project's [T, 3]: weights of the public reimplementation learnt Hopenet's."""
        return angles if self.estimator.convention == "camera" else camera_to_hopenet(angles)

    def estimate(self, name: str, images: Tensor) -> Motion:
        """Pose, place and expression of images [T, 3, R, R]."""
        self.check(name, images)
        parts = [self.estimator.motion(frames.to(self.device)) for frames in torch.split(images, BATCH)]
        fields = ("angles", "rotation", "translation", "deformation")
        return Motion(*(torch.cat([getattr(part, field) for part in parts]) for field in fields))

    def drive(self, source: Source, moved: Motion) -> Tensor:
        """Images [T, 3, R, R] of the source in other motions."""
        return render_keypoints(self.generator, source, moved.keypoints(source.state["canonical"]))


def render_keypoints(generator: VolumeGenerator, source: Source, keypoints: Tensor) -> Tensor:
    """Images [T, 3, R, R] of an encoded source whose keypoints go to [T, K, 3]."""
    outputs = []
    for kp in torch.split(keypoints, BATCH):
        volume, small = (source.state[key].expand(len(kp), -1, -1, -1, -1) for key in ("volume", "small"))
        motion = generator.dense_motion_network.combine(small, kp, source.state["keypoints"].expand_as(kp))
        outputs.append(generator.decode(generator.warped(volume, motion)))
    return torch.cat(outputs)
