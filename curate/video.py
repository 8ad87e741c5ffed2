"""The only module that opens a video: PyAV to decode, cut and encode, decord for random access. It hides which.

Frames are numbered in presentation order from 0. What is written is H.264 in BT.601 limited range and tagged so,
because readers that ignore the tags (decord among them) assume that; both kinds of reader then show the same colours.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import av.error
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from curate.errors import BadVideo, UserError
from curate.files import atomic
from curate.frame import Frame

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.container import InputContainer, OutputContainer
    from av.video.stream import VideoStream

    Decoded = Frame | AudioFrame  # what `frames_and_sound` gives

Sound = tuple[NDArray[np.float32], int]
"""Mono samples [S] in [-1, 1] and their rate in Hz."""

AUDIO_RATE = 48_000
# Formats that hold their own data. FFmpeg knows others, playlists among them, that make it open further files.
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpegts,mpeg,mpegvideo,asf,ogg,gif"
_MAX_SIDE = 16_384  # larger frames are refused: a header may claim any size


@dataclass(frozen=True)
class VideoInfo:
    """What a file's headers say."""

    width: int  # as shown: rotation applied
    height: int
    fps: float  # average
    n_frames: int  # 0: the container does not say
    duration_s: float  # 0: the container does not say
    bitrate: int  # of the video stream, bits per second; of the whole file where the stream does not say
    codec: str
    pixel_format: str
    audio_start_s: float  # sound may begin later than the picture; both 0: there is none
    audio_end_s: float

    @property
    def has_audio(self) -> bool:
        """Whether there is any sound."""
        return self.audio_end_s > self.audio_start_s

    @property
    def bits_per_pixel(self) -> float:
        """Bits of video data per pixel and frame."""
        return self.bitrate / (self.width * self.height * self.fps) if self.fps > 0 else 0.0


def info(path: Path) -> VideoInfo:
    """Headers of a video file; `BadVideo` when it has no readable video stream."""
    with _open(path) as container:
        stream = container.streams.video[0]
        first = next(_pictures(container, path))
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
        if not seconds and container.duration:
            seconds = container.duration / av.time_base
        bitrate = stream.codec_context.bit_rate or 0
        if not bitrate and seconds > 0:
            bitrate = int(8 * path.stat().st_size / seconds)
        sound = _sound_span(container)
        return VideoInfo(
            width=first.width,
            height=first.height,
            fps=fps,
            n_frames=stream.frames,
            duration_s=seconds,
            bitrate=bitrate,
            codec=stream.codec_context.name,
            pixel_format=str(stream.codec_context.pix_fmt),
            audio_start_s=sound[0],
            audio_end_s=sound[1],
        )


def _sound_span(container: InputContainer) -> tuple[float, float]:
    """Seconds at which the sound begins and ends, by the headers."""
    if not container.streams.audio:
        return 0.0, 0.0
    stream = container.streams.audio[0]
    tick = float(stream.time_base or 0)
    start = (stream.start_time or 0) * tick
    if stream.duration:
        return start, start + stream.duration * tick
    return start, (container.duration or 0) / av.time_base  # the container's own end, where the stream does not say


def frames(path: Path, *, threads: int = 1) -> Iterator[Frame]:
    """All frames of a video, one at a time; `BadVideo` (with how far it came) where decoding fails or stops early."""
    with _open(path, threads) as container:
        yield from _pictures(container, path)


def frames_and_sound(path: Path, *, start: int = 0, stamps: Stamps | None = None) -> Iterator[Decoded]:
    """All frames and all sound of a video as they lie in the file; the sound is float stereo at `AUDIO_RATE`.

    With `start` and the file's `stamps`, what comes long before that frame is passed over without decoding.
    """
    with _open(path) as container:
        if stamps is not None and (key := stamps.keyframe_before(start)) > 0:
            stream = container.streams.video[0]
            container.seek(round(stamps.times[key] / float(stream.time_base or 1)), stream=stream)
            yield from _numbered(_decode(container, path, audio=True, partly=True), stamps, path)
        else:
            yield from _decode(container, path, audio=True)


