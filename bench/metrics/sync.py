"""SyncNet's confidence and distance (Chung, Zisserman, ACCV Workshops 2016), which Wav2Lip's paper (Prajwal et al., A
Lip Sync Expert Is All You Need, ACM MM 2020) calls LSE-C and LSE-D.

The mouth's embeddings are compared with those of the sound, shifted by up to 15 frames either way: the distance is the
least of the shifts' mean distances, the confidence how far it is below their median.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.metrics.base import Metric

if TYPE_CHECKING:
    from torch import Tensor

PAPER = "Chung, Zisserman, Out of Time: Automated Lip Sync in the Wild, ACCV Workshops 2016"
REACH = 15  # frames


def shifted(lips: Tensor, voice: Tensor, reach: int = REACH) -> Tensor:
    """Embeddings of mouth and sound [N, D] that follow each other -> [2 reach + 1]: mean distance of the mouth's to the
    sound's `reach` frames before .. `reach` after. As in the public code, zeros stand where there is no sound."""
    import torch.nn.functional as F

    if lips.ndim != 2 or lips.shape != voice.shape or not len(lips):
        raise ValueError(f"expected two of one shape [N, D], got {list(lips.shape)} and {list(voice.shape)}")
    padded = F.pad(voice, (0, 0, reach, reach))
    shifts = [F.pairwise_distance(lips, padded[i : i + len(lips)]).mean() for i in range(2 * reach + 1)]
    return lips.new_tensor([float(mean) for mean in shifts])


def sync_c(pred: Tensor, target: Tensor) -> Tensor:
    """The confidence of a clip whose rows are embeddings of mouth and sound side by side [T, 2 D] -> [].

    Rows whose sound is NaN are not looked at: frames off the beat, and after the sound's end. Where the mouth is NaN
    there is no face, and the longest stretch between is measured; NaN where it is shorter than all shifts. `target` is
    not looked at.
    """
    curve = _curve(pred)
    return curve.median() - curve.min()


def sync_d(pred: Tensor, target: Tensor) -> Tensor:
    """The distance of a clip, of the same rows as in `sync_c`."""
    return _curve(pred).min()


def _curve(seen: Tensor) -> Tensor:
    heard = seen.chunk(2, dim=1)[1].isfinite().all(dim=1)
    rows = _longest(seen[heard])
    if len(rows) < 2 * REACH + 1:
        return seen.new_full((1,), float("nan"))
    lips, voice = rows.chunk(2, dim=1)
    return shifted(lips, voice)


def _longest(seen: Tensor) -> Tensor:
    """The longest stretch of rows that are numbers."""
    best = start = length = 0
    for row, whole in enumerate(seen.isfinite().all(dim=1).tolist()):
        length = length + 1 if whole else 0
        if length > best:
            best, start = length, row + 1 - length
    return seen[start : start + best]


VARIANTS = (
    Metric(
        id="sync-c",
        function=sync_c,
        aspect="motion",
        feature="lips+voice",
        higher_is_better=True,
        description="SyncNet's confidence that the lips say what the driving clip's sound says (LSE-C)",
        paper=PAPER,
        worst=0.0,
        variant_of="akd",
        of_clip=True,
    ),
    Metric(
        id="sync-d",
        function=sync_d,
        aspect="motion",
        feature="lips+voice",
        higher_is_better=False,
        description="SyncNet's distance of lips and the driving clip's sound, at the shift where it is least (LSE-D)",
        paper=PAPER,
        variant_of="akd",
        of_clip=True,
    ),
)
