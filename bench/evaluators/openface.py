"""OpenFace's embedding of a whole frame: what FOMM's AED compares.

Amos et al. (OpenFace: A General-Purpose Face Recognition Library with Mobile Applications, CMU 2016), nn4.small2.v1.
FOMM's evaluation (Siarohin et al. 2019) shrinks the frame to 96 x 96 and looks for no face in it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.evaluators.files import locate
from curate.errors import UserError
from curate.perception.interface import Frames
from curate.perception.runtime import open_session

SIDE, DIMENSIONS = 96, 128


class OpenFace:
    """Embeddings of whole frames."""

    def __init__(self) -> None:
        path, self.info = locate("openface")
        self._session = open_session("onnx", path)
        if tuple(self._session.input_shape[1:]) != (3, SIDE, SIDE) or len(self._session.outputs) != 1:
            raise UserError(
                f"{path}: its input is {self._session.input_shape}, not [N, 3, {SIDE}, {SIDE}] for one output"
            )

    def frechet(self, frames: Frames) -> NDArray[np.float32]:
        """[T, 128] unit vectors of uint8 RGB frames [T, H, W, 3]."""
        if not len(frames):
            return np.zeros((0, DIMENSIONS), np.float32)
        small = [
            cv2.resize(np.ascontiguousarray(frame), (SIDE, SIDE), interpolation=cv2.INTER_AREA) for frame in frames
        ]
        given = np.stack(small).transpose(0, 3, 1, 2).astype(np.float32) / 255
        (vectors,) = self._session(np.asarray(given, np.float32)).values()
        vectors = vectors.reshape(len(frames), -1)
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)
