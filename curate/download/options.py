"""What a person can ask of a download."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Settings of downloads; none of them changes what a clip looks like, except by which format is taken."""

    min_res: int = 0  # least short side of the picture, pixels
    min_bitrate: int = 0  # least bit rate of the picture, bits per second
    max_res: int = 2160  # formats above it are not taken: they cost bytes and time
    license: str | None = None  # take only videos under this licence, such as "cc-by"
    cookies: Path | None = None  # Netscape file; it is read, never written
    offline: bool = False  # only what lies in the folder or was downloaded before
    retry_permanent: bool = False  # try again what failed for good before
    keep_raw: bool = False  # downloaded files stay after use
    attempts: int = 4  # of one video in one run, where its kind of error allows
    breaker: int = 3  # bot checks (or other errors that are not the video's) in a row that stop everything
    pause_s: float = 3.0  # mean pause between two requests to a site; each is half to one and a half of it
    timeout_s: float = 20.0  # of a connection that does not answer
    probe_s: float = 120.0  # longest time that asking for facts may take
    stall_s: float = 60.0  # a download that writes nothing for so long is cut
    min_rate: float = 20_000.0  # bytes per second; a download that is slower over `slow_s` is cut
    slow_s: float = 60.0
    margin_s: float = 2.0  # sections are downloaded with so much before and after
    raw_bytes: int = 20_000_000_000  # downloaded files that may lie on the disk at once
    free_bytes: int = 2_000_000_000  # space that stays free on that disk
    seed: int = 0  # of the jitter


@dataclass(frozen=True)
class Clock:
    """Time, to be replaced in tests."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
