"""What a decode pass gave, kept for the next one where it is little."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from curate.frame import Frame

if TYPE_CHECKING:
    from curate.video import Decoded

MOST = 320 << 20  # bytes of a process: 9 seconds of 720p, 38 of 360p


class Held:
    """All frames and sound of a video in the order in which they were decoded, or nothing if that is too much."""

    def __init__(self, most: int = MOST) -> None:
        self._room = most
        self._items: deque[Decoded] = deque()
        self.is_whole = False  # whether all of a video is here

    def add(self, item: Decoded) -> None:
        """Keep it, if there is room for it and all that came before."""
        if self._room < 0:
            return
        self._room -= item.n_bytes if isinstance(item, Frame) else sum(plane.buffer_size for plane in item.planes)
        self._items.append(item)
        if self._room < 0:
            self._items.clear()

    def close(self) -> None:
        """Say that the video has ended."""
        self.is_whole = self._room >= 0

    def take(self) -> Iterator[Decoded]:
        """Everything, once: it is let go of as it is given."""
        self.is_whole = False
        while self._items:
            yield self._items.popleft()
