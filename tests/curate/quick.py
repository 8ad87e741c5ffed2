"""`curate build` with a detector that finds a face in the middle of everything: for tests that build many times.

Run it with: python -c "from tests.curate.quick import main; main()" build --input ...
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate import cli, pipeline, video, worker
from curate.perception.interface import Faces, Frames, NetworkInfo
from curate.worker import VideoResult, VideoTask
from tests.curate.made import encode

COMMAND = [sys.executable, "-c", "from tests.curate.quick import main; main()"]
ROOT = Path(__file__).parents[2]
SIDE = 160


class Middle:
    """A detector."""

    info = NetworkInfo("middle", "", "MIT")

    def detect(self, frames: Frames) -> list[Faces]:
        height, width = frames.shape[1:3]
        size = min(height, width) / 2
        box = [width / 2 - size / 2, height / 2 - size / 2, width / 2 + size / 2, height / 2 + size / 2]
        eyes_nose_mouth = [(-0.2, -0.15), (0.2, -0.15), (0.0, 0.05), (-0.15, 0.25), (0.15, 0.25)]
        points = [[(width / 2 + x * size, height / 2 + y * size) for x, y in eyes_nose_mouth]]
        face = Faces(np.array([box], np.float32), np.ones(1, np.float32), np.array(points, np.float32))
        return [face] * len(frames)


def process(task: VideoTask) -> VideoResult:
    """`curate.worker.process` with that detector; no network library is loaded."""
    setattr(worker, "_detector", lambda _: Middle())  # noqa: B010
    return worker.process(task)


def main() -> None:
    """The `curate` command with that detector."""
    setattr(pipeline, "process", process)  # noqa: B010 mypy: it is not exported
    cli.main()


def textured(count: int, seed: int, side: int = SIDE) -> list[NDArray[np.uint8]]:
    """Moving noise: to the curation no drawing, to x264 some work."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 256, (side + count, side, 3)).astype(np.uint8)
    return [ground[index : index + side] for index in range(count)]


def quick_videos(folder: Path, count: int) -> Path:
    """Videos of 30 to 50 frames, every third with sound, one of them in another codec."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        frames = textured(30 + 4 * (number % 6), number)
        tone = 0.2 * np.sin(np.arange(16_000 * len(frames) // 25) / 9).astype(np.float32)
        video.write_video(folder / f"v{number}.mp4", frames, 25, sound=None if number % 3 else (tone, 16_000))
    encode(folder / "other.avi", 30, codec="mpeg4", size=(SIDE, SIDE), rate=Fraction(25))
    return folder