def sound(path: Path) -> NDArray[np.float32] | None:
    """All sound of a video in one channel at `AUDIO_RATE` [N], from the time of frame 0 on; None where it has none."""
    with _open(path) as container:
        if not container.streams.audio:
            return None
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=AUDIO_RATE)
        parts, begin = [], 0.0
        try:
            for number, decoded in enumerate(container.decode(audio=0)):
                begin = float(decoded.time or 0.0) if number == 0 else begin
                parts += [block.to_ndarray()[0] for block in resampler.resample(decoded)]
        except (av.error.FFmpegError, ValueError) as error:
            raise BadVideo(f"{path.name}: its sound cannot be decoded ({_why(error)})") from error
    if not parts:
        return None
    samples = np.concatenate(parts).astype(np.float32)
    late = round(begin * AUDIO_RATE)
    return np.concatenate([np.zeros(late, np.float32), samples]) if late > 0 else samples[-late:]


def _numbered(items: Iterator[Frame | AudioFrame], stamps: Stamps, path: Path) -> Iterator[Frame | AudioFrame]:
    """Frames decoded after a seek, with the numbers that their time stamps tell."""
    for item in items:
        if isinstance(item, Frame):
            item.index = stamps.at(item.time_s)
            if abs(stamps.times[item.index] - item.time_s) > 1e-4:
                raise BadVideo(f"{path.name}: a frame at {item.time_s:.4f} s that its headers do not name")
        yield item


@dataclass(frozen=True)
class Stamps:
    """When each frame is shown, as the file's packets say; nothing is decoded for it."""

    times: tuple[float, ...]  # seconds, growing
    keyframes: tuple[int, ...]  # numbers of the frames at which decoding can begin

    def at(self, time_s: float) -> int:
        """The frame whose time is nearest."""
        right = min(bisect_left(self.times, time_s), len(self.times) - 1)
        left = max(right - 1, 0)
        return left if time_s - self.times[left] <= self.times[right] - time_s else right

    def keyframe_before(self, frame: int) -> int:
        """A keyframe from which all of `frame` and what follows can be decoded: the last but one before it."""
        before = [key for key in self.keyframes if key <= frame]
        return before[-2] if len(before) > 1 else 0


def stamps(path: Path) -> Stamps | None:
    """Time stamps of all frames; None where the packets do not tell them (then only decoding does)."""
    found: list[tuple[float, bool]] = []
    with _open(path) as container:
        stream = container.streams.video[0]
        tick = float(stream.time_base or 0)
        for packet in container.demux(stream):
            if not packet.size or packet.is_discard or packet.is_corrupt:
                continue
            if packet.pts is None:
                return None
            found.append((packet.pts * tick, packet.is_keyframe))
    found.sort()
    times = tuple(time for time, _ in found)
    if not times or any(b <= a for a, b in pairwise(times)):
        return None
    return Stamps(times, tuple(i for i, (_, key) in enumerate(found) if key))


