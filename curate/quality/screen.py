"""What a whole video's pictures say, whoever is in them: black bars, overlays, motion, black and repeated frames.

Everything is gathered in windows of a few seconds and in one that lasts for all of the video, so memory does not grow
with its length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Fractions = tuple[float, float, float, float]
"""Left, top, right, bottom as fractions of width and height."""

_BLACK = 16.0  # mean luma of a black frame
_SAME = 0.0  # grey levels: no pixel of a repeated frame, shrunk, differs more
_BAR, _LIT = 24, 40  # luma: a bar stays below the first; what it ends at comes above the second
_EDGE = 10.0  # grey levels a pixel: mean steepness of an overlay's outline
_STEADY = 0.96  # length of the mean gradient over the mean of its lengths: 1 if an edge never changes
_MOVING = 8.0  # grey levels: standard deviation over time of what moves
_STILL, _STILL_SHARE = 3.0, 0.4  # what stays varies less than this, or than this share of what is around it
_NEAR, _MARGIN = 15, 4  # pixels: how far around
_AROUND = 0.7  # share of an overlay's surroundings that moves
_LEAST, _DENSE = 10, 0.12  # steep pixels of an overlay, and their share of its box
_LARGEST = 0.25  # of the picture
_OFTEN = 0.2  # share of the windows in which an overlay is there


@dataclass(frozen=True)
class Overlay:
    """Something that stays while the picture around it moves: a logo, a banner, a caption."""

    box: Fractions
    share: float  # of the video's time, in windows


@dataclass(frozen=True)
class ScreenScores:
    """Scores of a whole video."""

    pictures: int
    letterbox: Fractions  # breadth of the black bar on each side
    overlays: tuple[Overlay, ...]  # the largest first
    overlay: float  # share of the picture that overlays' boxes take
    overlay_corners: float  # share of the four corners (a quarter of each side) that they take
    overlay_lower: float  # share of the lower third that they take
    motion: float  # mean difference of successive pictures, grey levels, repeats left out
    black: float  # share of black pictures
    frozen: float  # share of pictures that repeat the one before; black ones do not count
    frozen_run: int  # most repeats in a row


class _Window:
    """Sums over some pictures."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.count = shape, 0
        self._high = np.zeros(shape, np.uint8)
        self._sums = np.zeros((5, *shape))  # gradient x, y, its length; grey, its square

    def feed(self, grey: Grey) -> None:
        import cv2

        self.count += 1
        cv2.max(self._high, grey, dst=self._high)
        value = grey.astype(np.float32)
        across, down = (cv2.Sobel(value, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0))
        for total, part in zip(self._sums, (across, down, cv2.magnitude(across, down), value), strict=False):
            cv2.accumulate(part, total)
        cv2.accumulateSquare(value, self._sums[4])

    def add(self, other: _Window) -> None:
        """Take the pictures of another window too."""
        import cv2

        self.count += other.count
        cv2.max(self._high, other._high, dst=self._high)
        self._sums += other._sums

    def bars(self) -> tuple[int, int, int, int] | None:
        """Pixels of the black bars on the left, top, right and bottom; None where it is too dark to tell."""
        if float(np.quantile(self._high, 0.9)) < _LIT:
            return None
        rows = _bars(self._high)
        columns = _bars(self._high[rows[0] : self._high.shape[0] - rows[1]].T)
        return columns[0], rows[0], columns[1], rows[1]

    def overlay(self, bars: tuple[int, int, int, int]) -> Mask:
        """Pixels of steady outlines amid motion, each outline filled to its box."""
        import cv2

        across, down, length, grey, square = self._sums / max(1, self.count)
        steep = np.hypot(across, down)
        spread = np.sqrt(np.maximum(square - grey * grey, 0))
        near = cv2.blur(spread, (_NEAR, _NEAR))  # how much moves about a pixel
        steady = (steep > _EDGE) & (steep > _STEADY * length)
        still = cv2.erode(spread, np.ones((3, 3), np.uint8)) < np.maximum(_STILL, _STILL_SHARE * near)
        moving = spread > _MOVING
        steady &= still
        for mask in (steady, moving):
            _blank(mask, bars, 0 if mask is moving else 3)
        found: Mask = np.zeros(steep.shape, np.bool_)
        joined = cv2.dilate(steady.astype(np.uint8), np.ones((3, 7), np.uint8))
        number, labels, places, _ = cv2.connectedComponentsWithStats(joined)
        for label in range(1, number):
            left, top, width, height, _ = places[label].tolist()
            box = (slice(top, top + height), slice(left, left + width))
            edges = int((steady[box] & (labels[box] == label)).sum())
            if edges < max(_LEAST, _DENSE * width * height) or width * height > _LARGEST * steady.size:
                continue
            rows = slice(max(0, top - _MARGIN), top + height + _MARGIN)
            columns = slice(max(0, left - _MARGIN), left + width + _MARGIN)
            around = moving[rows, columns].sum() - moving[box].sum()
            if around >= _AROUND * (moving[rows, columns].size - width * height):
                found[box] = True
        return found


