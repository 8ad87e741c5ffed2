"""Apply metrics to output frames: one value per frame or one for all of them, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.evaluators.suite import IN_ORDER
from bench.metrics.base import Metric
from bench.metrics.spread import Spread
from curate.errors import UserError

if TYPE_CHECKING:
    from bench.features import Features
    from curate.perception.interface import Frames

AT_ONCE = 16  # frames scored together: bounds memory, and no value depends on it
WIDE_AT_ONCE = 4  # the same where a frame's features are up to 32 MB

T = TypeVar("T", bound=np.generic)

Outcome = tuple[float | None, Literal["ok", "failed", "missing"], str | None]
"""Value, status, reason: as in a sample."""


@dataclass(frozen=True)
class Look:
    """Frames of one side of a comparison, uint8 [T, S, S, 3], with what the networks saw in them (kind -> [T, ...])."""

    frames: Frames
    features: dict[str, NDArray[np.float32]]

    def taken(self, places: NDArray[np.intp]) -> Look:
        """The frames at some places."""
        return Look(self.frames[places], {kind: values[places] for kind, values in self.features.items()})

    def repeated(self, count: int) -> Look:
        """The first frame, `count` times; nothing is copied."""

        def first(values: NDArray[T]) -> NDArray[T]:
            return np.broadcast_to(values[:1], (count, *values.shape[1:]))

        return Look(first(self.frames), {kind: first(values) for kind, values in self.features.items()})


def to_tensor(frames: Frames, device: str = "cpu") -> Tensor:
    """Frames uint8 [T, H, W, 3] -> float32 [T, 3, H, W] in [0, 1]."""
    planes = torch.from_numpy(np.ascontiguousarray(frames)).to(device).permute(0, 3, 1, 2).contiguous()
    return planes.float().div_(255)


def to_frames(images: Tensor) -> Frames:
    """Float [T, 3, H, W] -> uint8 [T, H, W, 3]: clamped and rounded (cutting off would darken by half a step)."""
    return (images.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def score(metric: Metric, pred: Look, target: Look, features: Features | None = None) -> list[Outcome]:
    """The outcome of each of T frames. A face not found counts against the output, unless the reference has none.

    `features` gives what the looks do not hold, for as many frames as are scored together.
    """
    comparable, lost = _split(metric, pred, target)
    found: dict[int, Outcome] = dict(lost)
    for i, value in zip(comparable.tolist(), _values(metric, pred, target, comparable, features), strict=True):
        found[i] = _outcome(metric, value)
    return [found[i] for i in range(len(pred.frames))]


def score_clip(metric: Metric, pred: Look, target: Look) -> Outcome:
    """The outcome of a pair's frames together: those in which both sides have a face."""
    comparable, _ = _split(metric, pred, target)
    if len(comparable) < 2:
        return None, "failed", "fewer than two frames in which both sides have a face"
    sides = [_tensor(look.taken(comparable), metric) for look in (pred, target)]
    value = float(metric.function(sides[0], sides[1]))
    if math.isnan(value):
        if math.isnan(float(metric.function(sides[1], sides[1]))):
            return None, "missing", "the clip shows nothing of what is measured"
        return None, "failed", "the output shows too little of what is measured, and the reference enough"
    return (value, "ok", None) if math.isfinite(value) else (None, "failed", f"the value is {value}")


def without_face(metric: Metric, pred: Look, target: Look) -> dict[int, Outcome]:
    """The outcomes of the frames that `score_clip` leaves out, by place."""
    return _split(metric, pred, target)[1]


def score_pixels(metrics: Sequence[Metric], pred: Look, target: Look) -> dict[str, list[Outcome]]:
    """`score` of metrics of pixels alone, by id: frames are made tensors once for all of them."""
    found: dict[str, list[Outcome]] = {metric.id: [] for metric in metrics}
    for start in range(0, len(pred.frames), AT_ONCE):
        sides = [to_tensor(look.frames[start : start + AT_ONCE]) for look in (pred, target)]
        for metric in metrics:
            found[metric.id] += [_outcome(metric, value) for value in _applied(metric, *sides)]
    return found


def _outcome(metric: Metric, value: float) -> Outcome:
    capped = value if metric.ceiling is None else min(value, metric.ceiling)
    return (capped, "ok", None) if math.isfinite(capped) else (None, "failed", f"the value is {capped}")


