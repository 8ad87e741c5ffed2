"""Videos made for the tests: every frame carries its number as a row of black and white squares."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

BITS = 12


def stamp(index: int, width: int = 320, height: int = 240) -> NDArray[np.uint8]:
    """A grey picture with `index` written in squares over its middle (they survive cropping to the middle square)."""
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[..., 0] += np.linspace(0, 60, width).astype(np.uint8)
    cell = height // 16
    top, left = height // 2 - cell, width // 2 - BITS * cell // 2
    for bit in range(BITS):
        picture[top : top + 2 * cell, left + bit * cell : left + (bit + 1) * cell] = 235 if index >> bit & 1 else 20
    return picture


def read_stamp(picture: NDArray[np.uint8], height: int | None = None) -> int:
    """The number in a picture, or in a centred square crop of it; `height`: of the whole frame, in these pixels."""
    h, w = picture.shape[:2]
    cell = (height or h) / 16
    row = picture[h // 2, :, 1].astype(int)
    centres = [round(w / 2 + (bit + 0.5 - BITS / 2) * cell) for bit in range(BITS)]
    return sum(1 << bit for bit, x in enumerate(centres) if row[x] > 128)


def stamped(count: int, width: int = 320, height: int = 240) -> Iterator[NDArray[np.uint8]]:
    """Frames 0 .. count - 1."""
    return (stamp(index, width, height) for index in range(count))


def encode(
    path: Path,
    count: int,
    *,
    codec: str = "libx264",
    rate: Fraction = Fraction(25),
    times: list[float] | None = None,
    pixel_format: str = "yuv420p",
    size: tuple[int, int] = (320, 240),
    options: dict[str, str] | None = None,
    full_range: bool = False,
) -> Path:
    """Write a stamped video with any codec, rate and (with `times`, seconds) any time stamps."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pixel_format
        tick = Fraction(1, 90_000) if times else 1 / rate
        stream.time_base = stream.codec_context.time_base = tick
        if full_range:
            stream.codec_context.color_range = 2
        for index, picture in enumerate(stamped(count, *size)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(format=pixel_format, dst_color_range=2 if full_range else 1)
            frame.time_base = tick
            frame.pts = round(times[index] / tick) if times else index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def flash_and_beep(path: Path, *, seconds: float = 4.0, at: float = 2.0, fps: int = 25) -> Path:
    """A grey video with one white frame and a click of sound at the same moment."""
    from curate import video

    n = round(seconds * fps)
    pictures = [np.full((128, 128, 3), 255 if i == round(at * fps) else 60, np.uint8) for i in range(n)]
    samples = np.zeros(round(seconds * 48_000), np.float32)
    samples[round(at * 48_000) : round(at * 48_000) + 480] = 0.8
    video.write_video(path, pictures, fps, sound=(samples, 48_000))
    return path
