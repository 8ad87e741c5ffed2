"""One decoded frame: upright, small or as planes; and the crops that are cut out of planes.

Colours: whatever the source's matrix and range, RGB comes out full range and crops come out in BT.601 limited range. A
source that does not name its matrix is taken as BT.709 from 720 lines on and as BT.601 below, as players do.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from curate import colour, shrink
from curate.framing import Box

_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
_BT601_525 = 6  # AVCOL_SPC_SMPTE170M: the same matrix as Colorspace.ITU601 (5)


class Frame:
    """One decoded frame, upright; conversions are made when asked for."""

    def __init__(self, raw: av.VideoFrame, index: int, time_s: float) -> None:
        self._raw = raw
        self._turns = raw.rotation // 90 % 4  # quarter turns anticlockwise that make the picture upright
        self.index = index
        self.time_s = time_s
        self.width, self.height = (raw.height, raw.width) if self._turns % 2 else (raw.width, raw.height)

    @property
    def n_bytes(self) -> int:
        """About what it takes in memory."""
        return self.width * self.height * self._raw.format.padded_bits_per_pixel // 8

    @property
    def _matrix(self) -> int:
        matrix = int(self._raw.colorspace)
        if matrix == _UNSPECIFIED:
            return int(Colorspace.ITU709 if self.height >= 720 else Colorspace.ITU601)
        return matrix

    @property
    def is_plain(self) -> bool:
        """Upright 8-bit 4:2:0 in BT.601 limited range: what every reader shows alike."""
        is_601 = self._matrix in (Colorspace.ITU601, _BT601_525)
        limited = self._raw.color_range in (ColorRange.MPEG, ColorRange.UNSPECIFIED)
        return self._turns == 0 and self._raw.format.name == "yuv420p" and is_601 and limited

    def _reformat(self, **target: Any) -> av.VideoFrame:
        return self._raw.reformat(src_colorspace=self._matrix, **target)

    def rgb(self, short_side: int | None = None) -> NDArray[np.uint8]:
        """RGB uint8 [h, w, 3]; with `short_side`, shrunk (never enlarged) so that the shorter side has that length."""
        scale = 1.0 if short_side is None else min(1.0, short_side / min(self._raw.width, self._raw.height))
        size = (max(1, round(self._raw.width * scale)), max(1, round(self._raw.height * scale)))
        if scale < 1 and self._raw.format.name.startswith("yuv") and colour.is_known(self._matrix):
            picture = shrink.rgb(_views(self._eight_bits()), size, self._matrix, full_range=self._is_full)
        else:
            small = self._reformat(width=size[0], height=size[1], format="rgb24", interpolation=Interpolation.AREA)
            picture = small.to_ndarray().astype(np.uint8, copy=False)
        return np.ascontiguousarray(np.rot90(picture, self._turns))

    def _eight_bits(self) -> av.VideoFrame:
        """The frame in a format whose planes can be shrunk, in its own colours."""
        if self._raw.format.name in shrink.FORMATS:
            return self._raw
        range_ = ColorRange.JPEG if self._is_full else ColorRange.MPEG
        return self._reformat(
            format="yuv420p", dst_colorspace=self._matrix, src_color_range=range_, dst_color_range=range_
        )

    @property
    def _is_full(self) -> bool:
        return self._raw.format.name.startswith("yuvj") or self._raw.color_range == ColorRange.JPEG

    def planes(self) -> Planes:
        """The frame at half chroma size, in its own colours; odd sizes lose their last row or column."""
        raw = self._raw
        matrix, full = self._matrix, self._is_full
        if raw.format.name not in ("yuv420p", "yuvj420p") or not colour.is_known(matrix):
            matrix, full = int(Colorspace.ITU601), False
            raw = self._reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=ColorRange.MPEG)
        h, w = raw.height & ~1, raw.width & ~1
        luma, u, v = _views(raw)
        whole = (luma[:h, :w], u[: h // 2, : w // 2], v[: h // 2, : w // 2])
        turned = [np.rot90(plane, self._turns) for plane in whole]
        return Planes(turned[0], turned[1], turned[2], matrix, full)


class Planes(NamedTuple):
    """Y [h, w], U and V [h/2, w/2] of an upright frame; views of its memory, not for writing."""

    luma: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]
    matrix: int  # AVColorSpace
    full: bool  # range 0 to 255, else 16 to 235

    @property
    def black(self) -> tuple[int, int, int]:
        """Values of black in the three planes."""
        return (0 if self.full else 16, 128, 128)


def _views(raw: av.VideoFrame) -> list[NDArray[np.uint8]]:
    """The planes of an 8-bit planar frame as they lie in memory, without their padding."""
    return [
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in raw.planes
    ]


def crop(planes: Planes, box: Box, size: tuple[int, int]) -> av.VideoFrame:
    """Cut a box with even sides and corners out of a frame and resize it (Lanczos) to (width, height): yuv420p, BT.601,
    limited range. What lies outside the frame is black."""
    left, top, right, bottom = box
    if any(side % 2 for side in box):
        raise ValueError(f"box {box}: corners must be even, for the chroma planes have half the size")
    half = (left // 2, top // 2, right // 2, bottom // 2)
    cut = _blank(right - left, bottom - top)
    for target, plane, corners, empty in zip(_views(cut), planes[:3], (box, half, half), planes.black, strict=True):
        _copy(plane, corners, empty, target)
    width, height = size
    if width * height >= cut.width * cut.height:  # colours are converted where there are fewer pixels
        _to_plain(cut, planes)
    if size != (cut.width, cut.height):
        lanczos = Interpolation.LANCZOS
        resized = _resizer(cut.width, cut.height, size).reformat(cut, width, height, interpolation=lanczos)
    else:
        resized = cut
    if width * height < cut.width * cut.height:
        _to_plain(resized, planes)
    resized.colorspace, resized.color_range = Colorspace.ITU601, ColorRange.MPEG
    return resized


def _blank(width: int, height: int) -> av.VideoFrame:
    """A yuv420p frame that is tagged as clips are: to the resizer all frames have the same colours."""
    frame = av.VideoFrame(width, height, "yuv420p")
    frame.colorspace, frame.color_range = Colorspace.ITU601, ColorRange.MPEG
    return frame


def _copy(plane: NDArray[np.uint8], box: Box, empty: int, target: NDArray[np.uint8]) -> None:
    """Write the part of a plane inside a box into `target`; what lies outside the plane becomes `empty`."""
    left, top, right, bottom = box
    inside = plane[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if inside.shape != target.shape:
        target[:] = empty
    y, x = max(-top, 0), max(-left, 0)
    target[y : y + inside.shape[0], x : x + inside.shape[1]] = inside


def _to_plain(frame: av.VideoFrame, source: Planes) -> None:
    """Convert a frame's planes from the colours of `source` to BT.601, limited range, in their place."""
    own = _views(frame)
    for target, plane in zip(own, colour.to_601(own[0], own[1], own[2], source.matrix, source.full), strict=True):
        if target is not plane:
            target[:] = plane


