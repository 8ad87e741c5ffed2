"""What is heard while a frame is shown: how loud it is, and whether somebody speaks.

THEval (CVPR 2026) tells speech by a network (Silero); here it is told by loudness alone: a clip is silent where its
level stays 35 dB or more below its loud parts for 300 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from curate import video

if TYPE_CHECKING:
    from curate.dataset import Clip

VOLUME_S = 0.05  # of sound about a frame, whose root mean square is its volume
STEP_S = 0.01
BELOW_DB = 35.0  # than the level that a twentieth of the clip exceeds
FLOOR_DB = -60.0  # of full scale: what is lower is silent, whatever the rest
SILENCE_S = 0.3

Floats = NDArray[np.float32]


def heard(clip: Clip, indices: Sequence[int]) -> Floats | None:
    """[T, 2] for frames of a clip: volume in [0, 1], and 1 where somebody speaks, 0 in silence; None without sound."""
    samples = video.sound(clip.path)
    if samples is None:
        return None
    times = np.asarray(indices) / clip.fps
    silent = silence(samples)
    steps = np.clip((times / STEP_S).astype(int), 0, len(silent) - 1)
    return np.stack([volumes(samples, times), 1.0 - silent[steps]], axis=1).astype(np.float32)


def volumes(samples: Floats, times: NDArray[np.floating]) -> NDArray[np.float64]:
    """Root mean square of 50 ms about each time in seconds [T]; 0 where there is no sound any more."""
    half = round(VOLUME_S * video.AUDIO_RATE / 2)
    power = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    middle = np.round(times * video.AUDIO_RATE).astype(int)
    low, high = (np.clip(middle + side, 0, len(samples)) for side in (-half, half))
    return np.asarray(np.sqrt((power[high] - power[low]) / np.maximum(high - low, 1)))


def silence(samples: Floats) -> NDArray[np.bool_]:
    """Of each 10 ms: is it part of at least 300 ms without speech?"""
    count = max(1, int(len(samples) / video.AUDIO_RATE / STEP_S))
    level = 20 * np.log10(np.maximum(volumes(samples, (np.arange(count) + 0.5) * STEP_S), 1e-9))
    quiet = level < max(FLOOR_DB, float(np.percentile(level, 95)) - BELOW_DB)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(int), [0]])))
    for begin, end in edges.reshape(-1, 2):
        if (end - begin) * STEP_S < SILENCE_S - 1e-9:
            quiet[begin:end] = False
    return quiet
