"""Clips that a list names: which frames of a video they are, and which square of them. No face is looked for."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curate import framing, video
from curate.analyse import Analysis
from curate.errors import BadVideo
from curate.framing import Box
from curate.lists import convention
from curate.lists.tube import RefBox, Span, Tube
from curate.select import KEPT, ClipPlan, Selection, Verdict
from curate.settings import SelectionSettings
from curate.video import Stamps, VideoInfo

MANY = 1 << 40  # frames: more than any video has, so that a span beyond the end shows
NEARLY_S = 1e-4  # time stamps are rounded to their file's tick


@dataclass(frozen=True)
class Headers:
    """What a video's headers tell: enough to find the frames that a list means."""

    analysis: Analysis  # without shots and tracks
    stamps: Stamps | None  # None: only decoding told the times; no frame can be passed over


def read_headers(path: Path, video_id: str) -> Headers:
    """Size, rate and the time of every frame, without decoding where the packets tell it. Raises `BadVideo`."""
    info = video.info(path)
    if info.fps <= 0:
        raise BadVideo(f"{path.name}: the container states no frame rate")
    stamps = video.stamps(path)
    times = stamps.times if stamps else tuple(frame.time_s for frame in video.frames(path))
    return Headers(Analysis(video_id, "", info, len(times), times, (), ()), stamps)


@dataclass(frozen=True)
class Wish:
    """What a list wants of one file."""

    tubes: tuple[Tube, ...]
    format: str  # of the list: its convention says how boxes become crops
    part: int | None = None  # the file is this 60 s chunk of the video, not all of it
    offset_s: float = 0.0  # the file begins so late in the video


def select_listed(headers: Headers, wish: Wish, settings: SelectionSettings) -> Selection:
    """A plan for each tube, kept or with the reason why not."""
    info = headers.analysis.info
    if info.bitrate < settings.min_bitrate:
        return Selection(Verdict("dropped", f"bit rate {info.bitrate} < {settings.min_bitrate}"), (), ())
    plans = tuple(_plan(headers, tube, wish, settings) for tube in wish.tubes)
    kept = any(plan.verdict == KEPT for plan in plans)
    return Selection(KEPT if kept else Verdict("dropped", "no clip passed"), (), plans)


def _plan(headers: Headers, tube: Tube, wish: Wish, settings: SelectionSettings) -> ClipPlan:
    info, count = headers.analysis.info, headers.analysis.n_frames
    start, end = frames_of(headers, tube.span, wish)
    box, moved = square_of(tube.box, info, wish.format, settings)
    side = box[2] - box[0]
    if not 0 <= start < end <= count:
        where = f"frames {start} to {end - 1} of a video of {count}"
        verdict = Verdict("dropped", f"{where}: another encoding than the list's, or another video")
        start, end = min(max(start, 0), count), min(max(end, 0), count)
    elif moved and settings.box_policy == "drop":
        verdict = Verdict("dropped", "the crop leaves the frame")
    elif side < settings.min_res:
        verdict = Verdict("dropped", f"native side {side} < {settings.min_res}")
    else:
        verdict = KEPT
    return ClipPlan(None, start, end, box, verdict, overlap_tracks=None, list_name=tube.name, warning=tube.warning)


def frames_of(headers: Headers, span: Span | None, wish: Wish) -> tuple[int, int]:
    """First frame and one past the last of a span in the file; they may lie outside it."""
    fps, times = headers.analysis.info.fps, headers.analysis.times or ()
    if span is None:
        return 0, len(times)
    if span.unit == "second" or (wish.offset_s and span.fps):
        rate = 1.0 if span.unit == "second" else span.fps or 1.0
        start, end = (_first_from(times, bound / rate - wish.offset_s, 1 / fps) for bound in (span.start, span.end))
        return start, end
    chunk: int | None = 0
    if span.part is not None and wish.part is None:
        keys = headers.stamps.keyframes if headers.stamps else ()
        chunk = convention.chunk_start([(key, times[key] - times[0]) for key in keys], span.part)
    if chunk is None:
        return len(times), len(times)
    found = convention.frame_indices(span, fps, MANY, chunk)
    return found.start, found.stop


def _first_from(times: Sequence[float], moment: float, step: float) -> int:
    """The first frame shown at or after a moment; frames after the last one are counted too, at the average step."""
    if not times or moment > times[-1] + NEARLY_S:
        last = times[-1] if times else 0.0
        return len(times) + max(0, math.ceil((moment - last) / step - 1 - 1e-6))
    return bisect_left(times, moment - NEARLY_S)


def square_of(box: RefBox | None, info: VideoInfo, format: str, settings: SelectionSettings) -> tuple[Box, bool]:
    """The square that is cut for a listed box, and whether it leaves the frame.

    Corners are rounded down to even ones as FFmpeg's crop does. A box that is no square becomes the square of its
    longer side about its centre.
    """
    frame = (info.width, info.height)
    if box is None:
        return framing.place(info.width / 2, info.height / 2, min(frame) & ~1, frame, settings.box_policy)
    scaled = convention.CONVENTIONS[convention.of_list(format)](box, *frame)
    left, top = scaled[0] & ~1, scaled[1] & ~1
    width, height = (scaled[2] - scaled[0]) & ~1, (scaled[3] - scaled[1]) & ~1
    if width == height and left >= 0 and top >= 0 and left + width <= info.width and top + height <= info.height:
        return (left, top, left + width, top + height), False
    return framing.place(left + width / 2, top + height / 2, max(width, height, 2), frame, settings.box_policy)
