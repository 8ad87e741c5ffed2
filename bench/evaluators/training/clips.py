"""Frames of SynthHeads clips with their truth: what the evaluators meet in use, mostly frontal and mostly at rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.evaluators.training.frames import MASK_SIDE, FrameSet, Recipe
from curate.dataset import Dataset
from curate.synth.parameters import UNITS
from curate.synth.truth import Truth


def clip_frames(root: Path, every: int) -> FrameSet:
    """Every `every`-th frame of a SynthHeads dataset of 256-pixel clips; it has no masks (they are empty)."""
    dataset, truth = Dataset.open(root), Truth.open(root)
    people = sorted({clip.person for clip in dataset.clips})
    parts: dict[str, list[NDArray[Any]]] = {}
    for clip in dataset.clips:
        known = truth.clip(clip.clip_id)
        seen = np.arange(0, clip.n_frames, every)
        count = len(seen)
        found: dict[str, NDArray[Any]] = {
            "frames": dataset.frames(clip, seen.tolist()),
            "mask": np.zeros((count, MASK_SIDE, MASK_SIDE), np.uint8),
            "landmarks": known.landmarks2d[seen],
            "box": known.face_box[seen],
            "rotation": known.rotation[seen],
            "camera": np.broadcast_to(known.camera, (count, 3, 3)),
            "expression": known.motion.expression[seen, : len(UNITS)],
            "identity": np.full(count, people.index(clip.person), np.int32),
            "coefficients": np.broadcast_to(known.identity.coefficients, (count, len(known.identity.coefficients))),
        }
        for name, values in found.items():
            parts.setdefault(name, []).append(values)
    recipe = Recipe(population=0, identities=len(people), cameras=1, shots=len(parts["identity"]))
    return FrameSet(recipe, **{name: np.concatenate(values) for name, values in parts.items()})
