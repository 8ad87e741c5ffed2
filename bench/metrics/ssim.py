"""Structural similarity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.metrics.base import Metric, check_images, check_masked

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = 11
SIGMA = 1.5
UNIFORM = 7  # side of the uniform window
MS_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, fine to coarse
C1, C2 = 0.01**2, 0.03**2


def ssim(pred: Tensor, target: Tensor) -> Tensor:
    """Mean structural similarity per image: [B, 3, H, W] in [0, 1], H and W at least 11 -> [B] in [-1, 1].

    Wang et al. 2004, equation 13 with the authors' settings: Gaussian window 11 x 11, sigma 1.5, K = 0.01 and 0.03,
    population covariance, only windows that lie inside the image; mean over the three colour channels.
    """
    check_images(pred, target, least=WINDOW)
    return _map(pred, target, _gaussian).mean(dim=(1, 2, 3)).clamp(-1, 1)


def ssim_uniform7(pred: Tensor, target: Tensor) -> Tensor:
    """SSIM with scikit-image's default settings: a uniform window 7 x 7 and the sample covariance; images as for `ssim`
    with sides of at least 7 -> [B] in [-1, 1]."""
    check_images(pred, target, least=UNIFORM)
    unbiased = UNIFORM**2 / (UNIFORM**2 - 1)
    return _map(pred, target, _uniform, unbiased).mean(dim=(1, 2, 3)).clamp(-1, 1)


def ssim_gray(pred: Tensor, target: Tensor) -> Tensor:
    """SSIM of luma (0.299 R + 0.587 G + 0.114 B, ITU-R BT.601), otherwise as `ssim`: images as there -> [B]."""
    check_images(pred, target, least=WINDOW)
    weights = pred.new_tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    gray = [(images * weights).sum(dim=1, keepdim=True) for images in (pred, target)]
    return _map(gray[0], gray[1], _gaussian).mean(dim=(1, 2, 3)).clamp(-1, 1)


def ssim_masked(pred: Tensor, target: Tensor) -> Tensor:
    """Mean of the SSIM map inside the target's head, weighed by the mask at the windows' middles: [B, 4, H, W], RGB and
    mask in [0, 1] -> [B]; see `bench.metrics.l1_masked`."""
    check_masked(pred, target, least=WINDOW)
    edge = WINDOW // 2
    mask = target[:, 3:, edge:-edge, edge:-edge]
    similarity = _map(pred[:, :3], target[:, :3], _gaussian).mean(dim=1, keepdim=True)
    return ((similarity * mask).sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3))).clamp(-1, 1)


def ms_ssim(pred: Tensor, target: Tensor) -> Tensor:
    """Multi-scale SSIM per image: [B, 3, H, W] in [0, 1], sides of at least 161 -> [B] in [0, 1].

    Wang, Simoncelli, Bovik 2003, equation 7: contrast and structure of five scales (2 x 2 means between them),
    luminance of the last, with the paper's weights; negative terms count as 0. Mean over the colour channels.
    """
    from torch.nn.functional import avg_pool2d

    check_images(pred, target, least=(WINDOW - 1) * 2 ** (len(MS_WEIGHTS) - 1) + 1)
    result = pred.new_ones(pred.shape[:2])
    for scale, weight in enumerate(MS_WEIGHTS):
        last = scale == len(MS_WEIGHTS) - 1
        value = _map(pred, target, _gaussian, luminance=last).mean(dim=(2, 3))
        result = result * value.clamp(min=0) ** weight
        if not last:  # an odd side is filled up with zeros, as in the authors' successors
            odd = [side % 2 for side in pred.shape[2:]]
            pred, target = (avg_pool2d(images, 2, padding=odd) for images in (pred, target))
    return result.mean(dim=1)


def _map(
    pred: Tensor, target: Tensor, window: Callable[[int, Tensor], Tensor], unbiased: float = 1.0, luminance: bool = True
) -> Tensor:
    """The similarity of every window inside the image [B, C, H', W']; without `luminance` that of contrast and
    structure alone."""
    import torch

    rows, columns = (window(side, pred) for side in pred.shape[2:])
    # The two variances enter only as their sum, so four smoothed maps do.
    maps = torch.stack([pred, target, pred.square() + target.square(), pred * target])
    mean_p, mean_t, squares, product = rows @ maps @ columns.T
    means = mean_p.square() + mean_t.square()
    similarity: Tensor = (2 * unbiased * (product - mean_p * mean_t) + C2) / (unbiased * (squares - means) + C2)
    return similarity * ((2 * mean_p * mean_t + C1) / (means + C1)) if luminance else similarity


def _gaussian(side: int, like: Tensor) -> Tensor:
    """[side - 10, side]: a row per position of the window. A matrix product is several times faster than conv2d."""
    import torch

    offset = torch.arange(side)[None, :] - torch.arange(side - WINDOW + 1)[:, None]
    weights = torch.exp(-((offset - WINDOW // 2) ** 2) / (2 * SIGMA**2)).where((offset >= 0) & (offset < WINDOW), 0)
    return (weights / weights.sum(dim=1, keepdim=True)).to(like)


def _uniform(side: int, like: Tensor) -> Tensor:
    """[side - 6, side]: a row per position of the window, 1/7 inside."""
    import torch

    offset = torch.arange(side)[None, :] - torch.arange(side - UNIFORM + 1)[:, None]
    return (((offset >= 0) & (offset < UNIFORM)) / UNIFORM).to(like)


METRIC = Metric(
    id="ssim",
    function=ssim,
    aspect="pixels",
    feature="frames",
    higher_is_better=True,
    worst=-1.0,
    description="structural similarity: Gaussian window 11, sigma 1.5, inner windows, mean over RGB",
    paper="Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, TIP 2004",
)

VARIANTS = (
    replace(
        METRIC,
        id="ssim-uniform7",
        function=ssim_uniform7,
        variant_of="ssim",
        description="ssim with scikit-image's default settings: uniform window 7, sample covariance",
    ),
    replace(METRIC, id="ssim-gray", function=ssim_gray, variant_of="ssim", description="ssim of luma"),
    replace(
        METRIC,
        id="ssim-masked",
        function=ssim_masked,
        feature="frames+mask",
        variant_of="ssim",
        description="ssim inside the head of the frame that is compared with",
    ),
    replace(
        METRIC,
        id="ms-ssim",
        function=ms_ssim,
        worst=0.0,
        variant_of="ssim",
        description="structural similarity of five scales",
        paper="Wang et al., Multi-Scale Structural Similarity for Image Quality Assessment, Asilomar 2003",
    ),
)
