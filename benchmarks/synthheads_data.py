"""What SynthHeads data costs, and what curation makes of raw videos about which all is known.

python benchmarks/synthheads_data.py mini
    seconds to make synthheads-mini from nothing, and its size
python benchmarks/synthheads_data.py curation [--seeds N] [--detector mtcnn]
    `curate.build` over raw videos, compared with their truth
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import curate
from curate import AnalysisSettings, SelectionSettings, Settings
from curate.analyse import Analysis
from curate.framing import iou
from curate.synth import named
from curate.synth.dataset import estimate
from curate.synth.raw import RAW_TRUTH, RawRecipe, make_raw
from curate.tracks import Track


def mini(workers: int) -> None:
    with TemporaryDirectory() as folder:
        os.environ[named.VARIABLE] = folder
        before, start = os.times(), time.perf_counter()
        root = named.resolve("synthheads-mini", workers=workers)
        seconds, after = time.perf_counter() - start, os.times()
        start = time.perf_counter()
        named.resolve("synthheads-mini")
        again = time.perf_counter() - start
        size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) / 1e6
    cost = estimate(named.recipe("synthheads-mini"), workers)
    cpu = sum(b - a for a, b in zip(before[:4], after[:4], strict=True))
    print(f"{cost.clips} clips, {cost.frames} frames, {workers} workers")
    print(f"made in {seconds:.1f} s ({cpu:.0f} s of CPU; estimate {cost.seconds:.0f} s)")
    print(f"{size:.1f} MB (estimate {cost.megabytes:.1f} MB), found again in {1000 * again:.1f} ms")


def curation(seeds: int, detector: str, workers: int) -> None:
    counts: Counter[str] = Counter()
    overlaps: list[float] = []
    seconds = [0.0, 0.0]
    for seed in range(seeds):
        with TemporaryDirectory() as temporary:
            raw, out = Path(temporary) / "raw", Path(temporary) / "out"
            start = time.perf_counter()
            make_raw(raw, RawRecipe(seed=seed), workers=workers)
            seconds[0] += time.perf_counter() - start
            settings = Settings(analysis=AnalysisSettings(detector=detector), selection=SelectionSettings(min_res=160))
            start = time.perf_counter()
            curate.build(raw, out, settings, workers=workers)
            seconds[1] += time.perf_counter() - start
            known = json.loads((raw / RAW_TRUTH).read_text())["videos"]
            for name, about in known.items():
                (path,) = (out / "analysis").glob(f"{name}-*.json")
                compare(about, Analysis.from_json(json.loads(path.read_text())), counts, overlaps)
    print(
        f"{seeds} sets of 7 raw videos: rendered in {seconds[0]:.0f} s, curated with {detector} in {seconds[1]:.0f} s"
    )
    print(f"cuts: {counts['cuts found']} of {counts['cuts']} found, {counts['cuts that are none']} others")
    print(
        f"people in a shot: {counts['tracks found']} of {counts['tracks']} tracked (IoU over 0.5), of them in the dark "
        f"{counts['dark found']} of {counts['dark']}; {counts['tracks of nobody']} tracks of nobody"
    )
    print(f"IoU of boxes with the truth: mean {np.mean(overlaps):.3f}, 5 % below {np.quantile(overlaps, 0.05):.3f}")


def compare(about: dict[str, Any], found: Analysis, counts: Counter[str], overlaps: list[float]) -> None:
    cuts = {shot["start"] for shot in about["shots"]}
    seen = {shot.start for shot in found.shots}
    counts["cuts"] += len(cuts) - 1
    counts["cuts found"] += len(cuts & seen) - 1
    counts["cuts that are none"] += len(seen - cuts)
    left = list(found.tracks)
    for shot in about["shots"]:
        for known in shot["tracks"]:
            dark = shot["kind"] == "dark"
            counts["tracks"] += 1
            counts["dark"] += dark
            inside = [track for track in left if shot["start"] <= track.start and track.end <= shot["end"]]
            best = max(inside, key=lambda track: float(np.mean(overlap(track, known))), default=None)
            if best is not None and np.mean(overlap(best, known)) > 0.5:
                overlaps.extend(overlap(best, known))
                counts["tracks found"] += 1
                counts["dark found"] += dark
                left.remove(best)
    counts["tracks of nobody"] += len(left)


def overlap(track: Track, known: dict[str, Any]) -> list[float]:
    boxes = [tuple(known["boxes"][frame - known["start"]]) for frame in track.frames]
    return [iou(box, truth) for box, truth in zip(track.boxes, boxes, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["mini", "curation"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--detector", default="mtcnn")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    if arguments.what == "mini":
        mini(arguments.workers)
    else:
        curation(arguments.seeds, arguments.detector, arguments.workers)


if __name__ == "__main__":
    main()
