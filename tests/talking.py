"""Short videos of rendered people for tests that need faces: square, one face each, one with sound, one with a cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate import video
from curate.synth.motion import sample_motion
from curate.synth.parameters import sample_identity, sample_scene
from curate.synth.renderer import render_frames

FPS = 25
SOUND_RATE = 16_000
VIDEOS: dict[str, tuple[tuple[int, int], ...]] = {  # name -> the person and the motion of each shot
    "person1-a": ((1, 0),),
    "person1-b": ((1, 1),),
    "person2-a": ((2, 2),),
    "person3-a": ((3, 3),),
    "person4-a": ((4, 4),),
    "two-shots": ((4, 5), (3, 6)),
}


def make_videos(folder: Path, *, seconds: float, size: int, names: tuple[str, ...] = tuple(VIDEOS)) -> list[Path]:
    """Write videos of `size` x `size` pixels; person1-a has sound. Gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in names:
        count = round(seconds * FPS) // len(VIDEOS[name])
        frames = np.concatenate([_shot(person, motion, count, size) for person, motion in VIDEOS[name]])
        tone = 0.2 * np.sin(2 * np.pi * 220 * np.arange(round(len(frames) / FPS * SOUND_RATE)) / SOUND_RATE)
        sound = (tone.astype(np.float32), SOUND_RATE) if name == "person1-a" else None
        video.write_video(folder / f"{name}.mp4", frames, FPS, sound=sound)
        paths.append(folder / f"{name}.mp4")
    return paths


def _shot(person: int, motion: int, count: int, size: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng((7, motion))
    moved = sample_motion(rng, count, FPS, kind="calm")
    return render_frames(sample_identity(7, person), moved, sample_scene(rng), size).frames
