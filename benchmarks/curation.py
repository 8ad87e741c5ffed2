"""CPU seconds of curation against the least that it could take, in one run, on one thread.

    python benchmarks/curation.py [FOLDER ...] [--detector yunet] [--raw 10]

The least is one bare decode pass of all videos and x264 (and AAC) over the kept clips. FOLDERs hold videos; `--raw N`
adds N rendered raw videos (`curate synth --raw`, shots of 8 seconds). Ratios are what to quote: seconds depend on the
machine.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import cv2
import torch

from curate import crop, video
from curate.analyse import analyse
from curate.held import Held
from curate.perception import load_detector
from curate.select import KEPT, select
from curate.settings import AnalysisSettings, SelectionSettings
from curate.shots import SHORT_SIDE, ShotDetector
from curate.sources import find_videos
from curate.synth.raw import RawRecipe, make_raw
from curate.video import ClipWriter

T = TypeVar("T")


def timed(work: Callable[..., T], *arguments: Any) -> tuple[float, T]:
    start = time.process_time()
    result = work(*arguments)
    return time.process_time() - start, result


def decode(path: Path) -> int:
    return sum(1 for _ in video.frames(path))


def shots(path: Path) -> int:
    detector = ShotDetector()
    for frame in video.frames(path):
        detector.feed(frame.rgb(SHORT_SIDE))
    return len(detector.shots())


class Encoding:
    """CPU seconds spent in `ClipWriter`, while it is open."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._methods = {name: getattr(ClipWriter, name) for name in ("write", "write_sound", "close")}

    def __enter__(self) -> Encoding:
        for name, method in self._methods.items():
            setattr(ClipWriter, name, self._timed(method))
        return self

    def __exit__(self, *_: object) -> None:
        for name, method in self._methods.items():
            setattr(ClipWriter, name, method)

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            start = time.process_time()
            try:
                return method(*arguments)
            finally:
                self.seconds += time.process_time() - start

        return run


def raw_videos(folder: Path, count: int) -> list[Path]:
    found: list[Path] = []
    for seed in range(count):
        if len(found) < count:
            make_raw(folder / str(seed), RawRecipe(seconds=8.0, seed=seed), workers=2)
            found += find_videos(folder / str(seed), folder / "out")
    return found[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="*", type=Path, help="videos")
    parser.add_argument("--detector", default="mtcnn")
    parser.add_argument("--min-res", type=int, default=128)
    parser.add_argument("--raw", type=int, default=0, help="rendered videos beside them")
    parser.add_argument("--cache", type=Path, help="where rendered videos stay")
    arguments = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":  # as in a worker; numpy reads it when it is imported
        os.environ["OMP_NUM_THREADS"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 this program again
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    detector = load_detector(arguments.detector)
    selection = SelectionSettings(min_res=arguments.min_res)
    totals = dict.fromkeys(
        ("decode", "decode + shots", "analyse: all scores", "crop and encode", "of it encoding"), 0.0
    )
    frames = clips = 0
    seconds_in = 0.0
    with TemporaryDirectory() as scratch:
        out = Path(scratch) / "out"
        paths = [path for folder in arguments.folder for path in find_videos(folder, out)]
        paths += raw_videos(arguments.cache or Path(scratch) / "videos", arguments.raw)
        for path in paths:
            seconds, held = {}, Held()
            seconds["decode"], count = timed(decode, path)
            seconds["decode + shots"], _ = timed(shots, path)
            seconds["analyse: all scores"], analysis = timed(
                analyse, path, path.stem, detector, AnalysisSettings(), None, held
            )
            kept = [plan for plan in select(analysis, selection).clips if plan.verdict == KEPT]
            plans = [(plan, out / f"{clips + i}.mp4") for i, plan in enumerate(kept)]
            with Encoding() as encoding:
                seconds["crop and encode"], _ = timed(crop.cut, path, analysis, plans, selection, None, held)
            seconds["of it encoding"] = encoding.seconds
            frames, clips = frames + count, clips + len(kept)
            seconds_in += analysis.time_of(analysis.n_frames)
            for part, value in seconds.items():
                totals[part] += value
    least = totals["decode"] + totals["of it encoding"]
    whole = totals["analyse: all scores"] + totals["crop and encode"]
    print(f"{len(paths)} videos, {frames} frames, {clips} clips, detector {arguments.detector}, one thread\n")
    print("| | CPU, s | ms a frame | of decoding once | of the least |")
    print("|---|---|---|---|---|")
    rows = [*totals.items(), ("least: decode once, encode the kept clips", least), ("all", whole)]
    for part, value in rows:
        shares = f"{value / totals['decode']:.2f} | {value / least:.2f}"
        print(f"| {part} | {value:.1f} | {1000 * value / frames:.2f} | {shares} |")
    print(f"\n{seconds_in / whole:.1f} hours of video an hour of one core")


if __name__ == "__main__":
    main()