class MeanScore:
    """A metric of the mean of all frames' values (`Metric.of_mean`) in the making."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._values: list[float] = []  # added up once all are known: the sum depends on no order

    def add(self, pred: Look, target: Look) -> dict[int, Outcome]:
        """Take in T frames; gives the outcomes of those that have no value."""
        comparable, lost = _split(self._metric, pred, target)
        self._values.extend(_values(self._metric, pred, target, comparable))
        return lost

    def outcome(self) -> tuple[Outcome, int]:
        """The outcome of all frames together, and how many they are."""
        count = len(self._values)
        if not count or self._metric.of_mean is None:
            return (None, "failed", "no frame has a value"), count
        value = self._metric.of_mean(math.fsum(self._values) / count)
        value = value if self._metric.ceiling is None else min(value, self._metric.ceiling)
        return ((value, "ok", None) if math.isfinite(value) else (None, "failed", f"the value is {value}")), count


class SetScore:
    """A metric of sets in the making: what it has seen so far of the output frames and of their references."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._pred, self._target = Spread(), Spread()
        self._frames = 0

    def add(self, pred: Look, target: Look) -> dict[int, Outcome]:
        """Take in T frames of either side; gives the outcomes of those that belong to no set: neither side counts
        them."""
        comparable, lost = _split(self._metric, pred, target)
        self._frames += len(comparable)
        if not len(comparable):
            return lost
        for spread, look in ((self._pred, pred), (self._target, target)):
            features = _seen(look, self._metric)[comparable]
            if self._metric.vectors is not None:
                features = self._metric.vectors(torch.from_numpy(features)).double().numpy()
            if len(features):
                spread.add(features)
        return lost

    def outcome(self) -> tuple[Outcome, int]:
        """The outcome of all frames together, and how many they are."""
        count = self._frames
        if min(self._pred.count, self._target.count) < 2 or self._metric.of_sets is None:
            what = "frames" if self._metric.vectors is None else "clips"
            return (None, "failed", f"a set needs two {what} at least"), count
        value = self._metric.of_sets(self._pred, self._target)
        return ((value, "ok", None) if math.isfinite(value) else (None, "failed", f"the value is {value}")), count


def _split(metric: Metric, pred: Look, target: Look) -> tuple[NDArray[np.intp], dict[int, Outcome]]:
    """The frames in which both sides show what the metric reads, and the outcome of each other one."""
    if not [kind for kind in metric.kinds if kind in pred.features and kind not in IN_ORDER]:
        return np.arange(len(pred.frames)), {}  # pixels, whole frames that are looked at later, windows
    in_pred, in_target = (_has_face(_seen(look, metric)) for look in (pred, target))
    lost: dict[int, Outcome] = {}
    for i in np.flatnonzero(~(in_pred & in_target)).tolist():
        if in_target[i]:
            if metric.lost is None:
                lost[i] = (None, "failed", "no face found in the output frame")
            else:
                lost[i] = (metric.lost, "ok", None)
        else:
            lost[i] = (None, "missing", "no face found in the reference frame")
    return np.flatnonzero(in_pred & in_target), lost


def _has_face(feature: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(feature.reshape(len(feature), -1)).all(axis=1))


def _values(
    metric: Metric, pred: Look, target: Look, frames: NDArray[np.intp], features: Features | None = None
) -> Iterator[float]:
    lacking = [kind for kind in metric.kinds if kind not in pred.features or kind not in target.features]
    at_once = WIDE_AT_ONCE if lacking else AT_ONCE
    for start in range(0, len(frames), at_once):
        chosen = frames[start : start + at_once]
        sides = [_tensor(_part(look, chosen, lacking, features), metric) for look in (pred, target)]
        yield from _applied(metric, *sides)


def _applied(metric: Metric, pred: Tensor, target: Tensor) -> list[float]:
    values = metric.function(pred, target)
    if tuple(values.shape) != (len(pred),):
        raise UserError(f"metric {metric.id} must give one value per frame, [{len(pred)}], not {list(values.shape)}")
    found: list[float] = values.tolist()
    return found


def _part(look: Look, chosen: NDArray[np.intp], lacking: Collection[str], features: Features | None) -> Look:
    """Some frames of a look, with features that it does not hold."""
    frames = look.frames[chosen]
    seen = {kind: values[chosen] for kind, values in look.features.items()}
    if lacking:
        if features is None:
            raise ValueError(f"the frames have no features {', '.join(lacking)}")
        seen |= features.of(frames, lacking)
    return Look(frames, seen)


def _tensor(look: Look, metric: Metric) -> Tensor:
    if metric.feature == "frames":
        return to_tensor(look.frames)
    if metric.feature == "frames+mask":
        mask = torch.from_numpy(look.features["mask"])
        return torch.cat((to_tensor(look.frames), mask[:, None]), dim=1)
    return torch.from_numpy(_seen(look, metric))


def _seen(look: Look, metric: Metric) -> NDArray[np.float32]:
    """What the metric's networks saw in each frame, [T, ...]; what several saw stands side by side."""
    seen = [look.features[kind] for kind in (*metric.kinds, *([metric.hears] if metric.hears else []))]
    return seen[0] if len(seen) == 1 else np.concatenate([part.reshape(len(part), -1) for part in seen], axis=1)
