"""How far transferred landmarks are from the true ones, and how well identity and expression are told apart.

Errors are mean distances of the 68 points in percent of the distance between the outer eye corners. The truth is the
target's head moved as the driver: of rendered people it is known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.landmark_transformer import by_person, seen
from bench.landmarks.people import Moving
from curate.synth.parameters import SHAPE, UNITS, Motion
from models.landmark_transformer import LandmarkTransformer

PARTNERS = 3  # drivers of every target
RIDGE = 1e-3


@torch.no_grad()
def transfer_errors(
    transformer: LandmarkTransformer, clips: Sequence[Moving], shots: int = 1, *, lifted: bool = False, seed: int = 0
) -> dict[str, float]:
    """Errors of the transfer and of the driver's own landmarks, over pairs of clips of different people.

    `shape`: normalised landmarks against the normalised truth, so both in the same pose. `placed`: in the picture, at
    the driver's scale and place, where also the size of the head counts, which landmarks of one image do not tell.
    `drawn`: in the picture, after the best shift and scale. With `lifted` landmarks are those that a network found in
    the image (`Moving.found`, or else the true ones and noise) and lifted; else they are known in 3D. The target has
    `shots` images.
    """
    generator = torch.Generator().manual_seed(seed)
    totals: dict[str, list[float]] = {}
    for target, driver in _pairs(clips):
        chosen = np.linspace(0, len(target.motion) - 1, shots).round().astype(int).tolist()
        images = target.take(chosen)
        known, given = images.landmarks(), driver.landmarks()
        truth = driver.landmarks(target.identity)
        normal_truth, _ = transformer.normalise(truth)
        picture, own = driver.picture(truth), driver.picture(given)
        if lifted:
            own = seen(own, generator) if driver.found is None else driver.found
            there = images.picture(known)
            source, _ = transformer.lift(seen(there, generator) if images.found is None else images.found)
            driving, pose = transformer.lift(own)
            moved = transformer.transfer(transformer.identity(source), driving)
            there = pose.project(moved)
        else:
            source, _ = transformer.normalise(known)
            driving, pose = transformer.normalise(given)
            moved = transformer.transfer(transformer.identity(source), driving)
            there = driver.picture(pose.place(moved))
        found = {
            "shape": (moved, driving, normal_truth),
            "placed": (there, own, picture),
            "drawn": (_aligned(there, picture), _aligned(own, picture), picture),
        }
        for name, (ours, drivers, true) in found.items():
            totals.setdefault(name, []).append(_error(ours, true))
            totals.setdefault(f"{name}_driver", []).append(_error(drivers, true))
    return {name: float(np.mean(values)) for name, values in totals.items()}


def _pairs(clips: Sequence[Moving]) -> list[tuple[Moving, Moving]]:
    """Every clip as target, with the next clips of other people as drivers."""
    result = []
    for i, target in enumerate(clips):
        others = [clip for clip in [*clips[i + 1 :], *clips[:i]] if clip.identity.id != target.identity.id]
        result += [(target, driver) for driver in others[:PARTNERS]]
    return result


def _error(found: Tensor, truth: Tensor) -> float:
    eyes = (truth[:, 45] - truth[:, 36]).norm(dim=-1)
    return float(100 * ((found - truth).norm(dim=-1).mean(-1) / eyes).mean())


def _aligned(found: Tensor, truth: Tensor) -> Tensor:
    """Points [N, 68, 2] after the shift and the scale that bring them nearest to others."""
    a, b = (points - points.mean(1, keepdim=True) for points in (found, truth))
    scale = (a * b).sum((1, 2)) / a.square().sum((1, 2))
    return scale[:, None, None] * a + truth.mean(1, keepdim=True)


@torch.no_grad()
def separation(transformer: LandmarkTransformer, clips: Sequence[Moving]) -> dict[str, float]:
    """How much of the true identity and expression geometry is found where it belongs, and how much elsewhere.

    True l_id is the person at rest, true l_exp what motion adds to it, both normalised. `identity_r2`, `expression_r2`:
    share of their variance that frame-wise predictions explain, apart from a constant. `identity_within`: share of the
    variance of the predicted l_id that is within people, where none should be; `landmarks_within` the same before
    anything is taken apart. `shape_from_expression`, `units_from_identity`: share of the variance of true shape
    coefficients (expression units) that a linear reader of the predicted l_exp (l_id) finds in people whom it was not
    fitted on: what has leaked; 0 or less is none. `units_from_expression` and `shape_from_identity` are what should be
    found.
    """
    still = [Motion(0 * c.motion.expression, c.motion.angles, c.motion.translation, c.motion.focal) for c in clips]
    normal = torch.cat([transformer.normalise(clip.landmarks())[0] for clip in clips])
    rest = torch.cat(
        [transformer.normalise(Moving(c.identity, s).landmarks())[0] for c, s in zip(clips, still, strict=True)]
    )
    expression = transformer.expression(normal)
    identity = normal - transformer.mean - expression
    names = [clip.identity.id for clip in clips for _ in range(len(clip.motion))]
    _, person = np.unique(names, return_inverse=True)
    who = torch.from_numpy(person)
    units = np.concatenate([clip.motion.expression[:, : len(UNITS)] for clip in clips])
    shape = np.concatenate([np.tile(c.identity.coefficients[: len(SHAPE)], (len(c.motion), 1)) for c in clips])
    reader = person % 2 == 0
    parts = {"identity": identity, "expression": expression}
    flat = {name: part.flatten(1).double().numpy() for name, part in parts.items()}
    return {
        "identity_r2": _explained(identity, rest),
        "expression_r2": _explained(expression, normal - rest),
        "identity_within": _within(identity, who),
        "landmarks_within": _within(normal, who),
        **{f"units_from_{name}": _read(part, units, reader) for name, part in flat.items()},
        **{f"shape_from_{name}": _read(part, shape, reader) for name, part in flat.items()},
    }


def _explained(found: Tensor, truth: Tensor) -> float:
    found, truth = found - found.mean(0), truth - truth.mean(0)
    return 1 - float((found - truth).square().sum() / truth.square().sum())


def _within(values: Tensor, person: Tensor) -> float:
    rest = values - by_person(values, person)[person]
    return float(rest.square().sum() / (values - values.mean(0)).square().sum())


def _read(features: NDArray[np.float64], wanted: NDArray[np.float32], reader: NDArray[np.bool_]) -> float:
    """Share of the variance of `wanted` that ridge regression on the reader's rows finds in the other rows."""
    middle, spread = features[reader].mean(0), max(features[reader].std(0).max(), 1e-12)
    x = np.concatenate([(features - middle) / spread, np.ones((len(features), 1))], axis=1)
    gram = x[reader].T @ x[reader] + RIDGE * reader.sum() * np.eye(x.shape[1])
    found = x[~reader] @ np.linalg.solve(gram, x[reader].T @ wanted[reader])
    truth = wanted[~reader].astype(np.float64)
    return 1 - float(((found - truth) ** 2).sum() / ((truth - truth.mean(0)) ** 2).sum())
