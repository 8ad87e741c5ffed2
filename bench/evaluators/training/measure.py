"""Errors of the builtin networks on rendered people, whose truth is known exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.evaluators.builtin import BuiltinFace, BuiltinFeatures, BuiltinHead, BuiltinIdentity, HeadLook
from bench.evaluators.training import augment
from bench.evaluators.training.detector import usual
from bench.evaluators.training.frames import SIDE, FrameSet, eye_distance
from curate import angles
from curate.perception.interface import Detector, Faces, Frames, NetworkInfo
from curate.synth.parameters import ACTIVE

Array = NDArray[np.float64]
AT_ONCE = 64  # frames shown to a network in one call: bounds memory

BANDS = ((0, 15), (15, 30), (30, 45), (45, 60))  # of |yaw|, degrees


@dataclass(frozen=True)
class TrueFaces(Faces):
    """The true face of one frame: a box and points as of a detector without random errors, and all landmarks."""

    landmarks: NDArray[np.float32]  # [68, 2] pixels


class PerfectHead:
    """In the place of `BuiltinHead`: points the closer networks to the true landmarks, to measure them on their own."""

    info = NetworkInfo("truth", "", "")

    def look(self, frames: Frames, faces: Sequence[Faces]) -> HeadLook:
        """As the head network's, for `TrueFaces`; it has no mask."""
        landmarks = np.stack([face.landmarks for face in faces if isinstance(face, TrueFaces)]).astype(np.float64)
        return HeadLook(list(range(len(frames))), [], landmarks, np.zeros((0, 0, 0), np.float32))


def true_faces(data: FrameSet) -> list[Faces]:
    """The true face of every frame."""
    score = np.ones(1, np.float32)
    faces: list[Faces] = []
    for i, landmarks in enumerate(data.landmarks):
        box, points = usual(data.box[i], data.points_of(i))
        faces.append(TrueFaces(box[None].astype(np.float32), score, points[None].astype(np.float32), landmarks))
    return faces


def detected_faces(data: FrameSet, detector: Detector, on_frames: Callable[[int], None] | None = None) -> list[Faces]:
    """What a detector says; `on_frames(done)` is called as it goes."""
    faces: list[Faces] = []
    for start in range(0, len(data), AT_ONCE):
        faces += detector.detect(np.array(data.frames[start : start + AT_ONCE]))
        if on_frames is not None:
            on_frames(len(faces))
    return faces


@dataclass(frozen=True)
class HeadErrors:
    """Errors of `BuiltinHead` by frame; NaN where no face was found."""

    landmarks: Array  # [N] mean distance of 68 points over the distance of the outer eye corners, both in the image
    mask_iou: Array  # [N] intersection over union of the heads, cut at one half

    def summary(self) -> dict[str, float]:
        """Means over frames with a face."""
        found = np.isfinite(self.landmarks)
        return {
            "frames": int(found.sum()),
            "landmarks_over_eye_distance": _mean(self.landmarks[found]),
            "mask_iou": _mean(self.mask_iou[found]),
        }


