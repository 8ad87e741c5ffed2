"""Do real networks take SynthHeads for people, and how fast is it drawn?

    python benchmarks/synthheads.py [--identities 100] [--write docs/synthheads.md]

Real networks: MTCNN (comes with the packages) and, where $TALKINGHEAD_WEIGHTS names a folder that has them, YuNet,
face_landmark_68, head-pose-estimation-adas-0001 and face-reidentification-retail-0095. Each person is seen in two
scenes, four frames each; yaw is uniform in +-45, pitch and roll in +-15 degrees, every unit of expression is active in
one frame of five.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import MissingPrerequisite
from curate.perception import load_detector, load_identifier, load_landmarker, load_pose
from curate.perception.interface import Faces
from curate.synth import renderer
from curate.synth.parameters import EXPRESSION, UNITS, Motion, sample_identity, sample_scene
from curate.synth.renderer import Rendered, render_frames

SEED = 4242
FRAMES = 4  # per scene
SCENES = 2
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """One figure and the bar it is held against."""

    what: str
    value: str
    bar: str
    met: bool


def motion(rng: np.random.Generator, count: int) -> Motion:
    expression = np.zeros((count, len(EXPRESSION)), np.float32)
    active = rng.random((count, len(UNITS))) < 0.2
    expression[:, : len(UNITS)] = active * rng.random((count, len(UNITS)))
    expression[:, -2:] = rng.uniform(-0.6, 0.6, (count, 2))
    angles = rng.uniform((-45, -15, -15), (45, 15, 15), (count, 3)).astype(np.float32)
    place = rng.uniform((-40, -20, 750), (40, 40, 1050), (count, 3)).astype(np.float32)
    return Motion(expression, angles, place, 2.2)


def person(index: int, size: int) -> list[tuple[Rendered, Motion]]:
    identity = sample_identity(SEED, index)
    seen = []
    for scene in range(SCENES):
        rng = np.random.default_rng((SEED, index, scene))
        moved = motion(rng, FRAMES)
        seen.append((render_frames(identity, moved, sample_scene(rng), size), moved))
    return seen


@dataclass(frozen=True)
class Population:
    frames: NDArray[np.uint8]
    angles: Floats
    landmarks: Floats
    boxes: Floats
    people: NDArray[np.int64]


def population(identities: int, size: int) -> Population:
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(person, range(identities), [size] * identities))
    views = [view for part in parts for view in part]
    return Population(
        np.concatenate([r.frames for r, _ in views]),
        np.concatenate([m.angles for _, m in views]),
        np.concatenate([r.landmarks for r, _ in views]),
        np.concatenate([r.box for r, _ in views]),
        np.repeat(np.arange(identities), FRAMES * SCENES),
    )


def overlap(a: Floats, b: Floats) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = float(np.clip(high - low, 0, None).prod())
    return shared / float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared)


def detection(name: str, seen: Population, size: int) -> tuple[Row, list[Faces]]:
    faces = load_detector(name).detect(seen.frames)
    right = [len(f) == 1 and overlap(f.boxes[0], box) >= 0.5 for f, box in zip(faces, seen.boxes, strict=True)]
    share = float(np.mean(right))
    none, more = np.mean([len(f) == 0 for f in faces]), np.mean([len(f) > 1 for f in faces])
    what = f"{name} at {size} px: exactly one face, IoU with the truth >= 0.5 (n = {len(right)})"
    value = f"{100 * share:.2f}% (none {100 * none:.2f}%, more than one {100 * more:.2f}%)"
    return Row(what, value, ">= 99%", share >= 0.99), faces


def networks(seen: Population, faces: list[Faces]) -> list[Row]:
    yaw = seen.angles[:, 0]
    level = np.abs(yaw) <= 30
    truth = seen.landmarks
    found = load_landmarker("face-landmark-68").landmarks(seen.frames, faces)
    between = np.linalg.norm(truth[:, 45] - truth[:, 36], axis=1)
    error = np.linalg.norm(found - truth, axis=2) / between[:, None]
    median = float(np.nanmedian(error[level]))
    rows = [
        Row(
            "face_landmark_68: median error / inter-ocular, yaw within 30 deg",
            f"{100 * median:.2f}%",
            "<= 8%",
            median <= 0.08,
        )
    ]
    pose = load_pose("head-pose-estimation-adas-0001").pose(seen.frames, faces)[:, 0]
    at = np.isfinite(pose)
    r, mean = float(np.corrcoef(pose[at], yaw[at])[0, 1]), float(np.abs(pose - yaw)[at].mean())
    rows.append(Row("head-pose-adas: correlation with the true yaw", f"{r:.3f}", ">= 0.95", r >= 0.95))
    rows.append(Row("head-pose-adas: mean error of yaw", f"{mean:.2f} deg", "<= 8 deg", mean <= 8))
    vectors = load_identifier("face-reidentification-retail-0095").embed(seen.frames, faces)
    for limit in (30, 45):
        chosen = np.isfinite(vectors[:, 0]) & (np.abs(yaw) <= limit)
        cosine, who = vectors[chosen] @ vectors[chosen].T, seen.people[chosen]
        upper = np.triu(np.ones_like(cosine, bool), 1)
        same = cosine[upper & (who[:, None] == who)]
        other = cosine[upper & (who[:, None] != who)]
        low, high = float(np.percentile(same, 5)), float(np.percentile(other, 90))
        value = f"{low:.3f} / {high:.3f} (medians {np.median(same):.3f} / {np.median(other):.3f})"
        rows.append(
            Row(
                f"face-reidentification-0095: same p5 / different p90, yaw within {limit} deg",
                value,
                "p5 > p90",
                low > high,
            )
        )
    return rows


def _draw(task: tuple[int, int, int]) -> float:
    index, size, count = task
    rng = np.random.default_rng(index)
    identity, scene, moved = sample_identity(SEED, index), sample_scene(rng), motion(rng, count)
    render_frames(identity, moved.take([0]), scene, size)
    start = time.perf_counter()
    render_frames(identity, moved, scene, size)
    return time.perf_counter() - start


def speed(cores: int) -> list[Row]:
    rows = []
    for size, count, least in ((256, 120, 60), (512, 60, 15)):
        with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
            list(pool.map(_draw, [(k, 64, 2) for k in range(cores)]))
            seconds = list(pool.map(_draw, [(k, size, count) for k in range(cores)]))
        rate = sum(count / s for s in seconds)
        rows.append(
            Row(
                f"drawn at {size} px with shadows, {cores} processes",
                f"{rate:.0f} frames/s",
                f">= {least}",
                rate >= least,
            )
        )
    return rows


def torch_ratio() -> Row:
    """What the torch rasteriser takes on one CPU thread, in times of the compiled one."""
    torch.set_num_threads(1)
    identity, scene = sample_identity(SEED, 0), sample_scene(np.random.default_rng(0))
    moved = motion(np.random.default_rng(1), 4)
    seconds = []
    compiled = renderer._draw
    for draw in (compiled, renderer._draw_on("cpu")):
        renderer._draw = draw
        render_frames(identity, moved.take([0]), scene, 256)
        start = time.perf_counter()
        render_frames(identity, moved, scene, 256)
        seconds.append(time.perf_counter() - start)
    renderer._draw = compiled
    return Row(
        "torch rasteriser on one CPU thread / compiled one, 256 px", f"{seconds[1] / seconds[0]:.1f}", "none", True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=100)
    parser.add_argument("--write", type=Path, help="a Markdown file for the table")
    arguments = parser.parse_args()
    rows = [*speed(min(2, os.cpu_count() or 1)), torch_ratio()]
    for size in (256, 512):
        seen = population(arguments.identities, size)
        rows.append(detection("mtcnn", seen, size)[0])
        try:
            row, faces = detection("yunet", seen, size)
            rows.append(row)
            if size == 256:
                rows += networks(seen, faces)
        except MissingPrerequisite as error:
            print(f"left out: {error}")
    table = ["| what | measured | bar | |", "|---|---|---|---|"]
    table += [
        f"| {row.what} | {row.value} | {row.bar} | {'' if row.bar == 'none' else 'met' if row.met else 'MISSED'} |"
        for row in rows
    ]
    text = "\n".join(table)
    print(text)
    if arguments.write:
        command = f"python benchmarks/synthheads.py --identities {arguments.identities} --write docs/synthheads.md"
        size = f"{arguments.identities} people of seed {SEED}, {SCENES} scenes x {FRAMES} frames each"
        head = f"# SynthHeads and real networks\n\nWritten by `{command}`: {size}.\n\n"
        arguments.write.write_text(head + text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
