"""fs-vid2vid: how it is driven (the networks are in `models.fs_vid2vid`).

Of driving frames only their landmarks are used, drawn as edge maps; motion is absolute. Frames are made one after the
other, each from the one before: a call of `reenact` is a clip from its first frame on, and `stream` remembers the last
frame of a chunk for the next. Up to eight source images are mixed by attention; a checkpoint without attention, as the
published one is, takes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from baselines.driving_landmarks import landmarks_of
from baselines.edge_maps import draw_edges
from baselines.interface import Extras, Source
from baselines.network_model import NetworkModel
from models.errors import InputError
from models.fs_vid2vid import Generator, Previous

RESOLUTION = {"paper": 512, "mini": 64}
PREVIOUS = "previous"


class FsVid2vid(NetworkModel):
    """Few-shot video-to-video synthesis from edge maps."""

    name = "fs-vid2vid"
    parts = ("net_G",)
    resolutions = RESOLUTION
    paper = "Wang et al., Few-shot Video-to-Video Synthesis, NeurIPS 2019"
    licence = "networks written anew; published weights are NVIDIA's, non-commercial"
    shots = 8
    needs = ("landmarks68",)

    def __init__(self, preset: str = "mini", checkpoint: str | Path | None = None, device: str = "cpu") -> None:
        super().__init__(preset, checkpoint, device)
        self.generator = cast(Generator, self.networks["net_G"])
        if not self.generator.config.attention:
            self.spec = replace(self.spec, shots=1)

    def encode_source(self, images: Tensor, extras: Extras) -> Source:
        """What depends on source images [K, 3, R, R] alone; extras: landmarks68."""
        self.check_source(images)
        labels = self._labels("source", images, extras)
        return Source(images, {"references": self.generator.encode_references(labels[None], images.to(labels)[None])})

    def reenact(self, source: Source, driving: Tensor, extras: Extras, *, relative_to: Tensor | None = None) -> Tensor:
        """The source in the poses of consecutive driving frames [T, 3, R, R]; see `Reenactor`."""
        self.check("driving", driving)
        if relative_to is not None:
            raise InputError(f"relative_to: {self.name} knows absolute motion alone, expected None")
        previous: Previous | None = source.state.get(PREVIOUS)
        frames = []
        for label in torch.split(self._labels("driving", driving, extras), 1):
            image = self.generator.drive(label, source.state["references"], previous)["prediction"].float()
            previous = Previous(label, image)
            frames.append(image.to(driving.device))
        return torch.cat(frames)

    def stream(
        self, source: Source, chunks: Iterable[tuple[Tensor, Extras]], relative_to: Tensor | None = None
    ) -> Iterator[Tensor]:
        """As `NetworkModel.stream`, of one clip: each chunk goes on from the last frame of the one before."""
        previous: Previous | None = None
        for driving, extras in chunks:
            running = Source(source.images, {**source.state, PREVIOUS: previous})
            frames = self.reenact(running, driving, extras, relative_to=relative_to)
            last = {name: values[-1:] for name, values in extras.items()}
            label = self._labels("driving", driving[-1:], last)
            previous = Previous(label, frames[-1:].to(label))
            yield frames

    def _labels(self, side: str, images: Tensor, extras: Extras) -> Tensor:
        return draw_edges(landmarks_of(side, images, extras), self.resolution).to(self.device)
