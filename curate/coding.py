"""Frames in memory as an H.264 or H.265 elementary stream and back, through x264 and x265.

Colours are BT.601 limited range, chroma at half size (`yuv420p`), as in clips. Coders run on one thread, so that the
bytes depend on frames and settings alone. What is counted is what a decoder is given: parameter sets and pictures,
without the text about the coder's own settings (user data SEI) that x264 and x265 write before the first picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, cast

import av
import av.error
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from curate.errors import UserError

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

CODERS = {"h264": "libx264", "h265": "libx265"}
DECODERS = {"h264": "h264", "h265": "hevc"}
START = re.compile(b"\x00?\x00\x00\x01")  # of a unit; inside a unit these bytes cannot stand
TO_YUV = np.array(  # BT.601, limited range: luma 16 to 235, chroma 16 to 240
    [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]], np.float32
) / np.float32(255)
OFFSET = np.array([16, 128, 128], np.float32)
USER_DATA = {"h264": b"\x06\x05", "h265": b"\x4e\x01\x05"}  # header of the unit and type of the message


class CodingFailed(UserError):
    """A coder or decoder gave up; the message has its own words."""


@dataclass(frozen=True)
class Coding:
    """How frames are coded: at a constant quality, `crf` 0 (best) to 51."""

    codec: Literal["h264", "h265"]
    crf: int
    preset: str = "medium"
    gop: int = 100_000  # most frames from one key frame to the next: the first frame alone is one

    def __str__(self) -> str:
        return f"{CODERS[self.codec]} preset {self.preset}, crf {self.crf}, key frame every {self.gop} frames at most"


@dataclass(frozen=True)
class Packet:
    """The bytes of one frame, `number` counts from 0 in the order in which frames are shown."""

    number: int
    data: bytes
    overhead: int = 0  # bytes of text about the coder's settings that are not in `data`


def encode(frames: NDArray[np.uint8], coding: Coding, fps: float = 25.0) -> list[Packet]:
    """Frames uint8 RGB [T, H, W, 3] with even sides as packets, in the order in which they are decoded.

    Raises ValueError for other frames, `CodingFailed` for settings that the coder refuses.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape:
        raise ValueError(f"`frames` must be uint8 [T, H, W, 3], none of them 0, but is {frames.dtype} {frames.shape}")
    height, width = frames.shape[1:3]
    if height % 2 or width % 2:
        raise ValueError(f"`frames` must have even sides to be coded, but are {width} x {height}")
    if not 0 <= coding.crf <= 51:
        raise ValueError(f"`crf` must be in 0 .. 51, but is {coding.crf}")
    packets: list[Packet] = []
    try:
        context = _coder(coding, width, height, Fraction(fps).limit_denominator(60_000))
        for number, planes in enumerate(to_yuv(frames)):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base, frame.pict_type = number, context.time_base, 0
            packets += _packets(context.encode(frame), coding.codec)
        packets += _packets(context.encode(None), coding.codec)
    except (av.error.FFmpegError, ValueError) as error:
        raise CodingFailed(f"{coding}: {error}") from error
    if sorted(packet.number for packet in packets) != list(range(len(frames))):
        raise CodingFailed(f"{coding}: {len(packets)} packets for {len(frames)} frames")
    return packets


def decode(packets: Sequence[Packet], codec: Literal["h264", "h265"]) -> NDArray[np.uint8]:
    """The frames uint8 RGB [T, H, W, 3] of packets in the order of `encode`; `CodingFailed` for damaged ones."""
    context = cast("VideoCodecContext", av.CodecContext.create(DECODERS[codec], "r"))
    context.thread_count = 1
    shown: list[av.VideoFrame] = []
    try:
        for packet in packets:
            shown += context.decode(av.Packet(packet.data))
        shown += context.decode(None)
    except av.error.FFmpegError as error:
        raise CodingFailed(f"{codec}: {error}") from error
    if len(shown) != len(packets):
        raise CodingFailed(f"{codec}: {len(shown)} frames in {len(packets)} packets")
    return np.stack([to_rgb(np.asarray(frame.to_ndarray(format="yuv420p"), np.uint8)) for frame in shown])


def _coder(coding: Coding, width: int, height: int, fps: Fraction) -> VideoCodecContext:
    context = cast("VideoCodecContext", av.CodecContext.create(CODERS[coding.codec], "w"))
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.framerate, context.time_base = fps, 1 / fps
    context.thread_count, context.gop_size = 1, coding.gop
    context.colorspace, context.color_range = Colorspace.ITU601, ColorRange.MPEG
    context.options = {"crf": str(coding.crf), "preset": coding.preset}
    if coding.codec == "h265":
        context.options |= {"x265-params": "log-level=none:pools=none:frame-threads=1"}
    context.open()
    return context


def _packets(coded: Sequence[av.Packet[Any]], codec: str) -> list[Packet]:
    made = []
    for packet in coded:
        whole = bytes(packet)
        kept = without_user_data(whole, codec)
        made.append(Packet(int(packet.pts or 0), kept, len(whole) - len(kept)))
    return made


def without_user_data(stream: bytes, codec: str) -> bytes:
    """An elementary stream (Annex B of H.264 and H.265) without the units of user data SEI, else byte for byte."""
    starts = [(match.start(), match.end()) for match in START.finditer(stream)]
    if not starts:
        return stream
    ends = [start for start, _ in starts[1:]] + [len(stream)]
    units = [
        stream[start:end]
        for (start, content), end in zip(starts, ends, strict=True)
        if not stream.startswith(USER_DATA[codec], content)
    ]
    return stream[: starts[0][0]] + b"".join(units)


def to_yuv(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB [T, H, W, 3] as planes [T, 3 H / 2, W]: luma, then both chroma, each the mean of 2 x 2 pixels, rounded once.

    swscale's own conversion rounds down on the way back and would darken every decoded frame by more than one step.
    """
    made = np.empty((len(frames), frames.shape[1] * 3 // 2, frames.shape[2]), np.uint8)
    half = frames.shape[1] // 2, frames.shape[2] // 2
    for frame, planes in zip(frames, made, strict=True):
        yuv = frame @ TO_YUV.T + OFFSET
        chroma = yuv[..., 1:].reshape(half[0], 2, half[1], 2, 2).mean((1, 3))
        parts = (yuv[..., 0], chroma[..., 0], chroma[..., 1])
        planes[:] = np.concatenate([np.rint(part).ravel() for part in parts]).reshape(planes.shape)
    return made


def to_rgb(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB [H, W, 3] of planes [3 H / 2, W] as of `to_yuv`; chroma in between is linear."""
    import cv2

    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    luma = planes[:height].astype(np.float32)
    chroma = planes[height:].reshape(2, height // 2, width // 2).astype(np.float32)
    wide = [cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in chroma]
    rgb = (np.stack([luma, *wide], axis=2) - OFFSET) @ np.linalg.inv(TO_YUV).astype(np.float32).T
    rounded: NDArray[np.uint8] = np.rint(rgb.clip(0, 255)).astype(np.uint8)
    return rounded
