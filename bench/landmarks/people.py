"""Landmarks to fit on and to measure with: of drawn people, whose geometry needs no picture, and of datasets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from baselines.landmark_transformer import Examples
from curate.console import progress
from curate.errors import UserError
from curate.synth.geometry import landmarks3d
from curate.synth.motion import sample_motion
from curate.synth.parameters import Identity, Motion, sample_identity
from curate.synth.truth import Truth, available

if TYPE_CHECKING:
    from curate.dataset import Clip, Dataset
    from models.landmark_transformer import LandmarkTransformer

CLIPS, FRAMES = 3, 12  # of each drawn person; frames of a clip are spread at random over four seconds
LENGTH, FPS = 100, 25.0
EVERY = 5  # frames of a dataset's clips that are taken
LOOK = 256  # side of the frames in which an evaluator looks for landmarks
_MOTION = 61  # stream of random numbers


@dataclass(frozen=True)
class Moving:
    """A rendered person in motion: all that is known of a clip but its scene."""

    identity: Identity
    motion: Motion
    found: Tensor | None = None  # [T, 68, 2] as a network found them in the frames, the picture's side is 1

    def landmarks(self, identity: Identity | None = None) -> Tensor:
        """[T, 68, 3] mm, camera axes, of this person, or of another one who moves so."""
        return torch.from_numpy(landmarks3d(identity or self.identity, self.motion))

    def picture(self, landmarks: Tensor) -> Tensor:
        """Landmarks [T, 68, 3] as this clip's camera sees them: [T, 68, 2], the picture's side is 1."""
        return self.motion.focal * landmarks[..., :2] / landmarks[..., 2:] + 0.5

    def take(self, frames: list[int]) -> Moving:
        """Some frames."""
        return Moving(self.identity, self.motion.take(frames), None if self.found is None else self.found[frames])


def drawn(seed: int, people: int, clips: int = CLIPS, frames: int = FRAMES) -> list[Moving]:
    """Clips of the first people of a population, in motion as `curate synth` draws it."""
    result = []
    for index in range(people):
        identity = sample_identity(seed, index)
        for number in range(clips):
            rng = np.random.default_rng((seed, index, number, _MOTION))
            chosen = sorted(rng.choice(LENGTH, frames, replace=False).tolist())
            result.append(Moving(identity, sample_motion(rng, LENGTH, FPS).take(chosen)))
    return result


def of_dataset(dataset: Dataset, split: str, *, look: bool = False) -> list[Moving]:
    """The clips of one split of a dataset that has truth, every fifth frame; `look`: with the landmarks that the
    builtin evaluator finds in the frames, and without those in which it finds none."""
    truth = Truth.open(dataset.root)
    result = []
    for clip in dataset.clips:
        if clip.split == split:
            known, frames = truth.clip(clip.clip_id), list(range(0, clip.n_frames, EVERY))
            moving = Moving(known.identity, known.motion.take(frames))
            if look:
                found = (_found(dataset, clip, frames) + 0.5) / LOOK
                seen = found.isfinite().flatten(1).all(1).nonzero().flatten().tolist()
                moving = Moving(moving.identity, moving.motion, found).take(seen)
            result.append(moving)
    return result


def examples(clips: list[Moving]) -> Examples:
    """What a transformer is fitted on, of drawn people."""
    landmarks, points, people = [], [], []
    with progress() as bar:
        item = bar.add_task("landmarks", total=len(clips), note="")
        for clip in clips:
            landmarks.append(clip.landmarks())
            points.append(clip.picture(landmarks[-1]))
            people += [clip.identity.id] * len(landmarks[-1])
            bar.advance(item)
    return Examples(torch.cat(landmarks), _numbered(people), torch.cat(points))


def dataset_examples(dataset: Dataset, lifter: LandmarkTransformer, image_side: int | None) -> Examples:
    """The same of a dataset's clips without its test split, with images if a side is given.

    Rendered clips bring their landmarks. In others the builtin evaluator finds them in the image, and `lifter`, a
    transformer that is fitted already, gives them depth; frames without a face are left out. `UserError` where fewer
    than two people remain: a person is an identity of the manifest, or else a video.
    """
    truth = Truth.open(dataset.root) if available(dataset.root) else None
    clips = [clip for clip in dataset.clips if clip.split != "test"]
    landmarks, points, people, images = [], [], [], []
    with progress() as bar:
        item = bar.add_task("landmarks", total=len(clips), note="")
        for clip in clips:
            frames = list(range(0, clip.n_frames, EVERY))
            if truth is not None:
                known = truth.clip(clip.clip_id)
                landmarks.append(torch.from_numpy(known.landmarks3d[frames]))
                points.append(torch.from_numpy(known.landmarks2d[frames]))
            else:
                found = _found(dataset, clip, frames)
                frames = [frame for frame, one in zip(frames, found, strict=True) if bool(one.isfinite().all())]
                landmarks.append(lifter.lift(found[found.isfinite().flatten(1).all(1)])[0])
            people += [clip.identity_id or clip.video_id] * len(frames)
            if image_side is not None and frames:
                images.append(torch.from_numpy(dataset.frames(clip, frames, image_side)).permute(0, 3, 1, 2))
            bar.advance(item)
    if len(set(people)) < 2:
        raise UserError(
            f"{dataset.root}: a landmark transformer is fitted on two people or more, here {len(set(people))}"
        )
    seen = torch.cat(images) if images else None
    return Examples(torch.cat(landmarks), _numbered(people), torch.cat(points) if points else None, seen)


def _found(dataset: Dataset, clip: Clip, frames: list[int]) -> Tensor:
    """Landmarks [N, 68, 2] that the builtin evaluator finds; NaN where there is no face."""
    from bench.training import open_maker

    return torch.from_numpy(open_maker()("landmarks68", dataset.frames(clip, frames, LOOK)))


def _numbered(people: list[str]) -> Tensor:
    number = {name: i for i, name in enumerate(dict.fromkeys(people))}
    return torch.tensor([number[name] for name in people])
