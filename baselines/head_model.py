"""A head as a linear model, which `baselines.head_fitting` fits and `baselines.head_rendering` draws.

Points of a person at rest are mean + sum_k a_k shape_k + sum_k e_k expression_k (a 3D morphable model: Blanz and
Vetter, SIGGRAPH 1999), in mm and camera axes: x to the image's right, y down, z away from the camera, for a head that
faces it. `curate.angles` says what its turns mean. Two sources:

- `synthetic()`: the head of SynthHeads, whose formulas ship with this project (`curate.synth`).
- `read_head_model(path)`: a model that a user has the right to use, such as the Basel Face Model as 3DDFA has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CLOSEST = 2048  # points whose mirror images are looked for together
OUTER_EYES, BETWEEN = (36, 45), (30, 27)  # landmarks that give a user's model its size and its place
LEFT_OUT = ("hair", "curtain", "body", "glasses")  # of SynthHeads: what landmarks do not tell of
NECK_SHARE = 0.3  # triangles of the body that follow the head by more than this are kept: the neck
KEYS = ("mu_shape", "w", "sigma", "tri", "keypoints")
EXPRESSION_KEYS = ("mu_exp", "w_exp", "sigma_exp")


class BadHeadModel(ValueError):
    """A file that is no head model; the message names what is wrong."""


@dataclass(frozen=True)
class HeadModel:
    """V points, F triangles; coefficients of shape are about standard normal, those of expression in `bounds`."""

    mean: Tensor  # [V, 3] mm
    shape: Tensor  # [S, V, 3] mm per unit
    expression: Tensor  # [E, V, 3] mm per unit
    expression_spread: Tensor  # [E] of its coefficients
    bounds: tuple[float, float]  # of the coefficients of expression
    triangles: Tensor  # [F, 3] int32, anticlockwise in the image where they are seen from outside
    landmarks: Tensor  # [68] point of each landmark (iBUG order)
    with_head: Tensor  # [V] 1: turns with the head; 0: with the shoulders
    mirrored: Tensor  # [V] the point on the other half of the face
    neck: Tensor = field(default_factory=lambda: torch.zeros(3))  # where head and shoulders turn against each other
    body_share: Tensor = field(default_factory=lambda: torch.zeros(3))  # of yaw, pitch, roll that shoulders go along

    def to(self, device: torch.device | str) -> HeadModel:
        """The model on another device."""
        moved = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return HeadModel(**{**vars(self), **moved})

    def points(self, shape: Tensor, expression: Tensor) -> Tensor:
        """People at rest [N, V, 3] for coefficients [N, S] and [N, E]."""
        moved = shape @ self.shape.flatten(1) + expression @ self.expression.flatten(1)
        return self.mean + moved.view(len(shape), *self.mean.shape)


@cache
def synthetic() -> HeadModel:
    """The head of SynthHeads without hair, glasses and shoulders, on the CPU (made once)."""
    from curate.synth import expression, head, landmarks, parts, shape
    from curate.synth.parameters import EXPRESSION, UNITS, Motion

    mesh, units = parts.mesh(), len(UNITS)
    person = head.Form(mesh.points.astype(np.float32), expression.basis(), (np.zeros(3), np.zeros(3)))
    active = np.zeros((1 + units, len(EXPRESSION)), np.float32)
    active[1:, :units] = np.eye(units)  # each unit alone: lids close by rule, which is made linear here
    still = np.zeros((1 + units, 3), np.float32)
    posed = torch.from_numpy(head.pose(person, Motion(active, still, still, 1.0))[0])
    basis = torch.from_numpy(np.ascontiguousarray(shape.basis() * head.FLIP, np.float32))

    gone = np.zeros(len(mesh.points), bool)
    for name in LEFT_OUT:
        gone[mesh.part[name].rows] = True
    gone[mesh.part["body"].rows] = mesh.head[mesh.part["body"].rows] < NECK_SHARE
    triangles = mesh.triangles[~gone[mesh.triangles].any(1)]
    used = np.unique(np.concatenate([triangles.ravel(), landmarks.vertices()]))
    place = np.full(len(mesh.points), -1, np.int64)
    place[used] = np.arange(len(used))
    rows = torch.from_numpy(used)
    return HeadModel(
        mean=posed[0, rows],
        shape=basis[:, rows],
        expression=(posed[1:] - posed[:1])[:, rows],
        expression_spread=torch.full((units,), 0.3),
        bounds=(0.0, 1.0),
        triangles=torch.from_numpy(place[triangles].astype(np.int32)),
        landmarks=torch.from_numpy(place[landmarks.vertices()]),
        with_head=torch.from_numpy(mesh.head[used].astype(np.float32)),
        mirrored=mirror_points(posed[0, rows]),
        neck=torch.from_numpy((head.NECK * head.FLIP).astype(np.float32)),
        body_share=torch.from_numpy(head.BODY_SHARE.astype(np.float32)),
    )


def mirror_points(points: Tensor) -> Tensor:
    """[V] for each of points [V, 3] the one nearest to its mirror image (x to -x)."""
    image = points * points.new_tensor([-1, 1, 1])
    return torch.cat([torch.cdist(part, points).argmin(1) for part in torch.split(image, CLOSEST)])


def read_head_model(path: Path, shapes: int = 80, expressions: int = 29) -> HeadModel:
    """A user's model from an npz file; nothing in it is executed. `BadHeadModel` says what is wrong.

    Arrays are named and laid out as in 3DDFA's files: mu_shape [3V] and mu_exp [3V], x, y, z of one point after the
    other, x to the image's right, y up, z to the camera; w [3V, S] and w_exp [3V, E] with sigma [S] and sigma_exp [E],
    the standard deviations of their coefficients; tri [3, F], from 1; keypoints [204], the places in mu_shape of x, y,
    z of the 68 landmarks, from 0. The first `shapes` and `expressions` columns are taken. Any unit of length will do.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            given = {key: np.asarray(file[key]) for key in (*KEYS, *EXPRESSION_KEYS)}
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise BadHeadModel(
            f"{path}: expected an npz file with {', '.join((*KEYS, *EXPRESSION_KEYS))}: {error}"
        ) from error
    if not all(np.issubdtype(value.dtype, np.number) and np.isfinite(value).all() for value in given.values()):
        raise BadHeadModel(f"{path}: expected finite numbers alone")
    flat = {key: given[key].astype(np.float64).ravel() for key in ("mu_shape", "mu_exp", "sigma", "sigma_exp")}
    size = len(flat["mu_shape"])
    triangles, keypoints = given["tri"].astype(np.int64), given["keypoints"].astype(np.int64).ravel()
    faults = {
        "mu_shape, mu_exp: one length, a multiple of 3": size % 3 == 0 and size == len(flat["mu_exp"]),
        f"w: [{size}, S] with S values of sigma": given["w"].shape == (size, len(flat["sigma"])),
        f"w_exp: [{size}, E] with E values of sigma_exp": given["w_exp"].shape == (size, len(flat["sigma_exp"])),
        f"tri: [3, F] of points 1 to {size // 3}": triangles.ndim == 2 and len(triangles) == 3
        and bool(triangles.size) and triangles.min() >= 1 and triangles.max() <= size // 3,
        f"keypoints: 204 places below {size}": len(keypoints) == 204
        and keypoints.min() >= 0 and keypoints.max() < size,
    }  # fmt: skip
    if wrong := [expected for expected, met in faults.items() if not met]:
        raise BadHeadModel(f"{path}: expected {'; '.join(wrong)}")
    return _ours(flat, given["w"][:, :shapes], given["w_exp"][:, :expressions], triangles.T - 1, keypoints[::3] // 3)


def _ours(
    flat: dict[str, NDArray[np.float64]],
    shape: NDArray[np.floating],
    expression: NDArray[np.floating],
    triangles: NDArray[np.int64],
    landmarks: NDArray[np.int64],
) -> HeadModel:
    """Axes, size and place of `synthetic`, spreads put into the basis."""
    own = synthetic()
    place = own.mean[own.landmarks].double()
    flip = torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64)
    mean = torch.from_numpy((flat["mu_shape"] + flat["mu_exp"]).reshape(-1, 3)) * flip
    eyes = [float((p[OUTER_EYES[1]] - p[OUTER_EYES[0]]).norm()) for p in (place, mean[landmarks])]
    scale = eyes[0] / eyes[1]
    mean = mean * scale
    mean += (place[list(BETWEEN)] - mean[landmarks][list(BETWEEN)]).mean(0)

    def basis(columns: NDArray[np.floating], spread: NDArray[np.float64]) -> Tensor:
        scaled = torch.from_numpy((columns * spread[: columns.shape[1]]).T.reshape(-1, len(mean), 3).copy())
        return (scaled * flip * scale).float()

    corners = mean[torch.from_numpy(triangles)]
    out = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], dim=1)
    facing = float((out * (corners.mean(1) - mean.mean(0))).sum())
    order = triangles if facing > 0 else triangles[:, ::-1]
    return HeadModel(
        mean=mean.float(),
        shape=basis(shape, flat["sigma"]),
        expression=basis(expression, flat["sigma_exp"]),
        expression_spread=torch.ones(expression.shape[1]),
        bounds=(-3.0, 3.0),
        triangles=torch.from_numpy(np.ascontiguousarray(order, np.int32)),
        landmarks=torch.from_numpy(landmarks),
        with_head=torch.ones(len(mean)),
        mirrored=mirror_points(mean.float()),
    )
