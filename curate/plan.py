"""What a build would cost, before any byte is fetched: hours, gigabytes and CPU time, out of headers or a list alone.

The rates below are measured where it says so (one thread of an x86 server CPU, CPU seconds of the process) and else
assumptions; every estimate states those that it used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from curate import lists
from curate.lists.tube import RefBox, Span, Tube, VideoList
from curate.settings import Settings

RAW_BITS = 0.05  # a pixel of a downloaded H.264 stream, assumed; measured on one 720p interview: 0.03
SOUND_BITRATE = 128_000  # of the usual AAC stream
CLIP_BITS = 0.25  # a pixel of a clip at crf 16, measured on a 512 x 512 crop of a 1088p video; 0.16 to 0.47 on others
DECODE_S = 2.5e-9  # CPU seconds a pixel, measured: 0.041 s a second of 720p H.264, 0.13 s of 1080p HEVC, at 25 fps
ENCODE_S = 1.1e-7  # CPU seconds a pixel written, x264 medium, measured: 0.72 s a second of 512 x 512 at 25 fps
LOOK_S = {
    "mtcnn": 0.15,
    "yunet": 0.06,
}  # CPU seconds a second of video for shots, faces and scores: docs/performance.md
LOOK_OTHER_S = 0.3  # of another detector, assumed
RATE = 25.0  # frames a second where a list does not say; the published lists are of 25 to 30
LINES = 1080  # of a video where a list does not say
MARGIN_S = 2.0  # downloaded before and after each span that a list gives
MINUTE = 60  # seconds of a TalkingHead-1KH chunk


@dataclass(frozen=True)
class Estimate:
    """What is to be expected. `None`: cannot be known before the videos are asked for."""

    source: str
    videos: int
    unreadable: int  # of a folder
    too_small: int  # videos, or tubes at the list's frame size, below min_res: they give no clip
    tubes: int | None
    hours_asked: float | None  # of the tubes, or of the videos
    hours_to_download: float | None
    gb_raw: float | None
    gb_clips: float | None
    cpu_hours: float | None
    wall_hours: float | None  # with `workers`, without the time that a download takes
    workers: int
    assumptions: tuple[str, ...]


def estimate(source: Path | None, out: Path, settings: Settings, workers: int) -> Estimate:
    """Estimate a build of `source`: a folder or file of videos (headers are read), a list, or by default the list that
    ships. `UserError` where `source` is neither."""
    if source is None:
        return of_list(lists.read(lists.default_list()), settings, workers)
    if _is_video_input(source):
        return of_videos(source, out, settings, workers)
    return of_list(lists.read(source), settings, workers)


def _is_video_input(source: Path) -> bool:
    from curate.sources import SUFFIXES

    if not source.exists() or source.suffix.lower() in SUFFIXES:
        return True
    return source.is_dir() and lists.detect(source) is None


def of_videos(source: Path, out: Path, settings: Settings, workers: int) -> Estimate:
    """Of a folder of videos: sizes and lengths are exact, the clips an upper bound."""
    from curate import pipeline

    plan = pipeline.plan(source, out, settings)
    seconds, selection = plan.hours * 3600, settings.selection
    side = selection.min_res if selection.size in (None, "native") else int(selection.size or 0)
    clip_pixels = seconds * RATE * side * side
    look, said = _looking(settings.analysis.detector)
    decode = 2 * DECODE_S * seconds * RATE * _pixels(LINES)  # once to look, once to cut
    cpu_hours = (seconds * look + decode + clip_pixels * ENCODE_S) / 3600
    return Estimate(
        source="videos",
        videos=plan.readable,
        unreadable=len(plan.unreadable),
        too_small=plan.too_small,
        tubes=None,
        hours_asked=plan.hours,
        hours_to_download=0.0,
        gb_raw=plan.gigabytes,
        gb_clips=clip_pixels * CLIP_BITS / 8e9,
        cpu_hours=cpu_hours,
        wall_hours=cpu_hours / workers,
        workers=workers,
        assumptions=(
            f"clips at most: one face of {side} px is kept all the time, at {RATE:g} fps",
            *said,
            *_encoding(),
        ),
    )


def of_list(listing: VideoList, settings: Settings, workers: int) -> Estimate:
    """Of a list. Where it gives no tubes, lengths are known only when the videos are asked for."""
    videos = {video.video_id for video in listing.videos} | {tube.video_id for tube in listing.tubes}
    timed = [tube for tube in listing.tubes if tube.span]
    if not timed:
        said = ("the list gives no times: the length of its videos is known when they are asked for",)
        return Estimate(listing.format, len(videos), 0, 0, None, None, None, None, None, None, None, workers, said)
    wanted = [tube for tube in timed if (_side(tube.box) or settings.selection.min_res) >= settings.selection.min_res]
    downloads, lines = _to_download(timed), _lines(timed)
    pixels = sum(seconds * RATE * _pixels(lines.get(video, LINES)) for video, seconds in downloads.items())
    others = len(videos - downloads.keys())
    raw_bits = pixels * RAW_BITS + sum(downloads.values()) * SOUND_BITRATE
    written = sum(_seconds(tube.span) * RATE * _area(tube, settings) for tube in wanted)
    cpu_hours = (pixels * DECODE_S + written * ENCODE_S) / 3600
    return Estimate(
        source=listing.format,
        videos=len(downloads),
        unreadable=0,
        too_small=len(timed) - len(wanted),
        tubes=len(listing.tubes),
        hours_asked=sum(_seconds(tube.span) for tube in timed) / 3600,
        hours_to_download=sum(downloads.values()) / 3600,
        gb_raw=raw_bits / 8e9,
        gb_clips=written * CLIP_BITS / 8e9,
        cpu_hours=cpu_hours,
        wall_hours=cpu_hours / workers,
        workers=workers,
        assumptions=(
            "every video can still be had",
            *[f"{others} more videos have no tube in the list and are not counted"] * bool(others),
            f"spans come with {MARGIN_S:g} s on both sides, at the list's frame size (if unsaid, {LINES} lines)",
            f"{RATE:g} fps where the list does not say",
            f"{RAW_BITS:g} bit a pixel of what is downloaded and {SOUND_BITRATE // 1000} kbit/s of sound (assumed)",
            *_encoding(),
        ),
    )


def _looking(detector: str) -> tuple[float, tuple[str, ...]]:
    seconds = LOOK_S.get(detector, LOOK_OTHER_S)
    how = "measured" if detector in LOOK_S else "assumed"
    return seconds, (f"{seconds:g} CPU s a second of video to find faces with {detector} ({how})",)


def _encoding() -> tuple[str, str]:
    return (
        f"{CLIP_BITS:g} bit a pixel of the clips at crf 16 (measured; 0.16 to 0.47 by content)",
        f"{ENCODE_S * 1e6:g} CPU s a million pixels written, {DECODE_S * 1e6:g} decoded (measured)",
    )


def _pixels(lines: int) -> float:
    """Pixels of a 16:9 frame."""
    return lines * lines * 16 / 9


def _rate(span: Span) -> float:
    return span.fps or RATE


def _interval(span: Span) -> tuple[float, float]:
    """Seconds at which a span begins and ends in its video."""
    chunk = MINUTE * (span.part or 0)
    scale = 1 / _rate(span) if span.unit == "frame" else 1.0
    return chunk + span.start * scale, chunk + span.end * scale


def _seconds(span: Span | None) -> float:
    if span is None:
        return 0.0
    start, end = _interval(span)
    return max(0.0, end - start)


def _to_download(tubes: Iterable[Tube]) -> Mapping[str, float]:
    """By video the seconds that its spans cover, with their margins; what two spans share counts once."""
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for tube in tubes:
        if tube.span:
            start, end = _interval(tube.span)
            spans[tube.video_id].append((max(0.0, start - MARGIN_S), end + MARGIN_S))
    return {video: covered(found) for video, found in spans.items()}


def covered(intervals: Iterable[tuple[float, float]]) -> float:
    """Length of the union of intervals.

    >>> covered([(0.0, 2.0), (1.0, 3.0), (5.0, 6.0)])
    4.0
    """
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _lines(tubes: Iterable[Tube]) -> dict[str, int]:
    """Lines of the list's frames of each video, where it says so."""
    found = {}
    for tube in tubes:
        if tube.box and tube.box.height and tube.box.height > 1:
            found[tube.video_id] = round(tube.box.height)
    return found


def _side(box: RefBox | None) -> float | None:
    """The shorter side of a tube's box in pixels; None where that is not known."""
    if box is None or box.height == 1:
        return None
    return min(box.right - box.left, box.bottom - box.top)


def _area(tube: Tube, settings: Settings) -> float:
    """Pixels of a frame of the clip."""
    if isinstance(settings.selection.size, int):
        return settings.selection.size**2
    if tube.resize:
        return tube.resize[0] * tube.resize[1]
    if tube.box is None or _side(tube.box) is None:
        return settings.selection.min_res**2
    return (tube.box.right - tube.box.left) * (tube.box.bottom - tube.box.top)
