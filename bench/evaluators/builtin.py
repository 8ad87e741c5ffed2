"""The `builtin` networks behind the interface of `curate.perception`: small, trained on rendered heads, shipped.

They are surrogates for the papers' networks (docs/evaluators.md says how far off they are on rendered and on real
faces); what they measure carries their suite's name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.evaluators import crops, mirror, shipped
from curate.perception import align
from curate.perception.interface import Faces, Frames, NetworkInfo
from models.evaluators import (
    EMBEDDING,
    FACE_SIDE,
    FRAME_SIDE,
    FRECHET,
    HEAD_SIDE,
    IDENTITY_SIDE,
    LANDMARKS,
    MAPS,
    MASK_SIDE,
    UNITS,
)

Array = NDArray[np.float32]

CELLS = (32, 16, 16)  # the feature network's maps are pooled to so many cells a side before they are compared
SCALE_WEIGHTS = (1 / 3, 1 / 3, 1 / 3)  # of the three maps in the perceptual distance, fine to coarse

R = TypeVar("R")


class _Latest(Generic[R]):
    """The last answer, where the same is asked again: the heads of one network are asked one after the other."""

    def __init__(self, answer: Callable[[Frames, Sequence[Faces]], R]) -> None:
        self._answer = answer
        self._asked = b""
        self._result: R

    def __call__(self, frames: Frames, faces: Sequence[Faces] = ()) -> R:
        # by content, for an array may have been written to since; a hash costs a tenth of the network's time
        digest = blake2b(repr((frames.shape, len(faces))).encode() + frames.tobytes(), digest_size=16)
        for found in faces:
            digest.update(found.boxes[:1].tobytes() + found.points[:1].tobytes())
        if digest.digest() != self._asked:
            self._asked = b""
            self._result = self._answer(frames, faces)
            self._asked = digest.digest()
        return self._result


def run_each(network: nn.Module, crops_: Sequence[NDArray[np.uint8]]) -> list[Tensor]:
    """All outputs of a network for uint8 RGB crops [S, S, 3], flattened into a list, each [N, ...].

    Crops go through one by one, so that no value depends on the others.
    """
    rows: list[list[Tensor]] = []
    with torch.inference_mode():
        for crop in crops_:
            image = torch.from_numpy(np.array(crop))[None].permute(0, 3, 1, 2).float() / 255
            rows.append(list(_flat(network(image))))
    return [torch.cat(column) for column in zip(*rows, strict=True)]


def _flat(output: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    if isinstance(output, Tensor):
        return (output,)
    return [tensor for part in output for tensor in _flat(part)]


@dataclass(frozen=True)
class HeadLook:
    """What the head network saw in the frames that have a face."""

    present: list[int]  # which frames those are
    matrices: list[align.Matrix]  # from frame to crop
    landmarks: NDArray[np.float64]  # [n, 68, 2] pixels of the frame
    mask: Array  # [n, 64, 64] in [0, 1]


class Pointer(Protocol):
    """What points the closer networks to the face; `BuiltinHead` does."""

    info: NetworkInfo

    @property
    def look(self) -> Callable[[Frames, Sequence[Faces]], HeadLook]:
        """Where the first face of each frame is."""
        ...


class BuiltinHead:
    """The head's mask, and where the face is, for the networks that look closer."""

    def __init__(self, folder: Path = shipped.WEIGHTS) -> None:
        self._network, self.info = shipped.load("head", folder)
        self.look = _Latest(self._see)

    def mask(self, frames: Frames, faces: Sequence[Faces]) -> Array:
        """[T, H, W] in [0, 1]: is a pixel the head (skin, hair, ears, glasses)? NaN where there is no face."""
        look = self.look(frames, faces)
        height, width = frames.shape[1:3]
        result = np.full((len(frames), height, width), np.nan, np.float32)
        scale = MASK_SIDE / HEAD_SIDE
        to_mask = np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale / 2 - 0.5]])
        for row, (frame, matrix) in enumerate(zip(look.present, look.matrices, strict=True)):
            cv2.warpAffine(
                look.mask[row],
                align.compose(to_mask, matrix),
                (width, height),
                dst=result[frame],
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_CONSTANT,
            )
        return result

    def _see(self, frames: Frames, faces: Sequence[Faces]) -> HeadLook:
        if len(frames) != len(faces):
            raise ValueError(f"{len(frames)} frames but faces of {len(faces)}")
        present = [index for index, found in enumerate(faces) if len(found)]
        matrices = [crops.head_matrix(faces[i].boxes[0], faces[i].points[0]) for i in present]
        cut = [align.warp(frames[i], m, HEAD_SIDE, HEAD_SIDE) for i, m in zip(present, matrices, strict=True)]
        if not present:
            return HeadLook([], [], np.zeros((0, LANDMARKS, 2)), np.zeros((0, MASK_SIDE, MASK_SIDE), np.float32))
        landmarks, mask = run_each(self._network, cut)
        return HeadLook(present, matrices, _to_frames(landmarks, matrices, HEAD_SIDE), mask.sigmoid().numpy())