def _open(path: Path, threads: int = 1) -> InputContainer:
    try:
        if path.exists() and not path.is_file():
            raise BadVideo(f"{path.name}: not a regular file")  # a pipe would be waited for
        name = str(path.absolute())  # else a folder called "concat:" would be a command to FFmpeg
        container = av.open(name, options={"format_whitelist": _FORMATS}, metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise BadVideo(f"{path.name}: no permission to read it") from error
        raise BadVideo(f"{path.name}: not a readable video ({_why(error)})") from error
    if not container.streams.video:
        container.close()
        raise BadVideo(f"{path.name}: no video stream in it")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO" if threads > 1 else "NONE"
    stream.codec_context.thread_count = threads
    if max(stream.codec_context.width, stream.codec_context.height) > _MAX_SIDE:
        container.close()
        raise BadVideo(
            f"{path.name}: frames of {stream.codec_context.width} x {stream.codec_context.height} are too large"
        )
    return container


def _why(error: BaseException) -> str:
    return str(getattr(error, "strerror", "") or error or type(error).__name__)


def _pictures(container: InputContainer, path: Path) -> Iterator[Frame]:
    return (item for item in _decode(container, path, audio=False) if isinstance(item, Frame))


def _decode(
    container: InputContainer, path: Path, *, audio: bool, partly: bool = False
) -> Iterator[Frame | AudioFrame]:
    stream = container.streams.video[0]
    wanted: list[Any] = [stream]
    resampler = None
    if audio and container.streams.audio:
        wanted.append(container.streams.audio[0])
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=AUDIO_RATE)
    index, trimmed, last = 0, False, float("-inf")
    step = 1 / float(stream.average_rate or stream.guessed_rate or 25)
    try:
        for packet in container.demux(wanted):
            trimmed |= packet.is_discard and packet.stream is stream  # by an edit list: the header counts more frames
            for decoded in packet.decode():
                if isinstance(decoded, av.VideoFrame):
                    # a stamp that is missing or does not grow is replaced by the average step
                    time_s = (
                        decoded.time if decoded.time is not None and decoded.time > last else max(last, -step) + step
                    )
                    yield Frame(decoded, index, time_s)
                    index, last = index + 1, time_s
                elif resampler is not None and isinstance(decoded, av.AudioFrame):
                    yield from resampler.resample(decoded)
    except (av.error.FFmpegError, ValueError) as error:
        raise BadVideo(f"{path.name}: decoding broke off at frame {index} ({_why(error)})") from error
    if index == 0:
        raise BadVideo(f"{path.name}: no frame could be decoded")
    if trimmed and last < 0.98 * float((stream.duration or 0) * (stream.time_base or 0)) - 3 * step and not partly:
        raise BadVideo(f"{path.name}: truncated: it ends at {last:.1f} s")
    if not trimmed and not partly and index < 0.98 * stream.frames - 2:
        raise BadVideo(f"{path.name}: truncated: {index} of the {stream.frames} frames in its header")


class ClipWriter:
    """Writes one H.264 file (with AAC sound if asked), frame by frame; the file appears whole on `close` or not at all.

    x264 runs on one thread, so that the bytes do not depend on the machine.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        fps: Fraction,
        *,
        crf: int = 16,
        preset: str = "medium",
        keyint: int = 25,
        sound: bool = False,
    ) -> None:
        self._atomic = atomic(path)
        self._container: OutputContainer = av.open(str(self._atomic.__enter__()), "w", format="mp4")
        self._video: VideoStream = self._container.add_stream("libx264", rate=fps.limit_denominator(60_000))
        self._video.width, self._video.height = size
        self._video.pix_fmt = "yuv420p"
        self._video.time_base = Fraction(1, 90_000)
        context = self._video.codec_context
        context.thread_count = 1
        context.time_base = Fraction(1, 90_000)
        context.gop_size = keyint
        context.colorspace = Colorspace.ITU601
        context.color_range = ColorRange.MPEG
        context.color_primaries = context.color_trc = 6  # SMPTE 170M, the BT.601 of 525 lines
        context.options = {"crf": str(crf), "preset": preset}
        self._audio = self._container.add_stream("aac", rate=AUDIO_RATE, layout="stereo") if sound else None
        self.n_samples = 0
        self.n_frames = 0

    def write(self, frame: av.VideoFrame, time_s: float) -> None:
        """Append a yuv420p frame that is shown at `time_s` after the clip's start."""
        frame.pts = round(time_s * 90_000)
        frame.time_base = Fraction(1, 90_000)
        frame.pict_type = 0
        self._container.mux(self._video.encode(frame))
        self.n_frames += 1

    def write_sound(self, samples: NDArray[np.float32]) -> None:
        """Append samples [2, S] at `AUDIO_RATE`."""
        if self._audio is None or not samples.shape[1]:
            return
        block = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
        block.sample_rate, block.pts, block.time_base = AUDIO_RATE, self.n_samples, Fraction(1, AUDIO_RATE)
        self.n_samples += samples.shape[1]
        self._container.mux(self._audio.encode(block))

    def close(self) -> None:
        """Finish the file and give it its name."""
        self._container.mux(self._video.encode(None))
        if self._audio is not None:
            self._container.mux(self._audio.encode(None))
        self._container.close()
        self._atomic.__exit__(None, None, None)

    def abort(self, error: BaseException) -> None:
        """Drop what was written; nothing appears under the clip's name."""
        self._container.close()
        try:
            self._atomic.__exit__(type(error), error, error.__traceback__)
        except BaseException as raised:
            if raised is not error:
                raise


