"""What landmark-driven models are driven with, checked."""

from __future__ import annotations

from torch import Tensor

from baselines.interface import Extras
from models.errors import InputError, check_shape

NAMED = 8  # frames that a message names at most


def landmarks_of(side: str, images: Tensor, extras: Extras) -> Tensor:
    """The landmarks float32 [N, 68, 2] of all N images, in their pixels. `side` is what a message calls the images.

    `InputError` names what is missing, or the frames in which no face was found.
    """
    points = extras.get("landmarks68")
    if points is None:
        raise InputError(f"extras of {side} frames: expected landmarks68, got {', '.join(extras) or 'nothing'}")
    check_shape(f"landmarks68 of {side} frames", points, (len(images), 68, 2))
    if lost := points.isnan().flatten(1).any(1).nonzero().flatten().tolist():
        named = ", ".join(map(str, lost[:NAMED])) + (", ..." if len(lost) > NAMED else "")
        raise InputError(f"landmarks68: no face was found in {side} frames {named}")
    return points.float()
