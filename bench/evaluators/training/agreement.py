"""How far the builtin networks agree with networks made for real faces, on real clips, where no truth is known."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.evaluators.suite import Observation, Suite
from bench.evaluators.training.frames import eye_distance
from bench.evaluators.training.measure import Verification, verification
from curate import video
from curate.errors import UserError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """Two suites on frames in which both see exactly one face, the same one."""

    clips: int
    frames: int  # looked at
    both: int  # frames in which both see one face at one place
    landmarks: Array  # [n] mean distance of 68 points over the second suite's distance of the outer eye corners
    inner_landmarks: Array  # [n] the same without the jaw line, whose points lie anywhere along it
    pose: Array  # [n, 3] first minus second, degrees
    pose_correlation: Array  # [3]
    same_clip: tuple[Verification, Verification]  # of each suite: all pairs of frames
    other_clip: tuple[Verification, Verification]  # pairs of frames of different clips alone
    csim_rank_correlation: float  # Spearman's, of the cosines of all pairs of frames of different clips
    per_clip: list[dict[str, Any]]


@dataclass(frozen=True)
class RealClip:
    """A video of one person."""

    path: Path
    person: str
    frames: int


def read_list(folder: Path) -> list[RealClip]:
    """The rows of a folder's `clips.csv` (file, person, frames, faces_med) with one face."""
    path = folder / "clips.csv"
    if not path.is_file():
        raise UserError(f"{folder} has no clips.csv with the columns file, person, frames, faces_med")
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    alone = [row for row in rows if row["faces_med"] == "1"]
    return [RealClip(folder / row["file"], row["person"], int(row["frames"])) for row in alone]


def compare(first: Suite, second: Suite, clips: Sequence[RealClip], frames_per_clip: int = 12) -> Agreement:
    """Show `frames_per_clip` frames of each clip, evenly spread, to both suites, each with its own detector."""
    looked = 0
    landmarks, inner, poses, vectors, people, sources, per_clip = [], [], [], [], [], [], []
    for number, clip in enumerate(clips):
        frames = video.read_frames(clip.path, evenly(clip.frames, frames_per_clip))
        looked += len(frames)
        seen = (first.observe(frames), second.observe(frames))
        both = [i for i in range(len(frames)) if _one_face(seen, i)]
        if not both:
            continue
        points = [side.landmarks[both].astype(np.float64) for side in seen]
        apart = np.linalg.norm(points[0] - points[1], axis=2) / eye_distance(seen[1].landmarks[both])[:, None]
        pose = np.stack([side.pose[both] for side in seen]).astype(np.float64)
        landmarks.append(apart.mean(1))
        inner.append(apart[:, 17:].mean(1))
        poses.append(pose)
        vectors.append([side.identity[both].astype(np.float64) for side in seen])
        people += [clip.person] * len(both)
        sources += [number] * len(both)
        row = {"clip": clip.path.name, "frames": len(both), "landmarks": float(np.median(apart.mean(1)))}
        per_clip.append(row | {"yaw difference": float((pose[0] - pose[1])[:, 0].mean())})
    if not landmarks:
        raise UserError("no clip has a frame in which both suites see one face")
    pose = np.concatenate(poses, axis=1)
    embedded = [np.concatenate([pair[side] for pair in vectors]) for side in (0, 1)]
    who, where = np.array(people), np.array(sources)
    return Agreement(
        clips=len(per_clip),
        frames=looked,
        both=len(who),
        landmarks=np.concatenate(landmarks),
        inner_landmarks=np.concatenate(inner),
        pose=pose[0] - pose[1],
        pose_correlation=np.array([np.corrcoef(pose[0, :, k], pose[1, :, k])[0, 1] for k in range(3)]),
        same_clip=(verification(embedded[0], who), verification(embedded[1], who)),
        other_clip=(verification(embedded[0], who, where), verification(embedded[1], who, where)),
        csim_rank_correlation=_rank_correlation(embedded, where),
        per_clip=per_clip,
    )


def evenly(total: int, count: int) -> list[int]:
    """At most `count` of `total` frames, evenly spread, neither the first nor the last where there are others."""
    return sorted({int(i) for i in np.linspace(0, total - 1, count + 2)[1:-1]})


def _one_face(seen: tuple[Observation, Observation], frame: int) -> bool:
    """Whether both detectors see exactly one face, and the same one."""
    found = [side.faces[frame] for side in seen]
    if any(len(faces) != 1 for faces in found):
        return False
    a, b = (faces.boxes[0].astype(np.float64) for faces in found)
    size = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    inner = float(size.prod())
    return inner / float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inner) > 0.4


def _rank_correlation(embedded: list[Array], where: NDArray[np.int_]) -> float:
    pairs = np.triu(where[:, None] != where[None], 1)
    first, second = (np.argsort(np.argsort((vectors @ vectors.T)[pairs])) for vectors in embedded)
    return float(np.corrcoef(first, second)[0, 1])