@lru_cache(maxsize=64)
def _resizer(width: int, height: int, size: tuple[int, int]) -> VideoReformatter:
    """One scaler for all frames of these sizes: making its filters takes as long as using them."""
    return VideoReformatter()


def crop_between(planes: Planes, corner: tuple[float, float], side: int, size: int) -> av.VideoFrame:
    """As `crop`, for a square whose corner (left, top) may lie between pixels, resized to `size` (even)."""
    import cv2

    frame = _blank(size, size)
    for target, plane, half, empty in zip(_views(frame), planes[:3], (1, 2, 2), planes.black, strict=True):
        # pixel i covers [i, i + 1): the corner of a plane at half size lies at half the place
        source = np.array([(corner[0] / half), (corner[1] / half)])
        scale = side / size
        while scale >= 2:  # by area first: bilinear samples would miss pixels
            plane = cv2.resize(plane, (plane.shape[1] // 2, plane.shape[0] // 2), interpolation=cv2.INTER_AREA)
            source, scale = source / 2, scale / 2
        shift = source + scale / 2 - 0.5
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        flags = (cv2.INTER_CUBIC if scale < 1 else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP
        target[:] = cv2.warpAffine(plane, matrix, target.shape[::-1], flags=flags, borderValue=empty)
    _to_plain(frame, planes)
    return frame
