"""The three networks with which THEval judges pictures (CVPR 2026, arXiv 2511.04520): TOPIQ for the whole frame's
aesthetics, TOPIQ for faces, MUSIQ for the mouth.

TorchScript files that take images [N, 3, H, W] in [0, 1] and give scores. THEval pads the mouths of a batch to the
largest of them, so that its scores depend on the batch; here each crop goes through by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from bench.evaluators.script import open_script
from curate.perception.interface import Frames

if TYPE_CHECKING:
    from bench.evaluators.suite import Observation

MOUTH = slice(48, 68)
MARGIN = 10.0  # pixels about the lips' box
FACE_SIDE = 512


class _Scorer:
    """A TorchScript network that gives one number for an image."""

    network = ""

    def __init__(self) -> None:
        self._script, self.info = open_script(self.network)

    def _score(self, image: NDArray[np.uint8]) -> float:
        given = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            return float(self._script(given).reshape(-1)[0])


class Aesthetics(_Scorer):
    """TOPIQ-IAA of the whole frame."""

    network = "topiq-iaa"

    def scores(self, frames: Frames, observation: Observation) -> NDArray[np.float32]:
        """[T, 1]."""
        return np.array([[self._score(frame)] for frame in frames], np.float32).reshape(len(frames), 1)


class MouthQuality(_Scorer):
    """MUSIQ of the lips' box and 10 pixels about it."""

    network = "musiq"

    def scores(self, frames: Frames, observation: Observation) -> NDArray[np.float32]:
        """[T, 1]; NaN where there is no face, or its mouth is outside the frame."""
        result = np.full((len(frames), 1), np.nan, np.float32)
        height, width = frames.shape[1:3]
        for row, (frame, points) in enumerate(zip(frames, observation.landmarks, strict=True)):
            if np.isfinite(points).all():
                low, high = points[MOUTH].min(0) - MARGIN, points[MOUTH].max(0) + MARGIN + 1
                left, top = np.clip(low, 0, (width, height)).astype(int)
                right, bottom = np.clip(high, 0, (width, height)).astype(int)
                if right > left and bottom > top:
                    result[row] = self._score(frame[top:bottom, left:right])
        return result


class FaceQuality(_Scorer):
    """TOPIQ-NR for faces, of the detector's box brought to 512 x 512."""

    network = "topiq-nr-face"

    def scores(self, frames: Frames, observation: Observation) -> NDArray[np.float32]:
        """[T, 1]; NaN where there is no face."""
        result = np.full((len(frames), 1), np.nan, np.float32)
        height, width = frames.shape[1:3]
        for row, (frame, found) in enumerate(zip(frames, observation.faces, strict=True)):
            if len(found):
                edges = np.clip(found.boxes[0].round(), 0, (width, height, width, height)).astype(int)
                crop = np.ascontiguousarray(frame[edges[1] : edges[3], edges[0] : edges[2]])
                if crop.size:
                    result[row] = self._score(np.asarray(cv2.resize(crop, (FACE_SIDE, FACE_SIDE)), np.uint8))
        return result
