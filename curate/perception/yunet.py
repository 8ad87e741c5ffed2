"""Face detection by YuNet (Wu et al. 2023, YuNet: A Tiny Millisecond-level Face Detector).

The network runs in ONNX Runtime, which takes half of the time of OpenCV's FaceDetectorYN on one CPU thread; boxes and
points are the same to a thousandth of a pixel.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.errors import UserError
from curate.perception.align import shrink
from curate.perception.interface import Faces, Frames
from curate.perception.runtime import open_session
from curate.perception.spec import DetectorSpec

STRIDES = (8, 16, 32)
OUTPUTS = ("cls", "obj", "bbox", "kps")  # one of each a stride: cls_8, ...


class YuNet:
    """A `Detector` made from a spec of that kind, on one thread; frames are looked at one by one."""

    def __init__(self, spec: DetectorSpec) -> None:
        self.info = spec.info
        self._spec = spec
        self._session = open_session(spec.runtime, spec.locate())
        missing = {f"{name}_{stride}" for name in OUTPUTS for stride in STRIDES} - set(self._session.outputs)
        if missing:
            raise UserError(f"network {spec.name!r} is no YuNet: it has no output {', '.join(sorted(missing))}")

    def detect(self, frames: Frames) -> list[Faces]:
        """Faces of each of T frames [T, H, W, 3], best score first."""
        return [self._detect_one(frame) for frame in frames]

    def _detect_one(self, frame: Frames) -> Faces:
        small, scale_x, scale_y = shrink(frame, self._spec.short_side)
        height, width = (-(-side // STRIDES[-1]) * STRIDES[-1] for side in small.shape[:2])
        padded = np.zeros((3, height, width), np.float32)  # black to the right and below
        padded[:, : small.shape[0], : small.shape[1]] = small[..., ::-1].transpose(2, 0, 1)
        outputs = self._session(padded[None])
        found = np.concatenate([self._decode(outputs, stride, width // stride) for stride in STRIDES])
        found = found[self._distinct(found)]
        scale = np.array([scale_x, scale_y])
        boxes = found[:, 1:5] / np.tile(scale, 2)
        points = (found[:, 5:].reshape(-1, 5, 2) + 0.5) / scale - 0.5
        return Faces(boxes.astype(np.float32), found[:, 0].astype(np.float32), points.astype(np.float32))

    def _decode(self, outputs: dict[str, NDArray[np.float32]], stride: int, columns: int) -> NDArray[np.float64]:
        """Rows of score, left, top, right, bottom and five points: every cell of a grid of `columns` cells a row tells
        of one box by its centre's place in the cell and the logarithms of its sides, in strides."""
        cls, obj, box, points = (outputs[f"{name}_{stride}"][0] for name in OUTPUTS)
        scores = np.sqrt(np.clip(cls, 0, 1) * np.clip(obj, 0, 1))[:, 0]
        cells = np.flatnonzero(scores >= self._spec.score_threshold)
        corner = np.stack([cells % columns, cells // columns], axis=1).astype(np.float64)
        centre, half = corner + box[cells, :2], np.exp(box[cells, 2:].astype(np.float64)) / 2
        placed = corner[:, None] + points[cells].reshape(-1, 5, 2)
        geometry = np.concatenate([centre - half, centre + half, placed.reshape(-1, 10)], axis=1) * stride
        return np.concatenate([scores[cells, None], geometry], axis=1)

    def _distinct(self, found: NDArray[np.float64]) -> list[int]:
        """Rows to keep, best score first: none overlaps a better one by more than the spec's IoU."""
        sides = np.column_stack([found[:, 1:3], found[:, 3:5] - found[:, 1:3]])
        scores = found[:, 0].tolist()
        chosen = cv2.dnn.NMSBoxes(sides.tolist(), scores, self._spec.score_threshold, self._spec.nms_threshold)
        return [int(index) for index in np.ravel(chosen)]
