"""What the networks see in frames: each distinct frame goes through each network once, however many metrics ask."""

from __future__ import annotations

import time
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bench.evaluators.suite import Suite
    from curate.perception.interface import Frames

KEPT = 16_384  # frames whose features are kept (about 3 kB each), the oldest dropped first


class Features:
    """Network outputs of frames, found again by the frames' content.

    The frames of a truth row are the driving frames and those of a source copy one frame many times, so neither costs
    a network anything, and the rows of one pass share what they share without knowing of each other.
    """

    def __init__(self, suite: Suite, kinds: Sequence[str]) -> None:
        self.kinds = tuple(kinds)  # attributes of `bench.evaluators.suite.Observation`
        self.seconds = 0.0  # spent so far
        self._suite = suite
        self._kept: dict[bytes, tuple[NDArray[np.float32], ...]] = {}

    def of(self, frames: Frames) -> dict[str, NDArray[np.float32]]:
        """Of uint8 frames [T, H, W, 3]: kind -> [T, ...]; NaN where a frame has no face."""
        if not self.kinds:
            return {}
        start = time.perf_counter()
        keys = [blake2b(frame.tobytes(), digest_size=16).digest() for frame in frames]
        new = {key: i for i, key in reversed(list(enumerate(keys))) if key not in self._kept}
        if new:
            seen = self._suite.observe(frames[sorted(new.values())])
            columns = [getattr(seen, kind) for kind in self.kinds]
            for row, i in enumerate(sorted(new.values())):
                self._kept[keys[i]] = tuple(column[row] for column in columns)
        found = {kind: np.stack([self._kept[key][k] for key in keys]) for k, kind in enumerate(self.kinds)}
        for key in list(self._kept)[: max(len(self._kept) - KEPT, 0)]:
            del self._kept[key]
        self.seconds += time.perf_counter() - start
        return found
