"""Pictures for objectives of landmark-driven models: squares that are where the landmarks are."""

import torch


def squares(rows: int, side: int, spread: float, reach: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Landmarks [rows, 4, 68, 2] about random places, and masks [rows, 4, side, side] of squares of 2 * reach there."""
    generator = torch.Generator().manual_seed(0)
    margin = side / 4
    centres = margin + (side - 2 * margin) * torch.rand(rows, 4, 2, generator=generator)
    points = centres[:, :, None] + spread * (torch.rand(68, 2, generator=generator) - 0.5)
    near = (torch.arange(side) - centres[..., None]).abs() < reach  # [rows, 4, 2, side]: of columns, of rows
    return points, (near[..., 0, None, :] & near[..., 1, :, None]).float()
