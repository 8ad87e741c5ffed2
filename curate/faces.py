"""Faces stage: which frames are looked at, and what the detector found there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.frame import Frame
from curate.perception.interface import Detector
from curate.quality import flat_share
from curate.shots import DELAY

BATCH = 16  # frames a detector call


@dataclass(frozen=True)
class Detection:
    """One face in one frame."""

    frame: int
    box: tuple[float, float, float, float]  # left, top, right, bottom, pixels of the upright source frame
    score: float
    flat: float = 0.0  # quality.flat_share


class FaceSampler:
    """Runs a detector on every `stride`-th frame, on the first and last frame, and on both sides of every cut.

    It sees each frame once and keeps the last few, because a cut becomes known only some frames later.
    """

    def __init__(self, detector: Detector, stride: int, short_side: int) -> None:
        self._detector = detector
        self._stride = max(1, stride)
        self._short_side = short_side  # pixels; frames are shrunk to this for the detector
        self._recent: deque[Frame] = deque(maxlen=DELAY + 2)
        self._waiting: list[tuple[Frame, NDArray[np.uint8]]] = []
        self.looked_at: set[int] = set()
        self.detections: list[Detection] = []

    def feed(self, frame: Frame, cuts: Iterable[int]) -> None:
        """Take the next frame and the cuts that just became known."""
        self._recent.append(frame)
        wanted = {cut - 1 for cut in cuts} | set(cuts)
        if frame.index % self._stride == 0:
            wanted.add(frame.index)
        self._want(wanted)

    def finish(self) -> None:
        """Look at the last frame too and at all that waits."""
        if self._recent:
            self._want({self._recent[-1].index})
        self._detect()
        self.detections.sort(key=lambda detection: (detection.frame, detection.box))

    def _want(self, wanted: set[int]) -> None:
        for frame in self._recent:
            if frame.index in wanted and frame.index not in self.looked_at:
                self.looked_at.add(frame.index)
                self._waiting.append((frame, frame.rgb(self._short_side)))
        if len(self._waiting) >= BATCH:
            self._detect()

    def _detect(self) -> None:
        if not self._waiting:
            return
        found = self._detector.detect(np.stack([picture for _, picture in self._waiting]))
        for (frame, picture), faces in zip(self._waiting, found, strict=True):
            scale = min(frame.width, frame.height) / min(picture.shape[:2])
            for box, score in zip(faces.boxes.tolist(), faces.scores.tolist(), strict=True):
                left, top, right, bottom = (round(side * scale, 2) for side in box)
                flat = round(flat_share(picture, tuple(box)), 4)
                self.detections.append(Detection(frame.index, (left, top, right, bottom), round(score, 5), flat))
        self._waiting.clear()
