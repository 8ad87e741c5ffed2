"""Hopenet: head pose as papers measure it (Ruiz et al. 2018, see `models.hopenet`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.checkpoint import load_networks
from baselines.published import tables
from bench.baseline_errors import baseline_errors
from curate.perception import align
from curate.perception.interface import Faces, Frames, NetworkInfo
from models.hopenet import SIDE, Hopenet
from models.pose import hopenet_to_camera

CHECKPOINT = "hopenet-mirror"  # of checkpoints.toml: the one that can be fetched without a person's clicks
EXPAND = (0.5, 0.75, 0.5, 0.25)  # of the box's sides: left, top, right, bottom


class HopenetPose:
    """A `PoseEstimator`; faces go through one by one.

    The box is widened as its authors' script for videos does: by half its width on either side, by three quarters of
    its height above, by a quarter below.
    """

    def __init__(self, checkpoint: str = CHECKPOINT) -> None:
        with baseline_errors():
            networks, about = load_networks("hopenet", "paper", checkpoint, "cpu", ("hopenet",))
        self._network = cast("Hopenet", networks["hopenet"])
        published = tables().published[CHECKPOINT]
        self.info = NetworkInfo("hopenet", about.sha256, published.licence, published.files[0].urls[0])

    def pose(self, frames: Frames, faces: Sequence[Faces]) -> NDArray[np.float32]:
        """[T, 3] yaw, pitch, roll in degrees (see `curate.angles`); NaN where there is no face."""
        result = np.full((len(frames), 3), np.nan, np.float32)
        for row, (frame, found) in enumerate(zip(frames, faces, strict=True)):
            if len(found):
                matrix = align.box_matrix(align.expand_box(found.boxes[0], *EXPAND), SIDE, SIDE)
                crop = align.warp(frame, matrix, SIDE, SIDE)
                image = torch.from_numpy(np.ascontiguousarray(crop)).permute(2, 0, 1)[None].float() / 255
                with torch.inference_mode():
                    result[row] = hopenet_to_camera(self._network.degrees(image))[0].numpy()
        return result
