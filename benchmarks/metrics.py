"""What metrics cost: all of them in one pass, against tools of one metric each, and against the networks alone.

    python benchmarks/metrics.py [--pairs 2000] [--suite builtin] [--clips 200]

Frames are those of synthheads-mini at 256 pixels; the outputs that are judged are the same frames, blurred and written
to files again. Everything runs on one thread of one processor and is timed in processor seconds, which other processes
on the machine change little.

- The *tools* are how each metric is usually computed: a script that decodes both videos, looks for faces where it needs
  them, asks the same network as here frame by frame, and compares; SSIM is scikit-image's, the matrix root SciPy's.
- *Forward passes and decoding* are the least that any program with these networks pays.
- Motion: THEval's five measures, each with a pass of its own (decoding, detector, landmarks), and all from one pass.
"""

from __future__ import annotations

import argparse
import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))  # before torch

import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.linalg import sqrtm
from scipy.ndimage import convolve1d
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from bench import metrics
from bench.datasets import open_dataset
from bench.evaluators.suite import Suite, open_suite
from bench.features import Features
from bench.metrics import theval
from bench.scoring import Look, SetScore, score, score_pixels
from curate import video
from curate.console import say
from curate.synth.parameters import ACTIVE

SIDE, CHUNK = 256, 64
PIXELS = ("l1", "psnr", "ssim", "ms-ssim")
FACES = {"akd": "landmarks", "prmse": "pose", "csim": "identity", "aucon": "expression"}
WHOLE = {"lp": "perceptual", "fd": "frechet"}
MOTION = ("lip dynamics", "head motion", "eyebrow dynamics", "silent lip stability", "lip sync")
Pair = tuple[np.ndarray, np.ndarray]


def make(folder: Path, pairs: int) -> list[tuple[Path, Path]]:
    """Videos of outputs and of what they are compared with, `pairs` frames each in all."""
    data, made, left = open_dataset("synthheads-mini"), [], pairs
    for number, clip in enumerate(data.clips):
        count = min(clip.n_frames, left)
        if count < 2:
            break
        frames = video.resize(data.frames(clip, list(range(count))), SIDE)
        blurred = np.stack([cv2.GaussianBlur(frame, (5, 5), 1.0) for frame in frames])
        paths = folder / f"{number}-output.mp4", folder / f"{number}-driving.mp4"
        for path, content in zip(paths, (blurred, frames), strict=True):
            video.write_video(path, list(content), 25.0)
        made.append(paths)
        left -= count
    if left > 1:
        raise SystemExit(f"synthheads-mini has {pairs - left} frames, not {pairs}")
    return made


def decoded(files: Sequence[tuple[Path, Path]]) -> Iterator[Pair]:
    """Both sides of a few frames at a time."""
    for paths in files:
        count = video.info(paths[0]).n_frames or 0
        for start in range(0, count, CHUNK):
            chosen = list(range(start, min(start + CHUNK, count)))
            output, driving = (video.read_frames(path, chosen) for path in paths)
            yield output, driving


def in_one_pass(files: Sequence[tuple[Path, Path]], suite: Suite, memory: list[float]) -> dict[str, float]:
    """Every metric from one pass, as `bench run` computes them."""
    features = Features(suite)
    kinds = [kind for kind in {**FACES, **WHOLE}.values() if kind in suite.networks]
    kept = [kind for kind in kinds if kind not in suite.wide]
    used = [metrics.get(name) for name in PIXELS]
    used += [metrics.get(name) for name, kind in {**FACES, **WHOLE}.items() if kind in kinds]
    sets = {metric.id: SetScore(metric) for metric in used if metric.of_sets is not None}
    of_pixels = [metric for metric in used if not metric.kinds]
    sums: dict[str, list[float]] = {metric.id: [] for metric in used}
    for output, driving in decoded(files):
        looks = [Look(frames, features.of(frames, kept)) for frames in (output, driving)]
        for name, outcomes in score_pixels(of_pixels, *looks).items():
            sums[name] += [value for value, _, _ in outcomes if value is not None]
        for metric in used:
            if metric.id in sets:
                sets[metric.id].add(*looks)
            elif metric.kinds:
                values = [value for value, _, _ in score(metric, *looks, features) if value is not None]
                sums[metric.id] += values
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    found = {name: float(np.mean(values)) for name, values in sums.items() if values}
    return found | {name: one.outcome()[0][0] or 0.0 for name, one in sets.items()}


