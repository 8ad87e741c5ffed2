"""Keypoints must move with the picture: FOMM's equivariance losses. Points are (x, y) in [-1, 1]."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from models.layers import coordinate_grid


@dataclass(frozen=True)
class RandomWarp:
    """A random smooth map of the plane: affine plus thin-plate spline (FOMM supplementary B; the authors' code).

    w(p) = A p + b + sum_i c_i r_i^2 log(r_i + 1e-6), the sum added to x and y alike; r_i is the L1 distance of p to
    the i-th point of a square grid over [-1, 1]^2.
    """

    theta: Tensor  # [B, 2, 3]: A and b
    control: Tensor  # [B, points^2]: c, row by row, x fastest

    @classmethod
    def sample(
        cls,
        batch: int,
        generator: torch.Generator,
        *,
        sigma_affine: float = 0.05,
        sigma_tps: float = 0.005,
        points: int = 5,
    ) -> RandomWarp:
        """Normal deviations from the identity; on the CPU, so that a seed gives the same warp on every device."""
        theta = torch.eye(2, 3) + sigma_affine * torch.randn(batch, 2, 3, generator=generator)
        return cls(theta, sigma_tps * torch.randn(batch, points**2, generator=generator))

    def to(self, device: torch.device) -> RandomWarp:
        """The same warp on another device."""
        return RandomWarp(self.theta.to(device), self.control.to(device))

    def points(self, p: Tensor) -> Tensor:
        """w(p) for points [B, N, 2], or the same points [1, N, 2] for every warp: [B, N, 2]."""
        distance = self._offsets(p).abs().sum(-1)  # [B or 1, N, points^2]
        radial = (distance.square() * torch.log(distance + 1e-6)) @ self.control[:, :, None]
        return p @ self.theta[:, :, :2].mT + self.theta[:, None, :, 2] + radial

    def jacobian(self, p: Tensor) -> Tensor:
        """dw/dp at points [B, N, 2]: [B, N, 2, 2], row the output coordinate, column the input coordinate."""
        offsets = self._offsets(p)
        distance = offsets.abs().sum(-1)
        slope = 2 * distance * torch.log(distance + 1e-6) + distance.square() / (distance + 1e-6)
        gradient = ((slope * self.control[:, None])[..., None] * offsets.sign()).sum(-2)  # [B, N, 2]
        return self.theta[:, None, :, :2] + gradient[..., None, :]

    def images(self, images: Tensor, *, align_corners: bool) -> Tensor:
        """Images resampled so that what was at w(p) is now at p; mirrored beyond the border."""
        height, width = images.shape[2:]
        grid = coordinate_grid(height, width, images).view(1, -1, 2)
        flow = self.points(grid).view(len(images), height, width, 2)
        return F.grid_sample(images, flow, padding_mode="reflection", align_corners=align_corners)

    def _offsets(self, p: Tensor) -> Tensor:
        side = round(self.control.shape[1] ** 0.5)
        line = torch.linspace(-1, 1, side, device=p.device, dtype=p.dtype)
        knots = torch.stack((line.repeat(side), line.repeat_interleave(side)), dim=-1)  # x fastest
        return p[:, :, None] - knots


def equivariance_value(value: Tensor, warped_value: Tensor, warp: RandomWarp) -> Tensor:
    """FOMM eq. 11: keypoints of a frame against the warp of the keypoints found in the warped frame; mean L1."""
    return F.l1_loss(warp.points(warped_value), value)


def equivariance_jacobian(jacobian: Tensor, warped_value: Tensor, warped_jacobian: Tensor, warp: RandomWarp) -> Tensor:
    """FOMM eq. 13: mean |1 - J^-1 (dw/dp J_warped)| over points [B, K, 2, 2]."""
    chained = jacobian.inverse() @ warp.jacobian(warped_value) @ warped_jacobian
    return (torch.eye(2, device=chained.device) - chained).abs().mean()
