"""Fitting a landmark transformer (the networks are in `models.landmark_transformer`) on landmarks of people who speak.

First the mean face and the bases, by orthogonal Procrustes and principal components; then the network that predicts the
coefficients of an expression. What it is to predict comes from the training videos, where l_id of a person is the mean
of l - l_m over all frames, and l_exp is the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.landmark_transformer import GROUPS, RIGID, LandmarkTransformer

ROUNDS = 6  # of Procrustes alignment to the mean and of a new mean
BATCH = 512
LEARNING_RATE = 1e-3
SEEN_NOISE = 0.016  # standard deviation of lifted examples' points, as a share of the outer eye corners' distance


@dataclass(frozen=True)
class Examples:
    """N frames of people in motion."""

    landmarks: Tensor  # [N, 68, 3], camera axes, any unit
    people: Tensor  # [N] whose frame it is
    points: Tensor | None = None  # [N, 68, 2] the same where a camera saw them; any unit
    images: Tensor | None = None  # uint8 [N, 3, S, S], for a predictor that sees them

    def __post_init__(self) -> None:
        if len(self.landmarks) < 2 or int(self.people.min()) == int(self.people.max()):
            raise ValueError("a landmark transformer is fitted on at least two people")


Progress = Callable[[int, int, float], None]
"""Called as progress(step, steps, loss): the share of the expressions' variance that is not predicted."""


def fit(
    transformer: LandmarkTransformer,
    examples: Examples,
    *,
    steps: int = 4000,
    seed: int = 0,
    progress: Progress | None = None,
) -> None:
    """Fit bases, then train the predictor, in place, on the device where everything is. ValueError for fewer than two
    people."""
    generator = torch.Generator().manual_seed(seed)
    wanted = fit_bases(transformer, examples.landmarks, examples.people)
    train(transformer, examples, wanted, steps=steps, generator=generator, progress=progress)


@torch.no_grad()
def fit_bases(transformer: LandmarkTransformer, landmarks: Tensor, people: Tensor) -> Tensor:
    """Set mean and bases; gives the coefficients of every frame's expression [N, n]."""
    transformer.mean.copy_(upright(landmarks[0]))
    _, person = torch.unique(people, return_inverse=True)
    for _ in range(ROUNDS):
        normal, _ = transformer.normalise(landmarks)
        transformer.mean.copy_(upright(by_person(normal, person).mean(0)))
    normal, _ = transformer.normalise(landmarks)

    deviation = normal - transformer.mean
    expressions = deviation - by_person(deviation, person)[person]
    start = 0
    for points, count in zip(GROUPS.values(), transformer.config.basis, strict=True):
        vectors, _ = principal(expressions[:, points].flatten(1), count)
        transformer.basis[start : start + count] = 0
        transformer.basis[start : start + count, points] = vectors.view(count, len(points), 3)
        start += count
    vectors, spread = principal(deviation.flatten(1), transformer.config.shape_basis)
    transformer.shape_basis.copy_(vectors.view_as(transformer.shape_basis))
    transformer.shape_spread.copy_(spread.clamp(min=1e-4 * float(spread[0])))
    alpha = torch.einsum("npd,kpd->nk", expressions, transformer.basis)
    transformer.alpha_spread.copy_(alpha.std(0).clamp(min=1e-6))
    return alpha


def upright(landmarks: Tensor) -> Tensor:
    """A face [68, 3] with its fixed points about 0 at a radius of 1, facing the camera: the outer eye corners level,
    the chin below the bridge of the nose."""
    fixed = landmarks[list(RIGID)]
    centred = landmarks - fixed.mean(0)
    right = centred[45] - centred[36]
    right = right / right.norm()
    down = centred[8] - centred[27]
    down = down - (down @ right) * right
    down = down / down.norm()
    turned = centred @ torch.stack([right, down, torch.linalg.cross(right, down)]).T
    radius = float(turned[list(RIGID)].square().sum(-1).mean().sqrt())
    return turned / radius


def by_person(values: Tensor, person: Tensor) -> Tensor:
    """Means [P, ...] of values [N, ...] over each person's rows."""
    people = int(person.max()) + 1
    total = values.new_zeros(people, *values.shape[1:]).index_add_(0, person, values)
    count = torch.bincount(person, minlength=people).to(values.dtype)
    return total / count.view(-1, *[1] * (values.dim() - 1))


def principal(rows: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The first principal directions [count, D] of rows [N, D] (about 0), orthonormal, and the spread along them."""
    if count > rows.shape[1]:
        raise ValueError(f"{count} directions of {rows.shape[1]} dimensions")
    variance, directions = torch.linalg.eigh(rows.double().mT @ rows.double() / len(rows))
    chosen = directions.flip(1)[:, :count].T
    return chosen.to(rows.dtype), variance.flip(0)[:count].clamp(min=0).sqrt().to(rows.dtype)


def seen(points: Tensor, generator: torch.Generator) -> Tensor:
    """Points [N, 68, 2] as a landmark network would find them: off by normal noise."""
    eyes: Tensor = (points[:, 45] - points[:, 36]).norm(dim=-1)
    noise = torch.randn(points.shape, generator=generator).to(points)
    return points + SEEN_NOISE * eyes[:, None, None] * noise


def train(
    transformer: LandmarkTransformer,
    examples: Examples,
    wanted: Tensor,
    *,
    steps: int,
    generator: torch.Generator,
    progress: Progress | None = None,
) -> None:
    """Train the predictor on the coefficients [N, n]; where the examples have image points, half of every batch is
    lifted from these, with noise, so that it learns what lifting leaves out."""
    with torch.no_grad():
        exact, _ = transformer.normalise(examples.landmarks)
        lifted = None if examples.points is None else transformer.lift(seen(examples.points, generator))[0]
    total = wanted.square().sum(-1).mean()
    optimiser = torch.optim.Adam(transformer.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    transformer.train()
    for step in range(1, steps + 1):
        chosen = torch.randint(len(exact), (BATCH,), generator=generator).to(exact.device)
        given = exact[chosen]
        if lifted is not None:
            given = torch.cat([given[: BATCH // 2], lifted[chosen[BATCH // 2 :]]])
        images = None if examples.images is None else examples.images[chosen].float() / 255
        loss = (transformer.alpha(given, images) - wanted[chosen]).square().sum(-1).mean() / total
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(transformer.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if progress is not None:
            progress(step, steps, float(loss.detach()))
    transformer.eval()
