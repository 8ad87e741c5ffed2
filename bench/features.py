"""What the networks see in frames: each distinct frame goes through each network once, however many metrics ask."""

from __future__ import annotations

import time
from collections.abc import Collection
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench import sound
from bench.evaluators.suite import IN_ORDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.evaluators.suite import Suite
    from curate.dataset import Clip
    from curate.perception.interface import Frames

KEPT = 512 << 20  # bytes of features that are kept; what was not asked for the longest is dropped first

Seen = dict[str, NDArray[np.float32]]  # kind (an attribute of `bench.evaluators.suite.Observation`) -> features


class Features:
    """Network outputs of frames, found again by the frames' content.

    The frames of a truth row are the reference's and those of a source copy one frame many times, so neither costs a
    network anything, and the rows of one pass share what they share without knowing of each other.
    """

    def __init__(self, suite: Suite) -> None:
        self.seconds = 0.0  # spent so far
        self._suite = suite
        self._kept: dict[bytes, Seen] = {}
        self._bytes = 0

    def of(self, frames: Frames, kinds: Collection[str], beat: NDArray[np.intp] | None = None) -> Seen:
        """Of uint8 frames [T, H, W, 3]: kind -> [T, ...]; NaN where a frame has no face.

        `beat`: the frames in which lips are read (`bench.sound.beat`); None: all.
        """
        if not kinds:
            return {}
        start = time.perf_counter()
        in_order = [kind for kind in kinds if kind in IN_ORDER]
        kinds = sorted({*kinds, *(["boxes"] if "lips" in kinds else [])} - IN_ORDER)
        keys = [blake2b(frame.tobytes(), digest_size=16).digest() for frame in frames]
        lacking: dict[tuple[str, ...], dict[bytes, int]] = {}  # kinds -> where frames are that lack just these
        for i, key in enumerate(keys):
            unseen = tuple(kind for kind in kinds if kind not in self._kept.get(key, ()))
            if unseen:
                lacking.setdefault(unseen, {}).setdefault(key, i)
        for unseen, places in lacking.items():
            self._look(frames[list(places.values())], list(places), unseen)
        found = {kind: np.stack([self._kept[key][kind] for key in keys]) for kind in kinds}
        boxes = found.pop("boxes", None)
        for kind in in_order:
            if kind == "lips" and beat is not None and boxes is not None:
                read = self._clip(frames[beat], kind, boxes[beat])
                found[kind] = np.full((len(frames), read.shape[1]), np.nan, np.float32)
                found[kind][beat] = read
            else:
                found[kind] = self._clip(frames, kind, boxes)
        for key in dict.fromkeys(keys):
            if key in self._kept:
                self._kept[key] = self._kept.pop(key)  # to the end
        self._forget()
        self.seconds += time.perf_counter() - start
        return found

    def heard(self, kind: str, clip: Clip, indices: Sequence[int]) -> NDArray[np.float32] | str:
        """What is heard ("sound" or "voice", see `Metric.hears`) while frames of a clip are shown [T, ...], or why
        nothing is."""
        if kind == "sound":
            found = sound.heard(clip, indices)
            return sound.NO_SOUND if found is None else found
        start = time.perf_counter()
        spoken = sound.spoken(clip, indices)
        voice = spoken if isinstance(spoken, str) else self._suite.voice(spoken)
        self.seconds += time.perf_counter() - start
        return voice

    def _clip(self, frames: Frames, kind: str, boxes: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """What is seen in all frames as they follow each other; `boxes`: of the faces, where lips are read."""
        key = blake2b(f"{kind} {frames.shape}".encode() + frames.tobytes(), digest_size=16).digest()
        if kind not in self._kept.get(key, ()):
            if kind == "lips" and boxes is not None:
                seen = self._suite.lips(frames, boxes)
            else:
                seen = getattr(self._suite.observe(frames), kind)
            self._kept.setdefault(key, {})[kind] = seen
            self._bytes += seen.nbytes
        return self._kept[key][kind]

    def _look(self, frames: Frames, keys: list[bytes], kinds: tuple[str, ...]) -> None:
        observation = self._suite.observe(frames)
        for kind in kinds:
            seen: NDArray[np.float32] = getattr(observation, kind)
            for key, values in zip(keys, seen, strict=True):
                self._kept.setdefault(key, {})[kind] = values.copy()  # a view would keep its whole batch in memory
                self._bytes += values.nbytes

    def _forget(self) -> None:
        while self._bytes > KEPT:
            oldest = self._kept.pop(next(iter(self._kept)))
            self._bytes -= sum(values.nbytes for values in oldest.values())
