"""Face detection by YuNet through OpenCV (Wu et al. 2023, YuNet: A Tiny Millisecond-level Face Detector)."""

from __future__ import annotations

import cv2
import numpy as np

from curate.perception.align import shrink
from curate.perception.interface import Faces, Frames
from curate.perception.spec import DetectorSpec


class YuNet:
    """A `Detector` made from a spec with runtime "opencv"; frames are looked at one by one."""

    def __init__(self, spec: DetectorSpec) -> None:
        self.info = spec.info
        self._short_side = spec.short_side
        model = str(spec.locate())
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # OpenCV 5 warns of its own defaults
        try:
            self._net = cv2.FaceDetectorYN.create(model, "", (320, 320), spec.score_threshold, spec.nms_threshold)
        finally:
            cv2.utils.logging.setLogLevel(level)

    def detect(self, frames: Frames) -> list[Faces]:
        """Faces of each of T frames [T, H, W, 3], best score first."""
        return [self._detect_one(frame) for frame in frames]

    def _detect_one(self, frame: Frames) -> Faces:
        small, scale_x, scale_y = shrink(frame, self._short_side)
        self._net.setInputSize((small.shape[1], small.shape[0]))
        found = self._net.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
        if found is None:
            return Faces.none()
        found = found[np.argsort(-found[:, 14], kind="stable")]  # rows: left, top, width, height, 5 x (x, y), score
        scale = np.array([scale_x, scale_y])
        boxes = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], axis=1) / np.tile(scale, 2)
        points = (found[:, 4:14].reshape(-1, 5, 2) + 0.5) / scale - 0.5
        return Faces(boxes.astype(np.float32), found[:, 14].astype(np.float32), points.astype(np.float32))