def forwards(files: Sequence[tuple[Path, Path]], suite: Suite) -> None:
    """The same frames through the same decoder and networks, and nothing else."""
    for sides in decoded(files):
        for frames in sides:
            observation = suite.observe(frames)
            for kind in {**FACES, **WHOLE}.values():
                if kind in suite.networks:
                    getattr(observation, kind)


def tool(files: Sequence[tuple[Path, Path]], suite: Suite, kind: str) -> list[Pair]:
    """What a script sees that knows one network: both sides of each chunk."""
    return [
        (getattr(suite.observe(output), kind), getattr(suite.observe(driving), kind))
        for output, driving in decoded(files)
    ]


def apart(files: Sequence[tuple[Path, Path]], suite: Suite) -> dict[str, Callable[[], float]]:
    """A tool for each metric."""

    def of_frames(function: Callable[[np.ndarray, np.ndarray], float]) -> Callable[[], float]:
        def run() -> float:
            values = [function(p, t) for pair in decoded(files) for p, t in zip(*pair, strict=True)]
            return float(np.mean(values))

        return run

    def seen(kind: str, function: Callable[[np.ndarray, np.ndarray], float]) -> Callable[[], float]:
        def run() -> float:
            rows = [row for pair in tool(files, suite, kind) for row in zip(*pair, strict=True)]
            return float(np.nanmean([function(p, t) for p, t in rows]))

        return run

    def frechet() -> float:
        sides = [np.concatenate(side) for side in zip(*tool(files, suite, "frechet"), strict=True)]
        (m1, c1), (m2, c2) = ((side.mean(0), np.cov(side, rowvar=False)) for side in sides)
        return float(((m1 - m2) ** 2).sum() + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2).real))

    def turn(p: np.ndarray, t: np.ndarray) -> float:
        return float(np.sqrt((((p - t + 180) % 360 - 180) ** 2).mean()))

    every: dict[str, Callable[[], float]] = {
        "l1": of_frames(lambda p, t: float(np.abs(p / 255 - t / 255).mean())),
        "psnr": of_frames(lambda p, t: float(peak_signal_noise_ratio(t, p))),
        "ssim": of_frames(wang),
        "ms-ssim": of_frames(multi_scale),
        "akd": seen("landmarks", lambda p, t: float(np.abs(p - t).mean())),
        "prmse": seen("pose", turn),
        "csim": seen("identity", lambda p, t: float(p @ t / np.linalg.norm(p) / np.linalg.norm(t))),
        "aucon": seen("expression", lambda p, t: float(((p > ACTIVE) == (t > ACTIVE)).mean())),
        "lp": seen("perceptual", lambda p, t: float(((p - t) ** 2).sum())),
        "fd": frechet,
    }
    needed = {**FACES, **WHOLE}
    return {name: run for name, run in every.items() if needed.get(name, "detector") in suite.networks}


def wang(p: np.ndarray, t: np.ndarray) -> float:
    """SSIM of scikit-image with the authors' settings, inner windows."""
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
    full = structural_similarity(p / 255, t / 255, data_range=1.0, channel_axis=2, **options)[1]
    return float(full[5:-5, 5:-5].mean())