def _blank(mask: Mask, bars: tuple[int, int, int, int], more: int) -> None:
    """Clear the bars, and so many pixels more where there is a bar."""
    left, top, right, bottom = (bar + more if bar else 0 for bar in bars)
    mask[:top] = mask[mask.shape[0] - bottom :] = False
    mask[:, :left] = mask[:, mask.shape[1] - right :] = False


def _bars(high: Grey) -> tuple[int, int]:
    """Rows at the top and at the bottom that were always black and end in a straight, lit edge."""
    dark = (high > _BAR).mean(axis=1) < 0.2
    lit = (high > _LIT).mean(axis=1) > 0.5
    sides = []
    for black, bright in ((dark, lit), (dark[::-1], lit[::-1])):
        size = int(black.argmin()) if not black.all() else 0
        sides.append(size if bright[size : size + 3].any() else 0)
    return sides[0], sides[1]


class Screen:
    """Gathers the scores of a video from its pictures, RGB uint8 [h, w, 3], all of one size: about 72 pixels high.

    Every picture counts for motion, black and repeats. Bars and overlays are decided in windows of `window` larger
    pictures, about 144 pixels high, that are taken every now and then: so that a window lasts 5 to 10 seconds.

    Overlays are a hint, best where the camera moves or cuts: then a text (opaque or faint) or a logo that stays was
    found in 12 of 12 videos cut together from real clips, a banner in 10 to 12; something in the room was taken for one
    in 3 of those 12 and in 7 to 10 of 34 single shots. Over a background that stands still too no overlay can be told
    from the wall. Bars are black ones only.
    """

    def __init__(self, window: int = 40) -> None:
        self._size = max(2, window)
        self._count = self._black = self._frozen = self._run = self._longest = 0
        self._motion = 0.0
        self._last: Grey | None = None
        self._window: _Window | None = None
        self._whole: _Window | None = None
        self._bars: dict[tuple[int, int, int, int], int] = {}
        self._seen: NDArray[np.int32] | None = None  # in how many windows a pixel was part of an overlay
        self._windows = 0

    def feed(self, picture: NDArray[np.uint8]) -> None:
        """Take the next picture; ValueError if its size is another."""
        import cv2

        grey = np.asarray(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY), np.uint8)
        if self._last is not None and self._last.shape != grey.shape:
            raise ValueError(f"pictures of one size expected: {self._last.shape}, then {grey.shape}")
        black = cv2.mean(grey)[0] < _BLACK
        self._black += black
        if self._last is not None:
            same = cv2.norm(grey, self._last, cv2.NORM_INF) <= _SAME and not black
            self._run = self._run + 1 if same else 0
            self._frozen += same
            self._longest = max(self._longest, self._run)
            if not same:
                self._motion += cv2.norm(grey, self._last, cv2.NORM_L1) / grey.size
        self._last = grey
        self._count += 1

    def look(self, picture: NDArray[np.uint8]) -> None:
        """Take a larger picture, RGB uint8 [h, w, 3] of one size, for bars and overlays; black ones are left out."""
        import cv2

        grey = np.asarray(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY), np.uint8)
        if cv2.mean(grey)[0] < _BLACK:
            return
        if self._window is None:
            self._window = _Window(grey.shape)
        self._window.feed(grey)
        if self._window.count == self._size:
            self._close(self._window)
            self._window = None

    def _close(self, window: _Window) -> None:
        """Decide on a window, and count it to the whole."""
        if self._whole is None or self._seen is None:
            self._whole, self._seen = _Window(window.shape), np.zeros(window.shape, np.int32)
        self._whole.add(window)
        if window.count < self._size // 2 and self._windows:
            return  # too short to decide on
        bars = window.bars()
        if bars is not None:
            self._bars[bars] = self._bars.get(bars, 0) + 1
        self._seen += window.overlay(bars or (0, 0, 0, 0))
        self._windows += 1

    def scores(self) -> ScreenScores:
        """Scores of the pictures so far; call it once, after the last."""
        if self._window is not None:
            self._close(self._window)
        self._window = None
        changes = max(1, self._count - 1 - self._frozen)
        marks = self._marks()
        height, width = marks.shape
        corner = np.zeros_like(marks)
        rows, columns = height // 4, width // 4
        for part in (corner[:rows], corner[height - rows :]):
            part[:, :columns] = part[:, width - columns :] = True
        return ScreenScores(
            pictures=self._count,
            letterbox=self._letterbox(),
            overlays=self._overlays(marks),
            overlay=round(float(marks.mean()), 4),
            overlay_corners=round(float(marks[corner].mean()), 4) if corner.any() else 0.0,
            overlay_lower=round(float(marks[height - max(1, height // 3) :].mean()), 4),
            motion=round(self._motion / changes, 3),
            black=round(self._black / max(1, self._count), 4),
            frozen=round(self._frozen / max(1, self._count), 4),
            frozen_run=self._longest,
        )

    def _letterbox(self) -> Fractions:
        """The narrowest bars of nine tenths of the windows."""
        if not self._bars or self._whole is None:
            return (0.0, 0.0, 0.0, 0.0)
        height, width = self._whole.shape
        every = np.repeat(np.array(list(self._bars)), list(self._bars.values()), axis=0)
        bars = np.quantile(every, 0.1, axis=0, method="lower")
        left, top, right, bottom = (bars / (width, height, width, height)).round(4).tolist()
        return left, top, right, bottom

    def _marks(self) -> Mask:
        """Pixels of the overlays that are there for long enough."""
        if self._seen is None or self._whole is None:
            return np.zeros((8, 8), np.bool_)
        marks = self._seen >= max(1, _OFTEN * self._windows)
        return np.asarray(marks | self._whole.overlay(self._whole.bars() or (0, 0, 0, 0)), np.bool_)

    def _overlays(self, marks: Mask) -> tuple[Overlay, ...]:
        import cv2

        if self._seen is None:
            return ()
        height, width = marks.shape
        number, labels, places, _ = cv2.connectedComponentsWithStats(marks.astype(np.uint8))
        found = []
        for label in range(1, number):
            left, top, wide, high, area = places[label].tolist()
            often = int(self._seen[labels == label].max()) / max(1, self._windows)
            sides = (left / width, top / height, (left + wide) / width, (top + high) / height)
            box = (round(sides[0], 4), round(sides[1], 4), round(sides[2], 4), round(sides[3], 4))
            found.append((area, Overlay(box, round(often, 3) or 1.0)))
        return tuple(overlay for _, overlay in sorted(found, key=lambda item: (-item[0], item[1].box)))
