"""The one interface of the face networks: what everyone above `curate/perception` may know of them.

Frames are uint8 RGB [T, H, W, 3]; coordinates are pixels of those frames, x right and y down; NaN where a frame has no
face. Boxes are given by their edges (pixel i covers [i, i + 1)); points have integers at pixel centres, as in OpenCV.
Every network takes a batch of frames and the face to look at in each, so that it runs once per frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class Faces:
    """Faces of one frame, best score first."""

    boxes: NDArray[np.float32]  # [N, 4] left, top, right, bottom (right and bottom exclusive)
    scores: NDArray[np.float32]  # [N] in [0, 1]
    points: NDArray[np.float32]  # [N, 5, 2]: eye on the image's left, eye on its right, nose, mouth left, mouth right

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def none(cls) -> Faces:
        """No face."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))


@dataclass(frozen=True)
class NetworkInfo:
    """Which weights answered: what a run record keeps of a network."""

    name: str
    sha256: str  # of the weights file
    licence: str
    source: str = ""  # where the file was published; "": it ships with a package
    bytes: int = 0  # of the file; 0: not known


class Detector(Protocol):
    """Finds faces."""

    info: NetworkInfo

    def detect(self, frames: Frames) -> list[Faces]:
        """Faces of each of T frames [T, H, W, 3]."""
        ...


class Landmarker(Protocol):
    """68 landmarks (iBUG 300-W order)."""

    info: NetworkInfo

    def landmarks(self, frames: Frames, faces: Sequence[Faces]) -> NDArray[np.float32]:
        """[T, 68, 2] pixels of the first face of each frame; NaN where there is none."""
        ...


class PoseEstimator(Protocol):
    """Head pose."""

    info: NetworkInfo

    def pose(self, frames: Frames, faces: Sequence[Faces]) -> NDArray[np.float32]:
        """[T, 3] yaw, pitch, roll in degrees; NaN where there is no face.

        Yaw is positive when the head turns to the image's right, pitch when it looks up, roll when the head tilts
        clockwise as seen in the image.
        """
        ...


class Identifier(Protocol):
    """Identity embedding."""

    info: NetworkInfo

    def embed(self, frames: Frames, faces: Sequence[Faces]) -> NDArray[np.float32]:
        """[T, D] vectors of unit length, compared by their dot product; NaN where there is no face."""
        ...
