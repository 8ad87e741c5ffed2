"""Structural similarity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.metrics.base import Metric, check_images, check_masked

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = 11
SIGMA = 1.5
UNIFORM = 7  # side of the uniform window
BLOCK = 41  # rows that are smoothed together
PART = 2  # images that are compared together on a CPU
MS_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, fine to coarse
C1, C2 = 0.01**2, 0.03**2


def ssim(pred: Tensor, target: Tensor) -> Tensor:
    """Mean structural similarity per image: [B, 3, H, W] in [0, 1], H and W at least 11 -> [B] in [-1, 1].

    Wang et al. 2004, equation 13 with the authors' settings: Gaussian window 11 x 11, sigma 1.5, K = 0.01 and 0.03,
    population covariance, only windows that lie inside the image; mean over the three colour channels.
    """
    check_images(pred, target, least=WINDOW)
    return _mean(pred, target, _gaussian())


def ssim_uniform7(pred: Tensor, target: Tensor) -> Tensor:
    """SSIM with scikit-image's default settings: a uniform window 7 x 7 and the sample covariance; images as for `ssim`
    with sides of at least 7 -> [B] in [-1, 1]."""
    check_images(pred, target, least=UNIFORM)
    unbiased = UNIFORM**2 / (UNIFORM**2 - 1)
    return _mean(pred, target, _uniform(), unbiased)


def ssim_gray(pred: Tensor, target: Tensor) -> Tensor:
    """SSIM of luma (0.299 R + 0.587 G + 0.114 B, ITU-R BT.601), otherwise as `ssim`: images as there -> [B]."""
    check_images(pred, target, least=WINDOW)
    weights = pred.new_tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    gray = [(images * weights).sum(dim=1, keepdim=True) for images in (pred, target)]
    return _mean(gray[0], gray[1], _gaussian())


def ssim_masked(pred: Tensor, target: Tensor) -> Tensor:
    """Mean of the SSIM map inside the target's head, weighed by the mask at the windows' middles: [B, 4, H, W], RGB and
    mask in [0, 1] -> [B]; see `bench.metrics.l1_masked`."""
    check_masked(pred, target, least=WINDOW)
    edge = WINDOW // 2
    mask = target[:, 3:, edge:-edge, edge:-edge]
    similarity = _map(pred[:, :3], target[:, :3], _gaussian()).mean(dim=1, keepdim=True)
    return ((similarity * mask).sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3))).clamp(-1, 1)


def ms_ssim(pred: Tensor, target: Tensor) -> Tensor:
    """Multi-scale SSIM per image: [B, 3, H, W] in [0, 1], sides of at least 161 -> [B] in [0, 1].

    Wang, Simoncelli, Bovik 2003, equation 7: contrast and structure of five scales (2 x 2 means between them),
    luminance of the last, with the paper's weights; negative terms count as 0. Mean over the colour channels.
    """
    import torch

    check_images(pred, target, least=(WINDOW - 1) * 2 ** (len(MS_WEIGHTS) - 1) + 1)
    return torch.cat([_multi_scale(p, t) for p, t in _parts(pred, target)])


def _multi_scale(pred: Tensor, target: Tensor) -> Tensor:
    """`ms_ssim` of a few images."""
    result = pred.new_ones(pred.shape[:2])
    for scale, weight in enumerate(MS_WEIGHTS):
        last = scale == len(MS_WEIGHTS) - 1
        value = _map(pred, target, _gaussian(), luminance=last).mean(dim=(2, 3))
        result = result * value.clamp(min=0) ** weight
        if not last:
            pred, target = _halved(pred), _halved(target)
    return result.mean(dim=1)


def _halved(images: Tensor) -> Tensor:
    """2 x 2 means; an odd side is filled up with zeros at its beginning, as in the authors' successors."""
    from torch.nn.functional import pad

    odd = [side % 2 for side in images.shape[2:]]
    if any(odd):
        images = pad(images, (odd[1], 0, odd[0], 0))
    rows = images[:, :, 0::2] + images[:, :, 1::2]
    return (rows[..., 0::2] + rows[..., 1::2]) * 0.25


def _mean(pred: Tensor, target: Tensor, weights: Tensor, unbiased: float = 1.0) -> Tensor:
    """The mean over windows and channels of each image's similarity, [B]."""
    import torch

    means = [_map(p, t, weights, unbiased).mean(dim=(1, 2, 3)) for p, t in _parts(pred, target)]
    return torch.cat(means).clamp(-1, 1)


def _map(pred: Tensor, target: Tensor, weights: Tensor, unbiased: float = 1.0, luminance: bool = True) -> Tensor:
    """The similarity of every window inside the image [B, C, H', W']; without `luminance` that of contrast and
    structure alone."""
    import torch

    # The two variances enter only as their sum, so four smoothed maps do.
    maps = torch.stack([pred, target, pred.square() + target.square(), pred * target])
    mean_p, mean_t, squares, product = _smooth(maps, weights)
    means, both = mean_p.square() + mean_t.square(), mean_p * mean_t
    similarity: Tensor = (2 * unbiased * (product - both) + C2) / (unbiased * (squares - means) + C2)
    return similarity * ((2 * both + C1) / (means + C1)) if luminance else similarity


def _smooth(maps: Tensor, weights: Tensor) -> Tensor:
    """Weighted means over the windows inside [..., H, W], first down, then across: [..., H - K + 1, W - K + 1].

    Products with the blocks of a band's matrix, which is nearly empty: a few times faster than with all of it, and than
    conv2d.
    """
    import torch

    reach = len(weights) - 1
    band = torch.zeros(BLOCK, BLOCK + reach)
    for i in range(BLOCK):
        band[i, i : i + reach + 1] = weights
    band = band.to(maps)
    height, width = (side - reach for side in maps.shape[-2:])
    flat = maps.flatten(0, -3)
    down = []
    for start in range(0, height, BLOCK):
        rows = min(BLOCK, height - start)
        block = band[:rows, : rows + reach].expand(len(flat), -1, -1)
        down.append(torch.bmm(block, flat[:, start : start + rows + reach]))
    flat = torch.cat(down, dim=1)
    across = []
    for start in range(0, width, BLOCK):
        columns = min(BLOCK, width - start)
        across.append(flat[..., start : start + columns + reach] @ band[:columns, : columns + reach].T)
    return torch.cat(across, dim=-1).view(*maps.shape[:-2], height, width)


def _parts(pred: Tensor, target: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The images a few at a time: a processor's cache holds no more, and a GPU has none to fill."""
    count = len(pred) if pred.is_cuda else PART
    for start in range(0, len(pred), count):
        yield pred[start : start + count], target[start : start + count]


def _gaussian() -> Tensor:
    """[11]: the window along one axis."""
    import torch

    weights = torch.exp(-((torch.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
    return weights / weights.sum()


def _uniform() -> Tensor:
    """[7]: the window along one axis."""
    import torch

    return torch.full((UNIFORM,), 1 / UNIFORM)


METRIC = Metric(
    id="ssim",
    function=ssim,
    aspect="pixels",
    feature="frames",
    higher_is_better=True,
    worst=-1.0,
    best=1.0,
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
