"""What every list of clips comes down to: a span of a video and a box in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True)
class Span:
    """From `start` up to but not including `end`, in frames or in seconds."""

    start: float
    end: float
    unit: Literal["frame", "second"]
    fps: float | None = None  # frames are counted at this rate, from the video's start; None: the source's own frames
    part: int | None = None  # TalkingHead-1KH: frames are counted from the start of this 60 s chunk of the video


@dataclass(frozen=True)
class RefBox:
    """Left, top, right, bottom (exclusive) in pixels of a frame of `width` x `height`; 1 x 1: in fractions."""

    left: float
    top: float
    right: float
    bottom: float
    width: float | None  # None: the list does not say; then pixels of the source as it is
    height: float | None


@dataclass(frozen=True)
class Tube:
    """One line of a list: what is to be cut out of which video."""

    name: str  # the list's own name of the clip; published lists name some twice (`distinct` keeps the first)
    video_id: str
    span: Span | None  # None: the whole video
    box: RefBox | None  # None: the whole frame
    identity_id: str | None = None
    split: str | None = None
    resize: tuple[int, int] | None = None  # width, height that the list asks for; None: as cut
    warning: str = ""  # why the result may not be what the list's authors had
    attributes: Mapping[str, str] = field(default_factory=dict)  # what else the list says of it


@dataclass(frozen=True)
class Video:
    """A video that a list names."""

    video_id: str
    url: str | None  # None: to be found in a folder only
    file: str | None = None  # path in a dataset's folder, of the folder layouts
    split: str | None = None
    identity_id: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class VideoList:
    """A list as read: its videos, and the tubes in them if it has any (else the faces are to be found)."""

    format: str
    videos: tuple[Video, ...]
    tubes: tuple[Tube, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)  # what else its files hold, for a writer to give it back


def distinct(listing: VideoList) -> tuple[VideoList, int]:
    """The list with one tube of each name, the first; and how many were left out."""
    tubes = tuple({tube.name: tube for tube in reversed(listing.tubes)}.values())[::-1]
    return replace(listing, tubes=tubes), len(listing.tubes) - len(tubes)
