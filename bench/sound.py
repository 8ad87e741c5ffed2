"""What is heard while a frame is shown: how loud it is, and whether somebody speaks.

THEval (CVPR 2026) tells speech by a network (Silero); here it is told by loudness alone: a clip is silent where its
level stays 35 dB or more below its loud parts for 300 ms.

SyncNet (Chung, Zisserman, ACCV Workshops 2016) hears mel cepstra, as its public code computes them with the package
python_speech_features at that package's usual settings: of 16-bit samples at 16 kHz, every 10 ms.
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
NO_SOUND = "the driving clip has no sound"

SPEECH_RATE = 16_000
FRAME, STEP = 400, 160  # samples of a spectrum, and from one to the next
PREEMPHASIS = 0.97
BINS, FILTERS, COEFFICIENTS = 512, 26, 13
LIFTER = 22
FPS = 25.0  # of what SyncNet looks at
STEPS = 20  # cepstra that it hears at once: 0.2 s
LEAST = 36  # frames: so many that one of their windows can be shifted by 15 frames either way

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


def spoken(clip: Clip, indices: Sequence[int]) -> Floats | str:
    """[T, 13, 20] cepstra of the 0.2 s from a clip's frames on; or, in words, why SyncNet cannot listen to them.

    NaN at frames that are not on the beat, and where the sound ends before.
    """
    if clip.fps < FPS - 0.01:
        return f"SyncNet looks at {FPS:g} frames a second, and the driving clip has {clip.fps:g}"
    on = beat(len(indices), clip.fps)
    if len(on) < LEAST or (np.diff(indices) != 1).any():
        return f"SyncNet needs {LEAST / FPS:.2f} s of frames that follow each other, and the protocol compares others"
    samples = video.sound(clip.path)
    if samples is None:
        return NO_SOUND
    found = cepstra(_at_speech_rate(samples))
    result = np.full((len(indices), COEFFICIENTS, STEPS), np.nan, np.float32)
    for row in on:
        start = round(indices[row] / clip.fps * SPEECH_RATE / STEP)
        if start + STEPS <= len(found):
            result[row] = found[start : start + STEPS].T
    return result


def beat(count: int, fps: float) -> NDArray[np.intp]:
    """Which of `count` frames are on the beat: the nearest to every 1/25 s from the first on.

    So FFmpeg takes them where SyncNet's public code brings a video to 25 frames a second.
    """
    every: NDArray[np.intp] = np.rint(np.arange(int(count / fps * FPS) + 1) * fps / FPS).astype(np.intp)
    return np.asarray(every[every < count])


def _at_speech_rate(samples: Floats) -> Floats:
    """Sound at `AUDIO_RATE` brought to 16 kHz."""
    from scipy.signal import resample_poly

    return np.asarray(resample_poly(samples, 1, video.AUDIO_RATE // SPEECH_RATE), np.float32)


def cepstra(samples: Floats) -> NDArray[np.float64]:
    """Sound at 16 kHz in [-1, 1] [S] -> [N, 13], every 10 ms: the logarithm of the power, and 12 mel cepstra.

    Samples as integers of 16 bits, less 0.97 times the one before; 25 ms without a window; 26 triangles between 0 and
    8000 Hz, their corners at whole bins; cosine transform of type II, orthonormal; liftered by 22. The last spectrum is
    filled up with zeros.
    """
    if not len(samples):
        return np.zeros((0, COEFFICIENTS))
    scaled = np.clip(np.rint(np.asarray(samples, np.float64) * 32768), -32768, 32767)
    emphasised = np.concatenate([scaled[:1], scaled[1:] - PREEMPHASIS * scaled[:-1]])
    count = 1 + max(0, -(-(len(emphasised) - FRAME) // STEP))
    padded = np.zeros((count - 1) * STEP + FRAME)
    padded[: len(emphasised)] = emphasised[: len(padded)]
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::STEP]
    power = np.square(np.abs(np.fft.rfft(frames, BINS))) / BINS
    least = np.finfo(float).eps  # in place of no power at all, which has no logarithm
    energy, mel = power.sum(axis=1), power @ _triangles().T
    energy, mel = np.where(energy == 0, least, energy), np.where(mel == 0, least, mel)
    n, k = np.arange(FILTERS), np.arange(COEFFICIENTS)[:, None]
    cosines = np.cos(np.pi * k * (2 * n + 1) / (2 * FILTERS)) * np.sqrt(2 / FILTERS)
    lifter = 1 + LIFTER / 2 * np.sin(np.pi * np.arange(COEFFICIENTS) / LIFTER)
    found = np.log(mel) @ cosines.T * lifter
    found[:, 0] = np.log(energy)
    return np.asarray(found)


def _triangles() -> NDArray[np.float64]:
    """[26, 257] weights of the spectrum's bins in each mel filter."""
    top = 2595 * np.log10(1 + SPEECH_RATE / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, top, FILTERS + 2) / 2595) - 1)
    low, middle, high = (np.floor((BINS + 1) * corners / SPEECH_RATE)[i : i + FILTERS, None] for i in range(3))
    bins = np.arange(BINS // 2 + 1)
    up, down = (bins - low) / np.maximum(middle - low, 1), (high - bins) / np.maximum(high - middle, 1)
    return np.where((bins >= low) & (bins < middle), up, np.where((bins >= middle) & (bins < high), down, 0.0))