def _to_frames(landmarks: Tensor, matrices: Sequence[align.Matrix], side: int) -> NDArray[np.float64]:
    """Landmarks [n, 68, 2] in fractions of crops as pixels of the frames."""
    pixels = landmarks.numpy().astype(np.float64) * side - 0.5
    return np.stack([align.transform(align.invert(m), points) for m, points in zip(matrices, pixels, strict=True)])


@dataclass(frozen=True)
class _FaceLook:
    """What the face network saw in the frames that have a face."""

    present: list[int]
    matrices: list[align.Matrix]
    landmarks: NDArray[np.float64]  # [n, 68, 2] pixels of the frame
    rotation: Array  # [n, 3, 3] in the crop's axes
    expression: Array  # [n, 18]


class BuiltinFace:
    """Landmarks, pose and expression of the first face of each frame: the head network's look, then one closer look."""

    def __init__(self, folder: Path = shipped.WEIGHTS, head: Pointer | None = None) -> None:
        self._head: Pointer = head or BuiltinHead(folder)
        self._network, info = shipped.load("face", folder)
        self.info = shipped.joined(self._head.info, info)
        self._look = _Latest(self._see)

    def landmarks(self, frames: Frames, faces: Sequence[Faces]) -> Array:
        """[T, 68, 2] pixels, integers at pixel centres; NaN where there is no face."""
        look = self._look(frames, faces)
        result = np.full((len(frames), LANDMARKS, 2), np.nan, np.float32)
        result[look.present] = look.landmarks
        return result

    def pose(self, frames: Frames, faces: Sequence[Faces]) -> Array:
        """[T, 3] yaw, pitch, roll in degrees (see `curate.angles`); NaN where there is no face."""
        look = self._look(frames, faces)
        height, width = frames.shape[1:3]
        result = np.full((len(frames), 3), np.nan, np.float32)
        for row, (frame, matrix) in enumerate(zip(look.present, look.matrices, strict=True)):
            result[frame] = crops.pose_of(look.rotation[row], matrix, FACE_SIDE, width, height)
        return result

    def expression(self, frames: Frames, faces: Sequence[Faces]) -> Array:
        """[T, 18] activations in [0, 1] of `curate.synth.parameters.UNITS`; NaN where there is no face."""
        look = self._look(frames, faces)
        result = np.full((len(frames), UNITS), np.nan, np.float32)
        result[look.present] = look.expression
        return result

    def _see(self, frames: Frames, faces: Sequence[Faces]) -> _FaceLook:
        first = self._head.look(frames, faces)
        matrices = [crops.face_matrix(points) for points in first.landmarks]
        if not matrices:
            rotation, expression = np.zeros((0, 3, 3), np.float32), np.zeros((0, UNITS), np.float32)
            return _FaceLook([], [], first.landmarks, rotation, expression)
        cut = [align.warp(frames[i], m, FACE_SIDE, FACE_SIDE) for i, m in zip(first.present, matrices, strict=True)]
        seen = run_each(self._network, cut)
        turned = run_each(self._network, [np.ascontiguousarray(picture[:, ::-1]) for picture in cut])
        landmarks, rotation, expression = _mean_of_mirrored(seen, turned)
        return _FaceLook(first.present, matrices, _to_frames(landmarks, matrices, FACE_SIDE), rotation, expression)


def _mean_of_mirrored(seen: Sequence[Tensor], turned: Sequence[Tensor]) -> tuple[Tensor, Array, Array]:
    """Means of what is seen in crops and in their mirror images: landmarks, rotation, expression."""
    flipped = turned[0][:, mirror.LANDMARKS] * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0.0])
    left, _, right = np.linalg.svd(seen[1].numpy() + turned[1].numpy() * mirror.ROTATION)  # to the nearest rotation
    expression = (seen[2].numpy() + turned[2].numpy()[:, mirror.EXPRESSION]) / 2
    return (seen[0] + flipped) / 2, np.asarray(left @ right, np.float32), expression