def write_video(
    path: Path, pictures: Iterable[NDArray[np.uint8]], fps: float, *, crf: int = 12, sound: Sound | None = None
) -> int:
    """Write RGB uint8 frames [h, w, 3] of even size as H.264, atomically; gives the number of frames."""
    writer: ClipWriter | None = None
    try:
        for index, picture in enumerate(pictures):
            h, w = picture.shape[:2]
            if writer is None:
                if h % 2 or w % 2:
                    raise UserError(f"{path.name}: frames of {w} x {h}: H.264 needs even sides")
                writer = ClipWriter(
                    path, (w, h), Fraction(fps).limit_denominator(60_000), crf=crf, sound=sound is not None
                )
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            converted = frame.reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.MPEG
            )
            writer.write(converted, index / fps)
        if writer is None:
            raise UserError(f"{path.name}: no frame to write")
        if sound is not None:
            samples, rate = sound
            times = np.arange(round(len(samples) * AUDIO_RATE / rate)) / AUDIO_RATE
            mono = np.interp(times, np.arange(len(samples)) / rate, samples).astype(np.float32)
            writer.write_sound(np.stack([mono, mono]))
        writer.close()
        return writer.n_frames
    except BaseException as error:
        if writer is not None:
            writer.abort(error)
        raise


def read_frames(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """The named frames as RGB uint8 [T, h, w, 3], in the order asked for; `BadVideo` or IndexError.

    decord seeks; where it cannot read a file (AV1, say) PyAV decodes up to the last frame asked for.
    """
    if not len(indices):
        raise ValueError("indices: at least one frame must be asked for")
    import decord

    stat = path.stat() if path.is_file() else None
    if stat is None:
        raise BadVideo(f"{path}: no such file")
    if not _decord_agrees(path, stat.st_size, stat.st_mtime_ns):
        return _read_by_decoding(path, indices)
    try:
        reader = decord.VideoReader(str(path), num_threads=1)
        count = len(reader)
        if min(indices) < 0 or max(indices) >= count:
            raise IndexError(f"{path.name}: frame {max(indices)} of a video of {count} frames")
        return np.asarray(reader.get_batch(list(indices)).asnumpy())
    except (decord.DECORDError, RuntimeError):  # a width of 48, for one, opens and then cannot be read
        return _read_by_decoding(path, indices)


@lru_cache(maxsize=4096)
def _decord_agrees(path: Path, size: int, changed_ns: int) -> bool:
    """Whether decord shows the same colours and orientation: it ignores matrix, range and rotation."""
    with _open(path) as container:
        first = next(_pictures(container, path))
        return first.is_plain


def _read_by_decoding(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    wanted, found = set(indices), {}
    if min(wanted) < 0:
        raise IndexError(f"{path.name}: frame {min(wanted)} does not exist")
    for frame in frames(path):
        if frame.index in wanted:
            found[frame.index] = frame.rgb()
            if len(found) == len(wanted):
                return np.stack([found[index] for index in indices])
    raise IndexError(f"{path.name}: frame {max(wanted)} of a video of {frame.index + 1} frames")


def resize(pictures: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Frames [T, H, W, 3] resized to size x size: by area when shrinking, else bicubic."""
    import cv2

    if pictures.shape[1:3] == (size, size):
        return pictures
    method = cv2.INTER_AREA if size <= min(pictures.shape[1:3]) else cv2.INTER_CUBIC
    return np.stack([cv2.resize(picture, (size, size), interpolation=method) for picture in pictures])
