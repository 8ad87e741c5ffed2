"""What a metric states about itself, and the checks that all of them share. Importing this does not import torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from bench.metrics.spread import Spread

PAPER = "paper"  # the suite of the papers' networks
HEARD = ("sound", "voice")  # kinds of features that come from the driving clip's sound

Aspect = Literal["pixels", "motion", "redirection", "identity", "distribution", "rate", "recognition"]
Feature = Literal[
    "frames",
    "landmarks",
    "pose",
    "expression",
    "identity",
    "perceptual",
    "frechet",
    "pose+identity",
    "frames+mask",
    "told",
    "told+perceptual",
    "perceptual_vgg",
    "frame_identity",
    "video",
    "pose+landmarks",
    "landmarks+sound",
    "pose+landmarks+sound",
    "pose+landmarks+aesthetics+mouth_quality+face_quality+sound",
    "aesthetics",
    "mouth_quality",
    "face_quality",
    "lips+voice",
]


@dataclass(frozen=True)
class Metric:
    """A pure function with what is needed to apply it and to read its values.

    `function(pred, target)` takes the features of B frames ([B, 3, H, W] in [0, 1], landmarks [B, 68, 2] in pixels,
    pose [B, 3] in degrees, expression [B, 18] in [0, 1], embeddings and other vectors [B, D], for "pose+identity" both
    side by side, for "frames+mask" [B, 4, H, W], the fourth channel the head's mask in [0, 1]) and gives one value per
    frame, [B]. A metric that compares sets instead takes [N, D] and [M, D], gives one value, [], and states `of_sets`.
    One of "told" is computed from what models tell of their work (`bench.rows.Told`), by the task, after all pairs.

    Not every metric is a mean over frames:

    - `of_mean`: the value of all frames together is this of the mean of `function`'s values (PSNR of the mean error);
    - `of_sets`: it compares two sets, whose vectors [N, D] are the frames' features, or `vectors` of those of each
      pair's frames in their order [T, ...];
    - `of_clip`: `function` takes the features of a pair's frames in their order and gives one value, [].
    """

    id: str
    function: Callable[[Tensor, Tensor], Tensor]
    aspect: Aspect  # which of a task's references it compares with
    feature: Feature  # what of the frames it reads; all but "frames" need a network
    higher_is_better: bool
    description: str
    unit: str = ""  # "": dimensionless
    paper: str = ""
    worst: float | None = None  # no value is worse: a failed frame counts as it where failures are penalised
    ceiling: float | None = None  # values above are recorded as this (an infinite value has no mean)
    of_sets: Callable[[Spread, Spread], float] | None = None  # `function` from what was gathered frame by frame
    variant_of: str = ""  # id of the metric of which papers print this under the same name; "": it is one itself
    at: Callable[[Mapping[str, float]], Metric] | None = None  # itself with a task's parameters, which its id then says
    takes: tuple[str, ...] = ()  # names of the parameters that `at` reads
    best: float = math.inf  # of a metric of which more is better: no value is better
    version: int = 1  # of the definition: another one gives other values
    paper_id: str = ""  # its id where the papers' networks measure it, where that is another
    against: Literal["", "driving", "source"] = ""  # compared with these frames, whatever the task says
    lost: float | None = None  # the value of a frame that shows no face, where the reference does; None: it failed
    of_mean: Callable[[float], float] | None = None
    vectors: Callable[[Tensor], Tensor] | None = None
    of_clip: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of networks that it needs."""
        return tuple(kind for kind in self.feature.split("+") if kind not in ("frames", "told", *HEARD))

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest value that it can have."""
        if self.higher_is_better:
            return (-math.inf if self.worst is None else self.worst), self.best
        return 0.0, (math.inf if self.worst is None else self.worst)

    def id_in(self, suite: str) -> str:
        """Its id where a suite's networks measure it: a plain name belongs to the papers' networks.

        A later version says so: `ssim@2` stands in no column with `ssim`.
        """
        later = "" if self.version == 1 else f"@{self.version}"
        if not self.kinds:
            return self.id + later
        return (self.paper_id or self.id) + later if suite == PAPER else f"{self.id}-{suite}{later}"

    @property
    def hears(self) -> str:
        """What it needs of the driving clip's sound, after what networks see: "sound" [T, 2], see `bench.sound`, or
        "voice" [T, D], what the network that sees the lips hears; "": nothing."""
        last = self.feature.rsplit("+", 1)[-1]
        return last if last in HEARD else ""

    @property
    def told(self) -> bool:
        """Whether it is computed from what models tell, not from frames."""
        return self.feature.startswith("told")

    def under(self, parameters: Mapping[str, float]) -> Metric:
        """The metric with those of a task's parameters that it has."""
        return self if self.at is None else self.at(parameters)


def check_images(pred: Tensor, target: Tensor, least: int = 1) -> None:
    """Raise ValueError unless both are float [B, 3, H, W] in [0, 1] of one shape, with sides of `least` or more."""
    for name, value in (("pred", pred), ("target", target)):
        shape = tuple(value.shape)
        if len(shape) != 4 or shape[1] != 3 or 0 in shape:
            raise ValueError(f"`{name}` must have the shape [B, 3, H, W], none of them 0, but has {list(shape)}")
        if min(shape[2:]) < least:
            raise ValueError(f"`{name}` must be at least {least} x {least} pixels, but is {shape[3]} x {shape[2]}")
    _check_pair(pred, target)
    for name, value in (("pred", pred), ("target", target)):
        low, high = map(float, value.aminmax())
        if not (low >= 0 and high <= 1):  # written so that NaN fails too
            raise ValueError(f"`{name}` must have values in [0, 1], but they reach from {low:g} to {high:g}")


def check_masked(pred: Tensor, target: Tensor, least: int = 1) -> None:
    """Raise ValueError unless both are float [B, 4, H, W] in [0, 1] of one shape: RGB and a mask."""
    for name, value in (("pred", pred), ("target", target)):
        if value.dim() != 4 or value.shape[1] != 4:
            raise ValueError(f"`{name}` must have the shape [B, 4, H, W], RGB and mask, but has {list(value.shape)}")
    check_images(pred[:, :3], target[:, :3], least)
    for name, value in (("pred", pred), ("target", target)):
        low, high = float(value[:, 3].min()), float(value[:, 3].max())
        if not (low >= 0 and high <= 1):
            raise ValueError(f"the mask of `{name}` must be in [0, 1], but its values reach from {low:g} to {high:g}")


def check_vectors(pred: Tensor, target: Tensor, form: str, last: tuple[int, ...] = ()) -> None:
    """Raise ValueError unless both are finite floats of one shape of as many axes as `form` names, ending in `last`."""
    for name, value in (("pred", pred), ("target", target)):
        shape = tuple(value.shape)
        if len(shape) != form.count(",") + 1 or shape[len(shape) - len(last) :] != last or 0 in shape:
            raise ValueError(f"`{name}` must have the shape {form}, but has {list(shape)}")
    _check_pair(pred, target)
    for name, value in (("pred", pred), ("target", target)):
        if not bool(value.isfinite().all()):
            raise ValueError(f"`{name}` must be finite, but holds NaN or infinity: leave out frames without a face")


def _check_pair(pred: Tensor, target: Tensor) -> None:
    for name, value in (("pred", pred), ("target", target)):
        if not value.is_floating_point():
            raise ValueError(f"`{name}` must be a float tensor, but is {value.dtype}")
    if pred.shape != target.shape:
        raise ValueError(f"`pred` must have the shape of `target`, {list(target.shape)}, but has {list(pred.shape)}")
