"""What each network is asked for: its training module, its examples and its loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.evaluators.training import examples
from bench.evaluators.training.examples import LEVELS, SEEN, Example
from bench.evaluators.training.frames import FrameSet
from curate.synth.parameters import ACTIVE, IDENTITY, UNITS
from models.evaluators import EMBEDDING, FRECHET, MAPS, FaceNet, FeatureNet, HeadNet, IdentityNet, conv

Batch = dict[str, Tensor]
Losses = dict[str, Tensor]


class HeadTraining(nn.Module):
    """`HeadNet` against the true landmarks and masks."""

    def __init__(self, identities: int) -> None:
        super().__init__()
        self.network = HeadNet()

    def forward(self, batch: Batch) -> Losses:
        """Losses by name; their sum is minimised."""
        seen, truth = self.network(batch["image"]), batch["mask"]
        inside = seen.mask.sigmoid()
        overlap = 2 * (inside * truth).sum((1, 2)) / (inside.square() + truth.square()).sum((1, 2)).add(1)
        return {
            "landmarks": 2 * _apart(seen.landmarks, batch),
            "mask": F.binary_cross_entropy_with_logits(seen.mask, truth) + 0.5 * (1 - overlap).mean(),
        }


class FaceTraining(nn.Module):
    """`FaceNet` against the true landmarks, rotations and expressions."""

    def __init__(self, identities: int) -> None:
        super().__init__()
        self.network = FaceNet()

    def forward(self, batch: Batch) -> Losses:
        """Losses by name; their sum is minimised."""
        seen = self.network(batch["image"])
        return {
            "landmarks": 2 * _apart(seen.landmarks, batch),
            "pose": (seen.rotation - batch["rotation"]).square().sum((1, 2)).add(1e-8).sqrt().mean(),
            "expression": 2 * _expression(seen.expression, batch["expression"]),
        }


def _apart(landmarks: Tensor, batch: Batch) -> Tensor:
    """Mean distance over that of the outer eye corners, which is what is measured; in profile they almost coincide."""
    apart = (landmarks - batch["landmarks"]).square().sum(2).add(1e-8).sqrt()
    return (apart / batch["eyes"].clamp(min=0.1)).mean()


def _expression(seen: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of activations, and of the decision whether they are above `ACTIVE`.

    Not the distance of activations: most are 0, and a network that says 0 of all is in a minimum of it.
    """
    odds = torch.logit(seen, eps=1e-6)
    decided = 2.5 * (odds - math.log(ACTIVE / (1 - ACTIVE)))
    return F.binary_cross_entropy_with_logits(odds, truth) + 0.5 * F.binary_cross_entropy_with_logits(
        decided, (truth > ACTIVE).to(truth.dtype)
    )


class IdentityTraining(nn.Module):
    """`IdentityNet` by a cosine margin between the people seen in training, and by the coefficients that made them.

    The margin is CosFace's (Wang et al. 2018). The coefficients let the network learn what makes people differ from few
    of them: it is the embedding's task to hold them all.
    """

    SCALE, MARGIN = 20.0, 0.2
    EASY = 40_000  # examples over which the margin grows from 0: with all of it at once nothing is learnt

    def __init__(self, identities: int) -> None:
        super().__init__()
        self.network = IdentityNet()
        self.people = nn.Parameter(F.normalize(torch.randn(identities, EMBEDDING), dim=1))
        self.coefficients = nn.Linear(EMBEDDING, len(SEEN))
        self.shown = 0

    def forward(self, batch: Batch) -> Losses:
        """Losses by name; their sum is minimised."""
        self.shown += len(batch["image"])
        vectors = self.network(batch["image"])
        cosine = vectors @ F.normalize(self.people, dim=1).T
        margin = self.MARGIN * min(self.shown / self.EASY, 1) * F.one_hot(batch["identity"], cosine.shape[1])
        told = self.coefficients(vectors * EMBEDDING**0.5)
        return {
            "identity": F.cross_entropy(self.SCALE * (cosine - margin), batch["identity"]) / 4,
            "coefficients": 2 * F.smooth_l1_loss(told, batch["coefficients"], beta=1.0),
        }


class FeatureTraining(nn.Module):
    """`FeatureNet` by what its maps can restore and what its vector can tell of a disturbed frame."""

    def __init__(self, identities: int) -> None:
        super().__init__()
        self.network = FeatureNet()
        fine, middle, coarse = MAPS
        self.from_coarse = conv(coarse, 32)
        self.from_middle = conv(32 + middle, 32)
        self.from_fine = nn.Sequential(conv(32 + fine, 24), nn.Conv2d(24, 3, 1))
        self.levels = nn.Linear(sum(MAPS), len(LEVELS))
        self.told = nn.Linear(FRECHET, len(LEVELS) + len(UNITS) + 9 + len(IDENTITY))

    def forward(self, batch: Batch) -> Losses:
        """Losses by name; their sum is minimised."""
        maps, vector = self.network(batch["image"])
        fine, middle, coarse = (F.normalize(m, dim=1) * m.shape[1] ** 0.5 for m in maps)
        x = F.interpolate(self.from_coarse(coarse), scale_factor=2.0)
        x = F.interpolate(self.from_middle(torch.cat((x, middle), 1)), scale_factor=2.0)
        restored = self.from_fine(torch.cat((x, fine), 1))
        level = self.levels(torch.cat([m.mean((2, 3)) for m in (fine, middle, coarse)], 1))
        told = self.told(vector).split((len(LEVELS), len(UNITS), 9, len(IDENTITY)), 1)
        return {
            "restored": 4 * (restored - batch["clean"]).abs().mean(),
            "levels": F.smooth_l1_loss(level, batch["levels"], beta=0.1),
            "told levels": F.smooth_l1_loss(told[0], batch["levels"], beta=0.1),
            "expression": F.smooth_l1_loss(told[1], batch["expression"], beta=0.1),
            "pose": F.smooth_l1_loss(told[2], batch["rotation"].flatten(1), beta=0.1),
            "coefficients": 0.5 * F.smooth_l1_loss(told[3], batch["coefficients"], beta=1.0),
        }


@dataclass(frozen=True)
class Objective:
    """How one network is trained."""

    name: str
    module: Callable[[int], nn.Module]  # of the number of identities; its part `network` is what is kept
    example: Callable[[FrameSet, int, np.random.Generator], Example]
    steps: int
    batch: int
    rate: float
    decay: float
    starts_from: str | None = None  # a network that must have been trained before


OBJECTIVES = {
    "head": Objective("head", HeadTraining, examples.head_example, 9000, 16, 2.5e-3, 0.02),
    "face": Objective("face", FaceTraining, examples.face_example, 22000, 16, 2.5e-3, 0.02),
    "identity": Objective("identity", IdentityTraining, examples.identity_example, 3000, 32, 2e-3, 0.05, "face"),
    "features": Objective("features", FeatureTraining, examples.frame_example, 2000, 16, 2.5e-3, 0.02),
}
