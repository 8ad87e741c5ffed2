"""CPU seconds of curation against one bare decode pass of the same videos, in one run, on one thread.

    python benchmarks/curation.py [FOLDER] [--detector mtcnn]

Without a folder it renders raw videos (`curate synth --raw`). Ratios are what to quote: seconds depend on the machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import cv2
import torch

from curate import crop, video
from curate.analyse import analyse
from curate.perception import load_detector
from curate.select import KEPT, select
from curate.settings import AnalysisSettings, SelectionSettings
from curate.shots import SHORT_SIDE, ShotDetector
from curate.sources import find_videos
from curate.synth.raw import RawRecipe, make_raw

T = TypeVar("T")


def timed(work: Callable[..., T], *arguments: Any) -> tuple[float, T]:
    start = time.process_time()
    result = work(*arguments)
    return time.process_time() - start, result


def decode(path: Path) -> int:
    return sum(1 for _ in video.frames(path))


def shots(path: Path) -> int:
    detector = ShotDetector(video.info(path).fps)
    for frame in video.frames(path):
        detector.feed(frame.rgb(SHORT_SIDE))
    return len(detector.shots())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="videos; default: rendered ones")
    parser.add_argument("--detector", default="mtcnn")
    parser.add_argument("--min-res", type=int, default=128)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    detector = load_detector(arguments.detector)
    selection = SelectionSettings(min_res=arguments.min_res)
    totals = dict.fromkeys(("decode", "decode + shots", "analyse: + faces, tracks", "crop and encode"), 0.0)
    frames = clips = 0
    with TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch) / "videos"
        if arguments.folder is None:
            make_raw(folder, RawRecipe())
        for path in find_videos(folder, Path(scratch) / "out"):
            seconds = {}
            seconds["decode"], count = timed(decode, path)
            seconds["decode + shots"], _ = timed(shots, path)
            seconds["analyse: + faces, tracks"], analysis = timed(
                analyse, path, path.stem, detector, AnalysisSettings()
            )
            kept = [plan for plan in select(analysis, selection).clips if plan.verdict == KEPT]
            plans = [(plan, Path(scratch) / "out" / f"{clips + i}.mp4") for i, plan in enumerate(kept)]
            seconds["crop and encode"], _ = timed(crop.cut, path, analysis, plans, selection)
            frames, clips = frames + count, clips + len(kept)
            for part, value in seconds.items():
                totals[part] += value
    print(f"{frames} frames, {clips} clips, detector {arguments.detector}, one thread, CPU seconds")
    for part, value in totals.items():
        print(
            f"{part:26} {value:8.2f} s {1000 * value / frames:7.2f} ms/frame {value / totals['decode']:7.2f} x decode"
        )
    whole = totals["analyse: + faces, tracks"] + totals["crop and encode"]
    print(f"{'all':26} {whole:8.2f} s {1000 * whole / frames:7.2f} ms/frame {whole / totals['decode']:7.2f} x decode")


if __name__ == "__main__":
    main()