def multi_scale(p: np.ndarray, t: np.ndarray) -> float:
    """MS-SSIM with SciPy's convolutions."""
    line = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    line /= line.sum()

    def smooth(x: np.ndarray) -> np.ndarray:
        return convolve1d(convolve1d(x, line, axis=0), line, axis=1)[5:-5, 5:-5]

    p, t = p / 255, t / 255
    result = np.ones(3)
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        a, b = smooth(p), smooth(t)
        va, vb, ab = smooth(p * p) - a * a, smooth(t * t) - b * b, smooth(p * t) - a * b
        value = (2 * ab + 9e-4) / (va + vb + 9e-4)
        if scale == 4:
            value = value * (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
        result *= np.maximum(value.mean(axis=(0, 1)), 0) ** weight
        p, t = (x.reshape(len(x) // 2, 2, -1, 2, 3).mean(axis=(1, 3)) for x in (p, t))
    return float(result.mean())


def motion(files: Sequence[Path], suite: Suite, wanted: Sequence[str], at_once: int = CHUNK) -> dict[str, float]:
    """Means over clips of THEval's measures, from one pass over them; volumes and silence are made up."""
    values: dict[str, list[float]] = {name: [] for name in wanted}
    for path in files:
        count = video.info(path).n_frames or 0
        parts = []
        for start in range(0, count, at_once):
            observation = suite.observe(video.read_frames(path, list(range(start, min(start + at_once, count)))))
            parts.append((observation.landmarks, observation.pose))
        points, pose = (torch.from_numpy(np.concatenate(side)) for side in zip(*parts, strict=True))
        there = points.flatten(1).isfinite().all(dim=1) & pose.isfinite().all(dim=1)
        points, pose = points[there], pose[there]
        if len(points) < 2:
            continue
        spoken = torch.arange(len(points)) % 3 > 0
        volume, opening = torch.linspace(0, 1, len(points)), theval.lip_opening(points)
        measures: dict[str, Callable[[], torch.Tensor]] = {
            "lip dynamics": lambda: theval.lip_dynamics(points),  # noqa: B023  called in this turn
            "head motion": lambda: theval.head_motion(pose, points),  # noqa: B023
            "eyebrow dynamics": lambda: theval.eyebrow_dynamics(points),  # noqa: B023
            "silent lip stability": lambda: theval.silent_lip_stability(opening, ~spoken),  # noqa: B023
            "lip sync": lambda: theval.lip_sync(opening, volume, spoken),  # noqa: B023
        }
        for name in wanted:
            values[name].append(float(measures[name]()))
    return {name: float(np.mean(found)) for name, found in values.items()}


def timed(run: Callable[[], object]) -> tuple[float, object]:
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--suite", default="builtin")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    suite = open_suite(options.suite)
    with tempfile.TemporaryDirectory() as name:
        files = make(Path(name), options.pairs)
        list(decoded(files[:1]))
        suite.observe(next(decoded(files[:1]))[0][:2]).faces  # noqa: B018  loads what loads late
        memory: list[float] = []
        whole, found = timed(lambda: in_one_pass(files, suite, memory))
        say(f"one pass: {whole:.1f} s")
        least, _ = timed(lambda: forwards(files, suite))
        say(f"forward passes and decoding: {least:.1f} s")
        seconds = {}
        for metric, run in apart(files, suite).items():
            seconds[metric], value = timed(run)
            mine = found[metric]  # type: ignore[index]  # a dict
            say(f"{metric}: {seconds[metric]:.1f} s alone; {value:.6g}, in one pass {mine:.6g}")
        clips = [driving for _, driving in files][: options.clips]
        together, _ = timed(lambda: motion(clips, suite, MOTION))
        singly = sum(timed(lambda name=name: motion(clips, suite, [name]))[0] for name in MOTION)
        same = motion(clips[:1], suite, MOTION, at_once=7) == motion(clips[:1], suite, MOTION)
    summed = sum(seconds.values())
    quarter, end = memory[max(0, len(memory) // 4 - 1)], memory[-1]
    print(f"{options.pairs} pairs of frames at {SIDE}, suite {options.suite}, one thread, processor seconds")
    print("| what | s | ms a pair |")
    print("|---|---|---|")
    for what, value in (("one pass", whole), ("tools of one metric each", summed), ("decoding and forward", least)):
        print(f"| {what} | {value:.1f} | {1000 * value / options.pairs:.1f} |")
    print(f"one pass / tools: {whole / summed:.3f} (bar 0.35)")
    print(f"one pass / decoding and forward passes: {whole / least:.3f} (bar 1.15)")
    print(f"peak memory after a quarter of the frames {quarter:.0f} MB, after all {end:.0f} MB")
    print(f"THEval's five measures of motion on {len(clips)} clips: {together:.1f} s, singly {singly:.1f} s")
    print(f"together / singly: {together / singly:.3f} (bar 0.3); the same for another batch size: {same}")


if __name__ == "__main__":
    main()
