"""Rates at equal quality, against H.264."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.metrics.base import Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

BJONTEGAARD = "Bjontegaard, Calculation of average PSNR differences between RD-curves, VCEG-M33, 2001"


def bd_rate(points: Tensor, anchor: Tensor) -> Tensor:
    """Mean difference of the rates of two coders at equal distortion, in percent of the anchor's: [].

    `points` [N, 2] and `anchor` [M, 2] are rate and distortion of a coder at several settings. Negative: fewer bytes.
    `bench.bjontegaard` says how; its `NoComparison` is raised where the curves do not overlap.
    """
    import torch

    from bench.bjontegaard import Curve, log_rate_difference, percent

    curves = [Curve.through(*_columns(name, side)) for name, side in (("points", points), ("anchor", anchor))]
    return torch.tensor(percent(log_rate_difference(*curves)), dtype=torch.float64)


def rate_ratio(points: Tensor, anchor: Tensor) -> Tensor:
    """How many times the bytes the anchor needs for the distortion of each point: [B, 2], [M, 2] -> [B].

    `bench.bjontegaard.NoComparison` where a point's distortion is outside of the anchor's curve.
    """
    import numpy as np
    import torch

    from bench.bjontegaard import Curve

    rates, distortions = _columns("points", points)
    curve = Curve.through(*_columns("anchor", anchor))
    logs = np.array([curve.at(float(distortion)) for distortion in distortions])
    return torch.from_numpy(10**logs / rates)


def _columns(name: str, points: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"`{name}` must be [N, 2], rate and distortion, but has the shape {list(points.shape)}")
    rates, distortions = points.detach().cpu().double().numpy().T
    return rates, distortions


METRIC = (
    Metric(
        id="bd-rate-h264-lp",
        function=bd_rate,
        aspect="rate",
        feature="told+perceptual",
        higher_is_better=False,
        unit="%",
        description="bytes more (less: negative) than H.264 at equal lp, mean over what both reach, for each clip",
        paper=BJONTEGAARD,
    ),
    Metric(
        id="rate-ratio-h264-lp",
        function=rate_ratio,
        aspect="rate",
        feature="told+perceptual",
        higher_is_better=True,
        description="how many times the bytes H.264 needs for the same lp, for each clip",
        paper=BJONTEGAARD,
    ),
)
