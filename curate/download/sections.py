"""Which parts of a video are downloaded when only some spans of it are wanted."""

from __future__ import annotations

from collections.abc import Sequence

Section = tuple[float, float]
"""Start and end, seconds of the video."""

_JOIN_S = 20.0  # closer sections are one: each costs requests and the frames back to a keyframe
_WHOLE = 0.7  # where sections are more than this of a video, all of it is downloaded: that can be resumed


def plan(spans: Sequence[Section], margin_s: float, duration_s: float | None = None) -> tuple[Section, ...]:
    """Sections that hold all `spans` with a margin, in order and apart from each other; none: download all of it.

    >>> plan([(100, 104), (110, 112), (400, 410)], 2.0, 3600)
    ((98.0, 114.0), (398.0, 412.0))
    """
    joined: list[Section] = []
    for start, end in sorted(spans):
        start, end = max(0.0, start - margin_s), end + margin_s
        if duration_s is not None:
            start, end = min(start, duration_s), min(end, duration_s)
        if end <= start:
            continue
        if joined and start - joined[-1][1] < _JOIN_S:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    if duration_s is not None and sum(end - start for start, end in joined) > _WHOLE * duration_s:
        return ()
    return tuple(joined)
