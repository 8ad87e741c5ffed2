"""Whether a file that was downloaded is all of what it says it is."""

from __future__ import annotations

from pathlib import Path

from curate import video
from curate.errors import BadVideo

_BOXED = frozenset((".mp4", ".m4v", ".mov", ".m4a", ".3gp"))
_KNOWN = frozenset((b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"sidx", b"pnot", b"uuid"))


def lacking(path: Path, duration_s: float | None) -> str | None:
    """What is missing of a file, in words; None: nothing that can be seen from outside.

    `duration_s` is the length that the site says; a file that is no video at all passes here, for the stages that look
    into videos say it better.
    """
    if path.suffix.lower() in _BOXED and (missing := _missing_bytes(path)):
        return f"truncated: {missing} bytes of the file are missing"
    if duration_s is None:
        return None
    try:
        seconds = video.info(path).duration_s
    except BadVideo:
        return None
    if 0 < seconds < 0.9 * duration_s and duration_s - seconds > 2:
        return f"truncated: {seconds:.1f} of {duration_s:.1f} s"
    return None


def _missing_bytes(path: Path) -> int:
    """By how many bytes the last box of an MP4 file sticks out of it; 0 for what is no MP4 file."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        at = 0
        while at + 8 <= size:
            handle.seek(at)
            head = handle.read(16)
            if head[4:8] not in _KNOWN:
                return 0  # whatever lies there is not ours to judge
            length = int.from_bytes(head[:4], "big")
            if length == 1 and len(head) == 16:
                length = int.from_bytes(head[8:], "big")
            if length < 8:  # 0: to the end of the file
                return 0
            at += length
    return max(0, at - size)
