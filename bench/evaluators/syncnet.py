"""SyncNet's public weights (see `models.syncnet`), and the face as its public code cuts it out.

The published pipeline finds faces with S3FD in JPEG frames of a re-encoded video; here it is the suite's detector, in
the frames that are compared. As there, a face that is not found for up to 25 frames lies on a straight line between the
boxes before and after, boxes are the median of 13 frames, what lies outside the frame is gray, and the last window of a
stretch is left out.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

import models
from bench.evaluators.files import locate
from curate.errors import UserError
from curate.perception.interface import Frames
from models.syncnet import SIDE, WINDOW, SyncNet

GAP = 25  # frames without a face that are bridged
MEDIAN = 13  # frames; a shorter stretch with a face is left out
SCALE = 0.4  # of half a box's longer side: what is added on the left and right, and twice below
GRAY = 110
AT_ONCE = 16  # windows through the network


class SyncNetReader:
    """A `LipReader`."""

    def __init__(self) -> None:
        path, self.info = locate("syncnet")
        self._network = cast("SyncNet", models.create("syncnet")["syncnet"]).eval()
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            missing, unknown = self._network.load_state_dict(state, strict=False)
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"{path} holds no SyncNet: {reason}") from error
        missing = [name for name in missing if not name.endswith("num_batches_tracked")]  # older than these counters
        if missing or unknown:
            raise UserError(f"{path} holds no SyncNet: {(missing + unknown)[0]} is missing or unknown")

    def lips(self, frames: Frames, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """[T, D] of uint8 frames [T, H, W, 3] and the box of a face in each [T, 4]; row t is of frames t .. t + 4."""
        found: dict[int, NDArray[np.float32]] = {}
        for start, end in stretches(boxes):
            shown = torch.from_numpy(cut(frames[start:end], bridged(boxes[start:end]))).permute(0, 3, 1, 2)
            for first in range(0, len(shown) - WINDOW, AT_ONCE):
                last = min(first + AT_ONCE + WINDOW - 1, len(shown) - 1)
                with torch.inference_mode():
                    rows = self._network.lips(shown[first:last].float() / 255).numpy()
                found |= {start + first + i: row for i, row in enumerate(rows)}
        return _rows(found, len(frames))

    def voice(self, cepstra: NDArray[np.float32]) -> NDArray[np.float32]:
        """[T, D] of cepstra [T, 13, 20]; NaN where they are."""
        heard = np.flatnonzero(np.isfinite(cepstra).all(axis=(1, 2)))
        found: dict[int, NDArray[np.float32]] = {}
        for first in range(0, len(heard), AT_ONCE):
            chosen = heard[first : first + AT_ONCE]
            with torch.inference_mode():
                rows = self._network.voice(torch.from_numpy(cepstra[chosen])).numpy()
            found |= dict(zip(chosen.tolist(), rows, strict=True))
        return _rows(found, len(cepstra))


def stretches(boxes: NDArray[np.float32]) -> list[tuple[int, int]]:
    """First frame and the one after the last of each stretch with a face, which gaps of more than 25 frames divide."""
    seen = np.flatnonzero(np.isfinite(boxes).all(axis=1))
    parts = np.split(seen, np.flatnonzero(np.diff(seen) > GAP + 1) + 1) if len(seen) else []
    return [(int(part[0]), int(part[-1]) + 1) for part in parts if part[-1] - part[0] + 1 >= MEDIAN]


def bridged(boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    """Boxes [T, 4] with those that lack (NaN) on a straight line between their neighbours."""
    seen = np.flatnonzero(np.isfinite(boxes).all(axis=1))
    return np.stack([np.interp(np.arange(len(boxes)), seen, boxes[seen, edge]) for edge in range(4)], axis=1)


def cut(frames: Frames, boxes: NDArray[np.float64]) -> Frames:
    """[T, 224, 224, 3]: of each frame a square of 1.4 times the box's longer side, whose top is that of the box."""
    from scipy.signal import medfilt

    size = boxes[:, 2:] - boxes[:, :2]
    halves, xs, ys = (
        medfilt(values, MEDIAN) for values in (size.max(axis=1) / 2, *((boxes[:, :2] + boxes[:, 2:]) / 2).T)
    )
    result = np.empty((len(frames), SIDE, SIDE, 3), np.uint8)
    for row, (frame, half, x, y) in enumerate(zip(frames, halves, xs, ys, strict=True)):
        pad = int(half * (1 + 2 * SCALE))
        padded = np.pad(frame, ((pad, pad), (pad, pad), (0, 0)), constant_values=GRAY)
        x, y = x + pad, y + pad
        left, right = int(x - half * (1 + SCALE)), int(x + half * (1 + SCALE))
        square = padded[max(int(y - half), 0) : int(y + half * (1 + 2 * SCALE)), max(left, 0) : right]
        result[row] = cv2.resize(square, (SIDE, SIDE))
    return result


def _rows(found: dict[int, NDArray[np.float32]], count: int) -> NDArray[np.float32]:
    size = len(next(iter(found.values()))) if found else 1
    result = np.full((count, size), np.nan, np.float32)
    for row, values in found.items():
        result[row] = values
    return result
