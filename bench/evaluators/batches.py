"""Frames through a torch network a few at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curate.perception.interface import Frames

AT_ONCE = 8  # images: more are no faster on a CPU, and take more memory


def in_batches(network: Callable[[Tensor], Tensor], frames: Frames, at_once: int = AT_ONCE) -> NDArray[np.float32]:
    """The network's vectors [T, D] for uint8 RGB frames [T, H, W, 3], T at least 1, given as float in [0, 1]."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(frames), at_once):
            chosen = np.ascontiguousarray(frames[start : start + at_once])
            images = torch.from_numpy(chosen).permute(0, 3, 1, 2).float().div_(255)
            parts.append(network(images).float().numpy())
    return np.concatenate(parts)