class BuiltinIdentity:
    """An `Identifier`: who the first face of each frame is, from a crop about the head network's landmarks."""

    def __init__(self, folder: Path = shipped.WEIGHTS, head: Pointer | None = None) -> None:
        self._head: Pointer = head or BuiltinHead(folder)
        self._network, info = shipped.load("identity", folder)
        self.info = shipped.joined(self._head.info, info)
        self.dimensions = EMBEDDING

    def embed(self, frames: Frames, faces: Sequence[Faces]) -> Array:
        """[T, 128] vectors of unit length, compared by their dot product; NaN where there is no face."""
        first = self._head.look(frames, faces)
        result = np.full((len(frames), EMBEDDING), np.nan, np.float32)
        cut = [
            align.warp(frames[i], crops.identity_matrix(points), IDENTITY_SIDE, IDENTITY_SIDE)
            for i, points in zip(first.present, first.landmarks, strict=True)
        ]
        if cut:
            result[first.present] = run_each(self._network, cut)[0].numpy()
        return result


class BuiltinFeatures:
    """Features of whole frames: for distances between two frames, and for those between two sets. No face is needed."""

    def __init__(self, folder: Path = shipped.WEIGHTS) -> None:
        self._network, self.info = shipped.load("features", folder)
        self._look = _Latest(self._see)

    def perceptual(self, frames: Frames) -> Array:
        """[T, 16384]: the sum of squared differences of two rows is a perceptual distance, 0 or more, below 4.

        As in LPIPS (Zhang et al. 2018), every position of a map is brought to unit length over its channels; then maps
        are averaged over cells, and weighted.
        """
        return self._look(frames)[0]

    def frechet(self, frames: Frames) -> Array:
        """[T, 96]: a vector for each frame, whose means and covariances over two sets give a Frechet distance."""
        return self._look(frames)[1]

    def _see(self, frames: Frames, _: Sequence[Faces]) -> tuple[Array, Array]:
        if not len(frames):
            return np.zeros((0, perceptual_size()), np.float32), np.zeros((0, FRECHET), np.float32)
        *maps, vectors = run_each(self._network, [_whole(frame) for frame in frames])
        return perceptual(maps).numpy(), vectors.numpy()


def perceptual(maps: Sequence[Tensor]) -> Tensor:
    """The feature network's maps [N, C, H, W], fine to coarse, as one vector [N, P] whose squared distances count."""
    parts = []
    for map_, cells, weight in zip(maps, CELLS, SCALE_WEIGHTS, strict=True):
        pooled = F.adaptive_avg_pool2d(F.normalize(map_, dim=1), cells)
        parts.append(pooled.flatten(1) * (weight / cells**2) ** 0.5)
    return torch.cat(parts, 1)


def perceptual_size() -> int:
    """Values of a perceptual vector."""
    return sum(channels * cells**2 for channels, cells in zip(MAPS, CELLS, strict=True))


def _whole(frame: Frames) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    if (height, width) == (FRAME_SIDE, FRAME_SIDE):
        return frame
    shrinks = min(height, width) > FRAME_SIDE
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(frame), (FRAME_SIDE, FRAME_SIDE), interpolation=way), np.uint8)


Network = BuiltinHead | BuiltinFace | BuiltinIdentity | BuiltinFeatures


class Opener:
    """Opens networks by name, each once, so that those which build on the same one share it and its last answer."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or shipped.WEIGHTS
        self._open: dict[str, Network] = {}

    def __call__(self, name: str) -> Network:
        """The network `builtin-...`; errors as of `shipped.load`."""
        if name not in self._open:
            self._open[name] = self._opened(name)
        return self._open[name]

    @cached_property
    def _head(self) -> BuiltinHead:
        return BuiltinHead(self._folder)

    def _opened(self, name: str) -> Network:
        if name == "builtin-face":
            return BuiltinFace(self._folder, self._head)
        if name == "builtin-identity":
            return BuiltinIdentity(self._folder, self._head)
        return self._head if name == "builtin-head" else BuiltinFeatures(self._folder)
