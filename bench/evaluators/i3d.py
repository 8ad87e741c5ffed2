"""I3D's features of windows of frames: FVD is their Fréchet distance.

Unterthiner et al. (FVD: A New Metric for Video Generation, ICLR workshops 2019); the network is that of Carreira and
Zisserman 2017, in the TorchScript file that StyleGAN-V made of it, which is called with `rescale`, `resize` and
`return_features`, as FVD's users do.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from bench.evaluators.script import open_script
from curate.perception.interface import Frames

WINDOW = 16  # frames; windows do not overlap, and a rest that fills none is left out


class I3d:
    """A `VideoEncoder`."""

    def __init__(self) -> None:
        self._network, self.info = open_script("i3d")

    def windows(self, frames: Frames) -> NDArray[np.float32]:
        """[T, 400] of uint8 RGB frames [T, H, W, 3] that follow each other."""
        rows: dict[int, NDArray[np.float32]] = {}
        with torch.inference_mode():
            for start in range(0, len(frames) - WINDOW + 1, WINDOW):
                chosen = torch.from_numpy(np.ascontiguousarray(frames[start : start + WINDOW]))
                video = chosen.permute(3, 0, 1, 2)[None].float()
                vector = self._network(video, rescale=True, resize=True, return_features=True)
                rows[start] = vector.reshape(-1).float().numpy()
        size = len(next(iter(rows.values()))) if rows else 1
        result = np.full((len(frames), size), np.nan, np.float32)
        for start, vector in rows.items():
            result[start] = vector
        return result
