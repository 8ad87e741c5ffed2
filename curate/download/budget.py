"""How much of the disk downloaded files may take at once."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from curate.console import say
from curate.download.failures import Failure

_UNKNOWN = 500_000_000  # bytes, taken for a video whose size the site does not say
_PATIENCE = 10  # looks, a second apart, before it is said that there is a wait
_MERGING = 2  # parts and the merged file lie side by side for a while


class Budget:
    """Counts the bytes that are held; `release` may be called from any thread."""

    def __init__(self, folder: Path, most: int, keep_free: int) -> None:
        self._folder, self._most, self._keep_free = folder, most, keep_free
        self._held: dict[str, int] = {}
        self._changed = threading.Condition()

    @property
    def held(self) -> int:
        """Bytes that are taken."""
        with self._changed:
            return sum(self._held.values())

    def reserve(self, video_id: str, size: int | None) -> None:
        """Take room for a download of `size` bytes (None: not known); waits until others are released.

        `Failure` (disk) where there is no room though nothing is held.
        """
        needed = size or min(_UNKNOWN, self._most)
        looked = 0
        with self._changed:
            while why := self._lacking(needed):
                if not self._held:
                    raise Failure("disk", why)
                looked += 1
                if looked == _PATIENCE:
                    say(f"waiting for room: {why}; {len(self._held)} videos are still in use")
                self._changed.wait(timeout=1.0)  # others may free the disk too
            self._held[video_id] = needed

    def settle(self, video_id: str, size: int) -> None:
        """The download is there and has `size` bytes."""
        with self._changed:
            self._held[video_id] = size
            self._changed.notify_all()

    def release(self, video_id: str) -> None:
        """The files of a video are gone, or never came."""
        with self._changed:
            self._held.pop(video_id, None)
            self._changed.notify_all()

    def _lacking(self, needed: int) -> str | None:
        held = sum(self._held.values())
        if held + needed > self._most:
            return (
                f"{(held + needed) / 1e9:.1f} GB of raw videos would lie on the disk, "
                f"{self._most / 1e9:.1f} GB are allowed"
            )
        free = shutil.disk_usage(self._folder).free
        if free - _MERGING * needed < self._keep_free:
            return (
                f"{free / 1e9:.1f} GB are free in {self._folder}, "
                f"{(_MERGING * needed + self._keep_free) / 1e9:.1f} GB are needed"
            )
        return None
