"""Shots stage: where the picture is cut, by the rule of PySceneDetect's AdaptiveDetector, plus blank stretches.

A frame's change is the mean difference of its pixels from the last frame's, over hue, saturation and value. A cut is a
change that is large, and large beside the changes of the frames around it: so a shaking camera cuts nothing. A frame
without content (black, white, one colour) never belongs to a shot that has some: both its sides are cuts.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

SHORT_SIDE = 72  # pixels; frames are shrunk to this
BLANK_STD = 3.0  # grey levels; below this spread a frame shows nothing
DELAY = 2  # a cut is known this many frames late: so many are compared with on each side
LARGE = 15.0  # levels of 255 (180 for hue) of a cut's change
RATIO = 3.0  # of a cut's change to the mean of those around it


@dataclass(frozen=True)
class Shot:
    """Frames start .. end - 1 of one take."""

    index: int
    start: int
    end: int
    blank: bool


class ShotDetector:
    """Finds cuts in a stream of frames with memory for a few of them. Every cut counts: a short shot must not hide in
    its neighbour, so shots have no least length."""

    def __init__(self) -> None:
        self._count = 0
        self._last: NDArray[np.uint8] | None = None
        self._changes: deque[float] = deque(maxlen=2 * DELAY + 1)  # of the last frames, oldest first
        self._cuts: set[int] = set()
        self._blank: list[bool] = []

    def feed(self, picture: NDArray[np.uint8]) -> list[int]:
        """Take the next frame (RGB uint8 [h, w, 3] of `SHORT_SIDE`); gives the cuts that became known (first frame of a
        new shot)."""
        import cv2

        index = self._count
        self._count += 1
        self._blank.append(_spread(picture) < BLANK_STD)
        colours = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2HSV), np.uint8)
        change = 0.0 if self._last is None else cv2.norm(colours, self._last, cv2.NORM_L1) / colours.size
        self._last = colours
        self._changes.append(change)
        found = {index - DELAY} if self._is_cut() else set()
        if index and self._blank[index] != self._blank[index - 1]:
            found.add(index)
        new = sorted(found - self._cuts - {0})
        self._cuts.update(new)
        return new

    def _is_cut(self) -> bool:
        """Whether the change in the middle of those kept is a cut."""
        if len(self._changes) < 2 * DELAY + 1:
            return False
        change = self._changes[DELAY]
        around = (sum(self._changes) - change) / (2 * DELAY)
        return change >= max(LARGE, RATIO * around)

    def shots(self) -> list[Shot]:
        """The shots of all frames fed so far; they cover every frame once."""
        edges = [0, *sorted(self._cuts), self._count]
        spans = [(start, end) for start, end in pairwise(edges) if end > start]
        return [Shot(i, start, end, self._blank[start]) for i, (start, end) in enumerate(spans)]


def _spread(picture: NDArray[np.uint8]) -> float:
    """Standard deviation over all values of a picture."""
    import cv2

    means, deviations = cv2.meanStdDev(picture)
    m, d = means.ravel().tolist(), deviations.ravel().tolist()
    mean = sum(m) / len(m)
    square = sum(one * one for one in (*m, *d)) / len(m)
    return math.sqrt(max(0.0, square - mean * mean))
