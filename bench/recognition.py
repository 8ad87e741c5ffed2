"""The task `kp-recognition`: who is it, by canonical keypoints alone (OSFV, Wang, Mallya, Liu; CVPR 2021)?

Canonical keypoints should hold a person's shape, and neither pose nor expression. A gallery has one picture of each
person; pictures from other clips are given the person whose keypoints are nearest (Euclidean distance of all
coordinates). The paper reports an accuracy and does not describe its classifier: nearest neighbour is the one with
nothing to choose. 68 landmarks of the picture, and points that are the same for everybody, are measured alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.interface import Extras, ModelSpec, Reenactor, Source
from bench.metrics.base import Metric
from bench.rows import Row, Told
from bench.tasks.base import Task
from curate.errors import UserError
from leaderboard.records import Sample

EYES = (36, 45)  # outer corners, of 68 landmarks
NO_KEYPOINTS = "a calibration row has no keypoints"


class Recogniser:
    """Tells `points` [T, D] of driving frames and `gallery` [1, D] of the source; the frames are given back as they
    are."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.told: dict[str, NDArray[Any]] = {}

    def points(self, images: Tensor, extras: Extras) -> Tensor:
        """[T, D] of images [T, 3, R, R]."""
        raise NotImplementedError

    def encode_source(self, images: Tensor, extras: Extras) -> Source:
        """The points of the source [1, 3, R, R]."""
        return Source(images, {"points": self.points(images, extras)})

    def reenact(self, source: Source, driving: Tensor, extras: Extras, *, relative_to: Tensor | None = None) -> Tensor:
        """The driving frames [T, 3, R, R]."""
        found = self.points(driving, extras)
        both = {"points": found, "gallery": source.state["points"]}
        if not all(bool(points.isfinite().all()) for points in both.values()):
            raise ValueError("the keypoints are not finite")
        self.told = {name: points.double().cpu().numpy() for name, points in both.items()}
        return driving


class CanonicalKeypoints(Recogniser):
    """Of a model with the capability "canonical-keypoints", as it gives them: [-1, 1], pose and expression removed."""

    def __init__(self, model: Any) -> None:
        super().__init__(model.spec)
        self._model = model

    def points(self, images: Tensor, extras: Extras) -> Tensor:
        """Each image is a source."""
        each = [self._model.canonical_keypoints(self._model.encode_source(image[None], {})) for image in images]
        return torch.stack(each).flatten(1)


class Landmarks(Recogniser):
    """68 landmarks of the picture without place, size and roll; yaw, pitch and expression stay in them."""

    def __init__(self) -> None:
        super().__init__(ModelSpec("landmarks68", "none", resolution=None, needs=("landmarks68",)))

    def points(self, images: Tensor, extras: Extras) -> Tensor:
        """See `normalised`."""
        return normalised(extras["landmarks68"]).flatten(1)


class Chance(Recogniser):
    """The same points for everybody: every person is equally near."""

    def __init__(self) -> None:
        super().__init__(ModelSpec("chance", "none", resolution=None, kind="calibration"))

    def points(self, images: Tensor, extras: Extras) -> Tensor:
        """Zeros."""
        return images.new_zeros((len(images), 1))


def normalised(landmarks: Tensor) -> Tensor:
    """Landmarks [T, 68, 2] with their mean at 0, a root mean square distance from it of 1, and level eyes."""
    centred = landmarks - landmarks.mean(1, keepdim=True)
    scaled = centred / centred.square().sum(2).mean(1).sqrt()[:, None, None]
    across = scaled[:, EYES[1]] - scaled[:, EYES[0]]
    cosine, sine = (across / across.norm(dim=1, keepdim=True)).unbind(1)
    turn = torch.stack((torch.stack((cosine, sine), 1), torch.stack((-sine, cosine), 1)), 1)
    return scaled @ turn.transpose(1, 2)


def rows(models: list[Reenactor]) -> list[Reenactor]:
    """The models' keypoints, landmarks and chance; `UserError` for a model without canonical keypoints."""
    made: list[Reenactor] = []
    for model in models:
        if model.spec.kind == "calibration":
            made.append(model)
        elif "canonical-keypoints" in model.spec.capabilities:
            made.append(CanonicalKeypoints(model))
        else:
            name = model.spec.name
            raise UserError(f"task kp-recognition needs a model that can do 'canonical-keypoints', and {name} cannot")
    return [*made, Landmarks(), Chance()]


def conclude(task: Task, rows: Sequence[Row]) -> None:
    """Give every row its samples: each probe against the gallery of all persons."""
    for row in rows:
        shown = [told for told in row.told.values() if "gallery" in told.values]
        gallery = {told.pair.source.person: told.values["gallery"][0] for told in shown}
        row.stated["gallery"] = {"persons": len(gallery)}
        for told in row.told.values():
            for metric in row.metrics:
                if metric.told:
                    row.samples += _samples(row, metric, told, gallery)


def _samples(row: Row, metric: Metric, told: Told, gallery: dict[str, NDArray[Any]]) -> Iterable[Sample]:
    person = told.pair.source.person
    where = (told.pair.id, told.pair.driving.clip_id, person)
    name = row.name_of(metric)
    for frame, reason in told.lost.items():
        yield Sample(*where, frame, name, None, "failed", reason)
    if not told.indices:
        return
    reason = NO_KEYPOINTS if "points" not in told.values else "one person in the gallery" if len(gallery) < 2 else ""
    if reason:
        yield Sample(*where, None, name, None, "missing", reason, n=len(told.indices))
        return
    people = sorted(gallery)
    apart = told.values["points"][:, None] - np.stack([gallery[who] for who in people])
    distances = torch.from_numpy(np.linalg.norm(apart, axis=2))
    own = torch.full((len(distances),), people.index(person))
    for frame, value in zip(told.indices, metric.function(distances, own).tolist(), strict=True):
        yield Sample(*where, frame, name, value)
