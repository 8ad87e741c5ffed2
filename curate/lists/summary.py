"""What a list holds, counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from curate.lists.tube import Tube, VideoList


@dataclass(frozen=True)
class Spread:
    """Least, middle and greatest of some numbers."""

    least: float
    middle: float
    greatest: float


@dataclass(frozen=True)
class Summary:
    """Counts of a list; None where the list does not say."""

    path: str
    format: str
    videos: int
    with_address: int  # videos that can be downloaded
    without_clips: int  # videos that the list cuts nothing out of: their faces are to be found
    clips: int
    repeated_names: int  # clips whose name an earlier one has
    identities: int
    splits: Mapping[str, int]  # clips of each, or videos where there are no clips
    hours: float | None  # of the clips whose length in seconds is known
    frames: int  # of the clips that count frames of an unknown rate
    seconds: Spread | None  # length of a clip, where it is known in seconds
    length: Spread | None  # length of a clip, where it is known in frames of an unknown rate
    frame_sizes: Mapping[str, int]  # width x height in which boxes were measured, clips of each
    side: Spread | None  # shorter side of the boxes that are in pixels
    square: int  # boxes in pixels that are square
    side_512: int  # boxes in pixels with both sides >= 512
    warnings: Mapping[str, int]  # clips of each warning, numbers in it written as N


def summarise(path: Path, listing: VideoList) -> Summary:
    """Count what a list that was read from `path` holds."""
    tubes = listing.tubes
    cut = {tube.video_id for tube in tubes}
    in_pixels = [
        (tube.box.right - tube.box.left, tube.box.bottom - tube.box.top)
        for tube in tubes
        if tube.box and (tube.box.width, tube.box.height) != (1, 1)
    ]
    seconds = [length for tube in tubes if (length := seconds_of(tube)) is not None]
    frames = [
        tube.span.end - tube.span.start
        for tube in tubes
        if tube.span and tube.span.unit == "frame" and not tube.span.fps
    ]
    people = {tube.identity_id for tube in tubes} | {video.identity_id for video in listing.videos}
    return Summary(
        path=str(path),
        format=listing.format,
        videos=len(listing.videos),
        with_address=sum(video.url is not None for video in listing.videos),
        without_clips=sum(video.video_id not in cut for video in listing.videos),
        clips=len(tubes),
        repeated_names=len(tubes) - len({tube.name for tube in tubes}),
        identities=len(people - {None}),
        splits=dict(Counter(item.split for item in tubes or listing.videos if item.split)),
        hours=sum(seconds) / 3600 if seconds else None,
        frames=int(sum(frames)),
        seconds=_spread(seconds),
        length=_spread(frames),
        frame_sizes=dict(Counter(_frame_sizes(tubes)).most_common()),
        side=_spread([min(sides) for sides in in_pixels]),
        square=sum(wide == high for wide, high in in_pixels),
        side_512=sum(min(sides) >= 512 for sides in in_pixels),
        warnings=dict(Counter(re.sub(r"\d+", "N", tube.warning) for tube in tubes if tube.warning).most_common()),
    )


def seconds_of(tube: Tube) -> float | None:
    """Length of a tube, where its list says it in seconds or in frames of a known rate."""
    if tube.span is None or (tube.span.unit == "frame" and not tube.span.fps):
        return None
    length = tube.span.end - tube.span.start
    return length if tube.span.unit == "second" else length / (tube.span.fps or 1)


def _frame_sizes(tubes: Iterable[Tube]) -> Iterable[str]:
    for tube in tubes:
        if tube.box is None or (tube.box.width, tube.box.height) == (1, 1):
            yield "whole frame" if tube.box is None else "fractions"
        else:
            yield " x ".join("unknown" if side is None else f"{side:g}" for side in (tube.box.width, tube.box.height))


def _spread(values: Sequence[float]) -> Spread | None:
    return Spread(min(values), median(values), max(values)) if values else None
