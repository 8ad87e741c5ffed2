"""Shots stage: where the picture is cut. PySceneDetect's AdaptiveDetector, fed frame by frame, plus blank stretches.

A frame without content (black, white, one colour) never belongs to a shot that has some: both its sides are cuts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

SHORT_SIDE = 144  # pixels; frames are shrunk to this, and cuts are looked for at half of it
BLANK_STD = 3.0  # grey levels; below this spread a frame shows nothing
DELAY = 2  # a cut is known this many frames late: the detector's window


@dataclass(frozen=True)
class Shot:
    """Frames start .. end - 1 of one take."""

    index: int
    start: int
    end: int
    blank: bool


class ShotDetector:
    """Finds cuts in a stream of frames with memory for a few of them."""

    def __init__(self, fps: float) -> None:
        from scenedetect import AdaptiveDetector

        # every cut counts: a short shot must not hide in its neighbour, so there is no minimum length here
        self._detector = AdaptiveDetector(
            adaptive_threshold=3.0, min_scene_len=1, window_width=DELAY, min_content_val=15.0
        )
        self._fps = float(fps) or 25.0
        self._count = 0
        self._cuts: set[int] = set()
        self._blank: list[bool] = []

    def feed(self, picture: NDArray[np.uint8]) -> list[int]:
        """Take the next frame (RGB uint8 [h, w, 3] of `SHORT_SIDE`); gives the cuts that became known (first frame of a
        new shot)."""
        import cv2
        from scenedetect import FrameTimecode

        index = self._count
        self._count += 1
        self._blank.append(_spread(picture) < BLANK_STD)
        half = (max(1, picture.shape[1] // 2), max(1, picture.shape[0] // 2))
        small = cv2.cvtColor(cv2.resize(picture, half, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
        found = {int(cut.frame_num) for cut in self._detector.process_frame(FrameTimecode(index, self._fps), small)}
        if index and self._blank[index] != self._blank[index - 1]:
            found.add(index)
        new = sorted(found - self._cuts - {0})
        self._cuts.update(new)
        return new

    def shots(self) -> list[Shot]:
        """The shots of all frames fed so far; they cover every frame once."""
        edges = [0, *sorted(self._cuts), self._count]
        spans = [(start, end) for start, end in pairwise(edges) if end > start]
        return [Shot(i, start, end, self._blank[start]) for i, (start, end) in enumerate(spans)]


def _spread(picture: NDArray[np.uint8]) -> float:
    """Standard deviation over all values of a picture."""
    import cv2

    mean, deviation = (values.ravel() for values in cv2.meanStdDev(picture))
    return float(np.sqrt(np.mean(np.square(deviation) + np.square(mean)) - np.mean(mean) ** 2))
