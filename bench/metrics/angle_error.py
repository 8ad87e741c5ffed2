"""How far a head is from the pose that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.metrics.base import Metric, check_vectors

if TYPE_CHECKING:
    from torch import Tensor

OSFV = "Wang et al., One-Shot Free-View Neural Talking-Head Synthesis for Video Conferencing, CVPR 2021"


def angle_error(pred: Tensor, target: Tensor) -> Tensor:
    """Angle of the rotation between two head poses: yaw, pitch, roll [B, 3] in degrees (curate.angles) -> [B] in
    [0, 180] degrees.

    OSFV (Wang et al. 2021, table 3) counts angle errors below 15 degrees and does not say how three angles make one
    error: this is the strictest reading that needs no choice of axes. A mean over three angles would let a head that
    does not turn at all pass a yaw of 45.
    """
    import numpy as np
    import torch

    from curate.angles import rotation

    check_vectors(pred, target, "[B, 3]", (3,))
    one, two = (rotation(angles.detach().cpu().double().numpy()) for angles in (pred, target))
    cosine = (np.einsum("bij,bij->b", one, two) - 1) / 2  # the trace of one^T two is 1 + 2 cos
    return torch.from_numpy(np.degrees(np.arccos(cosine.clip(-1, 1)))).to(pred)


METRIC = Metric(
    id="angle-error",
    function=angle_error,
    aspect="redirection",
    feature="pose",
    higher_is_better=False,
    worst=180.0,
    unit="°",
    description="angle between the head's pose and the pose that was asked for",
    paper=OSFV,
)