def head_errors(network: BuiltinHead, data: FrameSet, faces: Sequence[Faces]) -> HeadErrors:
    """Compare the head network with the truth, starting from `faces`."""
    landmarks, iou = np.full(len(data), np.nan), np.full(len(data), np.nan)
    for start in range(0, len(data), AT_ONCE):
        part = np.s_[start : start + AT_ONCE]
        frames, found, truth = data.frames[part], faces[part], data.landmarks[part]
        look = network.look(frames, found)
        seen = np.array(look.present, np.intp)
        apart = np.linalg.norm(look.landmarks - truth[seen], axis=2).mean(1)
        landmarks[start + seen] = apart / eye_distance(truth[seen])
        inside = network.mask(frames, found)[seen] > 0.5
        whole = np.stack([cv2.resize(mask, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for mask in data.mask[part]])
        head = whole[seen] > 127
        iou[start + seen] = (inside & head).sum((1, 2)) / np.maximum((inside | head).sum((1, 2)), 1)
    return HeadErrors(landmarks, iou)


@dataclass(frozen=True)
class FaceErrors:
    """Errors of `BuiltinFace` by frame; NaN where no face was found."""

    yaw: Array  # [N] true, degrees
    landmarks: Array  # [N] mean distance of 68 points over the distance of the outer eye corners, both in the image
    pose: Array  # [N, 3] absolute errors of yaw, pitch, roll, degrees
    agreement: Array  # [N] share of units that are active in both or in neither
    unit_agreement: Array  # [18] the same by unit
    majority: float  # that share for whoever always says what is more frequent, by unit
    active: float  # share of active units

    def summary(self, chosen: NDArray[np.bool_] | None = None) -> dict[str, float]:
        """Means over frames with a face, or over those of them that are `chosen` [N]."""
        found = np.isfinite(self.landmarks) & (True if chosen is None else chosen)
        return {
            "frames": int(found.sum()),
            "landmarks_over_eye_distance": _mean(self.landmarks[found]),
            "landmarks_median": float(np.median(self.landmarks[found])),
            "pose_degrees": _mean(self.pose[found]),
            "yaw_degrees": _mean(self.pose[found, 0]),
            "pitch_degrees": _mean(self.pose[found, 1]),
            "roll_degrees": _mean(self.pose[found, 2]),
            "expression_agreement": _mean(self.agreement[found]),
        }

    def by_yaw(self) -> dict[str, dict[str, float]]:
        """`summary` for each of `BANDS`."""
        return {f"{low}-{high}": self.summary(chosen) for (low, high), chosen in bands(self.yaw)}


def bands(yaw: Array) -> Iterator[tuple[tuple[int, int], NDArray[np.bool_]]]:
    """Each of `BANDS` with the frames [N] whose yaw lies in it."""
    for low, high in BANDS:
        yield (low, high), (np.abs(yaw) >= low) & (np.abs(yaw) < high)


def _mean(values: NDArray[Any]) -> float:
    return float(np.mean(values))


def face_errors(network: BuiltinFace, data: FrameSet, faces: Sequence[Faces]) -> FaceErrors:
    """Compare the face network with the truth, starting from `faces`."""
    landmarks, pose, expression = [], [], []
    for start in range(0, len(data), AT_ONCE):
        part = np.s_[start : start + AT_ONCE]
        frames, found, truth = data.frames[part], faces[part], data.landmarks[part]
        apart = np.linalg.norm(network.landmarks(frames, found) - truth, axis=2).mean(1)
        landmarks.append(apart / eye_distance(truth))
        turned = np.abs(network.pose(frames, found) - angles.angles(data.rotation[part]))
        pose.append(np.minimum(turned, 360 - turned))
        expression.append(network.expression(frames, found))
    error = np.concatenate(landmarks).astype(np.float64)
    seen = np.isfinite(error)
    active = data.expression > ACTIVE
    right = (np.concatenate(expression) > ACTIVE) == active
    often = active[seen].mean(0)
    return FaceErrors(
        yaw=angles.angles(data.rotation)[:, 0],
        landmarks=error,
        pose=np.concatenate(pose),
        agreement=np.where(seen, right.mean(1), np.nan),
        unit_agreement=right[seen].mean(0),
        majority=_mean(np.maximum(often, 1 - often)),
        active=_mean(often),
    )


def embeddings(network: BuiltinIdentity, data: FrameSet, faces: Sequence[Faces]) -> Array:
    """[N, D] of every frame; NaN where no face was found."""
    parts = [network.embed(data.frames[i : i + AT_ONCE], faces[i : i + AT_ONCE]) for i in range(0, len(data), AT_ONCE)]
    return np.concatenate(parts).astype(np.float64)


@dataclass(frozen=True)
class Verification:
    """How well embeddings tell people apart."""

    auc: float  # chance that two pictures of one person are nearer than two of different people
    equal_error_rate: float
    same_p5: float  # cosines
    same_median: float
    different_median: float
    different_p95: float


def verification(vectors: Array, people: NDArray[Any], group: NDArray[Any] | None = None) -> Verification:
    """From unit vectors [N, D] and who each one is [N], over all pairs; pairs of one `group` [N] are left out.

    A group is a clip or a camera: two pictures of one shoot tell little. Rows that are NaN are left out.
    """
    found = np.isfinite(vectors).all(1)
    vectors, people = vectors[found], np.asarray(people)[found]
    cosine = vectors @ vectors.T
    pairs = np.triu(np.ones_like(cosine, dtype=bool), 1)
    if group is not None:
        groups = np.asarray(group)[found]
        pairs &= groups[:, None] != groups[None]
    same = people[:, None] == people[None]
    alike, unlike = cosine[pairs & same], cosine[pairs & ~same]
    if not len(alike) or not len(unlike):
        raise ValueError("verification needs pairs of the same person and pairs of different people")
    return Verification(
        auc=auc(alike, unlike),
        equal_error_rate=_equal_error_rate(alike, unlike),
        same_p5=float(np.percentile(alike, 5)),
        same_median=float(np.median(alike)),
        different_median=float(np.median(unlike)),
        different_p95=float(np.percentile(unlike, 95)),
    )


def auc(positive: Array, negative: Array) -> float:
    """Chance that a positive exceeds a negative; equal values count half."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")
    return float(below.mean() / (2 * len(negative)))


def _equal_error_rate(alike: Array, unlike: Array) -> float:
    limits = np.quantile(np.concatenate([alike, unlike]), np.linspace(0, 1, 2001))
    missed = np.searchsorted(np.sort(alike), limits, "left") / len(alike)
    taken = 1 - np.searchsorted(np.sort(unlike), limits, "left") / len(unlike)
    best = int(np.argmin(np.abs(missed - taken)))
    return float((missed[best] + taken[best]) / 2)


DISTORTIONS: dict[str, tuple[float, ...]] = {
    "blur": (0.7, 1.2, 2.0, 3.5),  # sigma, pixels at 256
    "noise": (3, 8, 16, 30),  # sigma, grey levels
    "blocks": (70, 40, 20, 8),  # JPEG quality
    "shift": (1, 2, 4, 8),  # pixels at 256
    "contrast": (0.9, 0.75, 0.6, 0.4),
}


def distorted(frame: NDArray[np.uint8], kind: str, level: float) -> NDArray[np.uint8]:
    """A frame with one of `DISTORTIONS`; the same noise at every level."""
    if kind == "blur":
        return augment.blur(frame, level)
    if kind == "noise":
        return augment.noise(np.random.default_rng(1), frame, level)
    if kind == "blocks":
        return augment.blocks(frame, int(level))
    if kind == "shift":
        matrix = np.array([[1, 0, level], [0, 1, 0]], np.float64)
        return np.asarray(cv2.warpAffine(frame, matrix, frame.shape[1::-1], borderMode=cv2.BORDER_REFLECT), np.uint8)
    middle = frame.mean((0, 1))
    return np.asarray(np.clip(middle + level * (frame - middle), 0, 255).round(), np.uint8)


def perceptual_distances(network: BuiltinFeatures, data: FrameSet) -> dict[str, list[float]]:
    """Mean distance of frames to themselves distorted, level by level, and to other frames.

    `other shot` is the next frame of the same person and camera, `other person` a frame of the next person.
    """
    chosen = data.frames[:: data.recipe.each]
    base = network.perceptual(chosen)

    def distance(others: NDArray[np.uint8]) -> float:
        return float(np.square(network.perceptual(others) - base).sum(1).mean())

    found = {
        kind: [distance(np.stack([distorted(frame, kind, level) for frame in chosen])) for level in levels]
        for kind, levels in DISTORTIONS.items()
    }
    found["other shot"] = [distance(data.frames[1 :: data.recipe.each])]
    found["other person"] = [distance(np.roll(chosen, -1, axis=0))]
    return found
