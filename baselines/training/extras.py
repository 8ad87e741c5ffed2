"""What a recipe needs to know of every frame, made once for every clip and kept by its content's hash.

Rendered clips bring their truth; of others, and for masks, an evaluator says what it sees (`Maker`). Where it sees no
face the values are NaN, and such frames are not trained on.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.checkpoint import write_whole
from baselines.training.errors import TrainingError

if TYPE_CHECKING:
    from baselines.training.data import Clips

NAMES = ("landmarks68", "landmarks3d", "pose", "mask")
LOOK = 256  # side of the frames that a maker sees
CLIPS_KEPT = 256

Array = NDArray[Any]
Maker = Callable[[str, NDArray[np.uint8]], Array]
"""(name, frames [T, S, S, 3]) -> landmarks68 [T, 68, 2] pixels, landmarks3d [T, 68, 3] mm, pose [T, 3] degrees or mask
[T, S, S] in [0, 1]."""

MIRRORED = np.array(
    [
        *(*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1)),  # jaw, brows, nose
        *(*range(45, 41, -1), 47, 46, *range(39, 35, -1), 41, 40),  # eyes
        *(*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65),  # outer and inner lips
    ]
)
"""Landmark k of a mirrored face is landmark MIRRORED[k] of the face."""


@dataclass(frozen=True)
class Extras:
    """The extras of clips: `take` gives those of some frames, `prepare` makes what is missing."""

    clips: Clips
    names: tuple[str, ...]
    folder: Path
    open_maker: Callable[[], Maker] | None = None  # called in each process that needs it
    _state: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name in self.names:
            if name not in NAMES:
                raise TrainingError(f"needs: {name!r} is not among {', '.join(NAMES)}")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_state": {}}

    def prepare(self, workers: int) -> None:
        """Make all that is missing, in so many processes."""
        lacking = [
            index
            for index in range(len(self.clips.chosen))
            if not all(self._path(n, index).is_file() for n in self.names)
        ]
        if lacking:
            loader = torch.utils.data.DataLoader(_Lacking(self, lacking), batch_size=None, num_workers=workers)
            for _ in loader:
                pass

    def take(self, name: str, clip: int, frames: Sequence[int]) -> Array:
        """The extra of some frames of a clip, as in `Batch`; float32, or uint8 0 to 255 for masks [N, R, R]."""
        values: Array = self._whole(name, clip)[np.asarray(frames)]
        return values * np.float32(self.clips.side) - np.float32(0.5) if name == "landmarks68" else values

    def _whole(self, name: str, clip: int) -> Array:
        if "read" not in self._state:
            self._state["read"] = lru_cache(CLIPS_KEPT)(self._read)
        array: Array = self._state["read"](name, clip)
        return array

    def _read(self, name: str, clip: int) -> Array:
        """Of a whole clip, as stored: landmarks in fractions of the frame, masks 0 to 255 at the recipe's side."""
        path = self._path(name, clip)
        if not path.is_file():
            buffer = io.BytesIO()
            np.save(buffer, self._make(name, clip))
            write_whole(path, buffer.getvalue())
        array: Array = np.load(path)
        return array

    def _path(self, name: str, clip: int) -> Path:
        chosen = self.clips.chosen[clip]
        side = f"-{self.clips.side}" if name == "mask" else ""
        return self.folder / "extras" / f"{chosen.sha256[:24]}-{name}{side}.npy"

    def _make(self, name: str, clip: int) -> Array:
        chosen = self.clips.chosen[clip]
        truth = self._truth()
        if name != "mask" and truth is not None and chosen.clip_id in truth:
            known = truth.clip(chosen.clip_id)
            if name == "landmarks68":
                return np.asarray((known.landmarks2d + 0.5) / known.size, np.float32)
            return np.asarray(known.landmarks3d if name == "landmarks3d" else known.motion.angles, np.float32)
        if self.open_maker is None:
            raise TrainingError(f"the recipe needs {name} of every frame, which is not known of {chosen.path.name}")
        if "maker" not in self._state:
            self._state["maker"] = self.open_maker()
        from curate import video

        frames = self.clips.dataset.frames(chosen, range(chosen.n_frames), LOOK)
        made = np.asarray(self._state["maker"](name, frames), np.float32)
        if name == "landmarks68":
            return (made + np.float32(0.5)) / np.float32(LOOK)
        if name == "mask":
            grey = np.nan_to_num(made * 255).round().astype(np.uint8)
            return video.resize(np.repeat(grey[..., None], 3, axis=-1), self.clips.side)[..., 0]
        return made

    def _truth(self) -> Any:
        from curate.synth.truth import Truth, available

        if "truth" not in self._state:
            root = self.clips.dataset.root
            self._state["truth"] = Truth.open(root) if available(root) else None
        return self._state["truth"]


class _Lacking(torch.utils.data.Dataset[int]):
    """Making the extras of one clip is reading them."""

    def __init__(self, extras: Extras, clips: list[int]) -> None:
        self.extras, self.clips = extras, clips

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> int:
        for name in self.extras.names:
            self.extras.take(name, self.clips[index], [0])
        return index


def is_known(name: str, values: Array) -> bool:
    """Whether a face was found in each of the frames that these values [N, ...] are of."""
    if name == "mask":
        return bool(values.any(axis=(1, 2)).all())
    return bool(np.isfinite(values).all())


def mirror(name: str, values: Array, side: int) -> Array:
    """The extra [N, ...] of mirrored frames."""
    if name == "mask":
        return values[:, :, ::-1]
    if name == "pose":
        return values * np.array([-1, 1, -1], np.float32)
    flipped = values[:, MIRRORED].copy()
    flipped[..., 0] = (side - 1 if name == "landmarks68" else 0) - flipped[..., 0]
    return flipped
