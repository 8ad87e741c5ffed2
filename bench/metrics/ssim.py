"""Structural similarity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.metrics.base import Metric, check_images

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = 11
SIGMA = 1.5
C1, C2 = 0.01**2, 0.03**2


def ssim(pred: Tensor, target: Tensor) -> Tensor:
    """Mean structural similarity per image: [B, 3, H, W] in [0, 1], H and W at least 11 -> [B] in [-1, 1].

    Wang et al. 2004, equation 13 with the authors' settings: Gaussian window 11 x 11, sigma 1.5, K = 0.01 and 0.03,
    population covariance, only windows that lie inside the image; mean over the three colour channels.
    """
    import torch

    check_images(pred, target, least=WINDOW)
    rows, columns = (_gaussian_matrix(side, pred) for side in pred.shape[2:])
    # The two variances enter only as their sum, so four smoothed maps do.
    maps = torch.stack([pred, target, pred.square() + target.square(), pred * target])
    mean_p, mean_t, squares, product = rows @ maps @ columns.T
    means = mean_p.square() + mean_t.square()
    luminance = (2 * mean_p * mean_t + C1) / (means + C1)
    structure = (2 * (product - mean_p * mean_t) + C2) / (squares - means + C2)
    similarity: Tensor = luminance * structure
    return similarity.mean(dim=(1, 2, 3)).clamp(-1, 1)


def _gaussian_matrix(side: int, like: Tensor) -> Tensor:
    """[side - 10, side]: a row per position of the window. A matrix product is several times faster than conv2d."""
    import torch

    offset = torch.arange(side)[None, :] - torch.arange(side - WINDOW + 1)[:, None]
    weights = torch.exp(-((offset - WINDOW // 2) ** 2) / (2 * SIGMA**2)).where((offset >= 0) & (offset < WINDOW), 0)
    return (weights / weights.sum(dim=1, keepdim=True)).to(like)


METRIC = Metric(
    id="ssim",
    function=ssim,
    aspect="pixels",
    feature="frames",
    higher_is_better=True,
    description="structural similarity: Gaussian window 11, sigma 1.5, inner windows, mean over RGB",
    paper="Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, TIP 2004",
)
