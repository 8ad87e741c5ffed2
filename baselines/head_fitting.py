"""Fitting a head to 68 landmarks by regularised least squares: shape, expression, pose, place and camera.

A point X of the head at rest is seen at

    P = R X + (p_x, p_y, 0),    (u, v) = s (P_x, P_y) / (1 + P_z / z)

as shares of the picture's side about its middle: a pinhole camera at the distance z (mm) with the focal length s z
(sides of the picture). What is minimised over all of them is

    sum_k rho(|(u, v)_k - seen_k|^2 / (s n)^2) + |a|^2 + |e / spread|^2 + (log(z / z_0) / spread_z)^2

with landmark noise n in mm and rho(q) = c^2 log(1 + q / c^2), which keeps single landmarks that are far off from
pulling (Cauchy; solved by reweighting). Shape a and expression e are linear (`baselines.head_model`), so that every
step of Gauss-Newton is one small linear system; expressions are kept in their bounds. Rotations are those of
`curate.angles`, the one home of the convention.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from baselines.head_model import HeadModel
from models.errors import InputError, check_shape
from models.pose import camera_angles, rotation

STEPS = 10
NOISE = 1.5  # mm
ROBUST = 3.0  # c: residuals beyond this many times the noise count less and less
DISTANCE, DISTANCE_SPREAD = 900.0, 0.35  # mm, and the spread of its logarithm
JAW = 17  # the first landmarks: where networks see the outline, which slides over the face as it turns
JAW_WEIGHT = 0.5
DAMPING = 1e-6


@dataclass(frozen=True)
class Fit:
    """N fitted heads and their cameras, float32."""

    shape: Tensor  # [N, S]
    expression: Tensor  # [N, E]
    angles: Tensor  # [N, 3] yaw, pitch, roll in degrees, as `curate.angles` says
    place: Tensor  # [N, 2] of the head's origin, mm beside and below the camera's axis
    distance: Tensor  # [N] of the head's origin, mm
    scale: Tensor  # [N] focal length over distance: sides of the picture per mm at the head's origin

    def __len__(self) -> int:
        return len(self.angles)

    def expand(self, count: int) -> Fit:
        """One head (N = 1) `count` times, without copying."""
        parts = (getattr(self, one.name) for one in fields(self))
        return Fit(*(part.expand(count, *part.shape[1:]) for part in parts))

    def split(self, most: int) -> list[Fit]:
        """The heads in parts of at most so many."""
        columns = [getattr(self, one.name).split(most) for one in fields(self)]
        return [Fit(*part) for part in zip(*columns, strict=True)]

    def points(self, model: HeadModel) -> Tensor:
        """The heads at rest [N, V, 3]."""
        return model.points(self.shape, self.expression)

    def landmarks(self, model: HeadModel, side: int) -> Tensor:
        """The landmarks of the heads [N, 68, 2], in pixels of a picture of this side."""
        return self.seen(model, self.points(model), side)[:, model.landmarks, :2]

    def seen(self, model: HeadModel, points: Tensor, side: int) -> Tensor:
        """Points at rest [N, V, 3] as the camera has them: x and y in pixels of a picture of this side, integers at
        pixel centres, and depth in mm."""
        turn = rotation(self.angles)
        turned = torch.einsum("nij,nvj->nvi", turn, points)
        if bool((model.with_head < 1).any()):
            body = torch.einsum("nij,nvj->nvi", rotation(self.angles * model.body_share), points - model.neck)
            body = body + torch.einsum("nij,j->ni", turn, model.neck)[:, None]
            turned = torch.lerp(body, turned, model.with_head[:, None])
        flat = turned[..., :2] + self.place[:, None]
        near = (1 + turned[..., 2] / self.distance[:, None]).clamp(min=0.05)
        pixels = (self.scale[:, None, None] * flat / near[..., None] + 0.5) * side - 0.5
        return torch.cat([pixels, (turned[..., 2] + self.distance[:, None])[..., None]], dim=-1)


def fit_heads(model: HeadModel, landmarks: Tensor, side: int) -> Fit:
    """Heads for landmarks [N, 68, 2] in pixels of square pictures of this side, integers at pixel centres.

    Each is fitted for itself. `InputError` for landmarks that are not finite or all in one place.
    """
    check_shape("landmarks", landmarks, (None, 68, 2))
    if not bool(landmarks.isfinite().all()):
        raise InputError("landmarks: expected finite values; a frame without a face cannot be fitted")
    seen = (landmarks.double() + 0.5) / side - 0.5
    spread = (seen - seen.mean(1, keepdim=True)).square().mean((1, 2)).sqrt()
    if float(spread.min()) < 1e-3:
        raise InputError(f"landmarks: expected a face, got 68 points within {float(spread.min()) * side:.2g} pixels")
    rows = model.landmarks
    own = _Points(
        model.mean[rows].double(),
        torch.cat([model.shape[:, rows], model.expression[:, rows]]).double(),
        torch.cat([torch.ones(len(model.shape), device=rows.device), model.expression_spread]).double(),
        len(model.shape),
        model.bounds,
    )
    return _solve(own, seen)


@dataclass(frozen=True)
class _Points:
    """What the 68 landmarks of a model are made of."""

    mean: Tensor  # [68, 3]
    basis: Tensor  # [C, 68, 3]: shape, then expression
    spread: Tensor  # [C]
    shapes: int
    bounds: tuple[float, float]


def _solve(own: _Points, seen: Tensor) -> Fit:
    count, many = len(seen), len(own.basis)
    c = seen.new_zeros(count, many)
    turn, place, scale = _first_guess(own.mean, seen)
    log_z = torch.full_like(scale, math.log(DISTANCE))
    weight = torch.ones(68, dtype=seen.dtype, device=seen.device)
    weight[:JAW] = JAW_WEIGHT
    prior = torch.cat([1 / own.spread, own.spread.new_zeros(6), own.spread.new_tensor([1 / DISTANCE_SPREAD])])
    for _ in range(STEPS):
        model = own.mean + torch.einsum("nc,ckd->nkd", c, own.basis)
        turned = torch.einsum("nij,nkj->nki", turn, model)
        z = log_z.exp()[:, None]
        flat = turned[..., :2] + place[:, None]
        near = 1 + turned[..., 2] / z
        projected = scale[:, None, None] * flat / near[..., None]
        # d(u, v) / dP in mm, that is over s; then by every parameter
        by_point = _jacobian(flat, near, z)
        along = torch.einsum("nij,ckj->nkic", turn, own.basis)
        about = _cross(turned)
        by_place = by_point[..., :2]
        in_mm = projected / scale[:, None, None]
        by_scale = in_mm[..., None]
        by_log_z = (in_mm * (turned[..., 2] / (z * near))[..., None])[..., None]
        jacobian = torch.cat([by_point @ along, by_point @ about, by_place, by_scale, by_log_z], dim=-1)
        residual = (seen - projected) / scale[:, None, None]
        far = residual.square().sum(-1) / NOISE**2
        each = (weight / (1 + far / ROBUST**2)).sqrt()[..., None] / NOISE
        rows = (jacobian * each[..., None]).flatten(1, 2)
        wanted = (residual * each).flatten(1)
        now = torch.cat([c, seen.new_zeros(count, 6), (log_z - math.log(DISTANCE))[:, None]], dim=1)
        normal = rows.mT @ rows + torch.diag(prior.square() + DAMPING)
        step = torch.linalg.solve(normal, torch.einsum("nrp,nr->np", rows, wanted) - prior.square() * now)
        c = c + step[:, :many]
        c[:, own.shapes :] = c[:, own.shapes :].clamp(*own.bounds)
        turn = _turn(step[:, many : many + 3]) @ turn
        place = place + step[:, many + 3 : many + 5]
        scale = scale * step[:, many + 5].clamp(-0.5, 0.5).exp()
        log_z = (log_z + step[:, many + 6].clamp(-0.5, 0.5)).clamp(math.log(200), math.log(5000))
    parts = (c[:, : own.shapes], c[:, own.shapes :], camera_angles(turn), place, log_z.exp(), scale)
    return Fit(*(part.float() for part in parts))


def _first_guess(mean: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rotation [N, 3, 3], place [N, 2] and scale [N] of the mean head under scaled orthography, in closed form."""
    centre = mean.mean(0)
    affine = torch.linalg.lstsq((mean - centre).expand(len(seen), -1, -1), seen - seen.mean(1, keepdim=True)).solution
    u, spread, vh = torch.linalg.svd(affine.mT, full_matrices=False)  # [N, 2, 3]
    scale = spread.mean(1)
    across = u @ vh
    turn = torch.cat([across, torch.linalg.cross(across[:, 0], across[:, 1], dim=1)[:, None]], dim=1)
    return turn, seen.mean(1) / scale[:, None] - across @ centre, scale


def _jacobian(flat: Tensor, near: Tensor, z: Tensor) -> Tensor:
    """d (P_x, P_y) / (1 + P_z / z) by P: [N, 68, 2, 3]."""
    zero = torch.zeros_like(near)
    x, y = (flat / (z * near)[..., None]).unbind(-1)
    rows = [torch.stack([torch.ones_like(near), zero, -x], -1), torch.stack([zero, torch.ones_like(near), -y], -1)]
    return torch.stack(rows, dim=-2) / near[..., None, None]


def _cross(points: Tensor) -> Tensor:
    """[..., 3, 3]: what a small turn w moves points [..., 3] by, w x P, as a matrix times w."""
    x, y, z = points.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, z, -y, -z, zero, x, y, -x, zero], dim=-1).view(*x.shape, 3, 3)


def _turn(vector: Tensor) -> Tensor:
    """Rotation matrices [N, 3, 3] about vectors [N, 3] by their lengths in radians."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    turn: Tensor = torch.linalg.matrix_exp(
        torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).view(*x.shape, 3, 3)
    )
    return turn
