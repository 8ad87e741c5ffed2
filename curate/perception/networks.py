"""Landmarks, head pose and identity from any network that a spec describes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from curate.errors import UserError
from curate.perception import align
from curate.perception.interface import Faces, Frames
from curate.perception.runtime import open_session
from curate.perception.spec import (
    Alignment,
    Angle,
    BoxAlignment,
    FaceNetworkSpec,
    IdentitySpec,
    Input,
    LandmarkSpec,
    PoseSpec,
    SquareAlignment,
)

S = TypeVar("S", bound=FaceNetworkSpec)
Array = NDArray[np.float32]


def alignment_matrix(alignment: Alignment, box: Array, points: Array, width: int, height: int) -> align.Matrix:
    """Matrix from frame points to input points (see `align`) for one face: its box [4] and five points [5, 2]."""
    if isinstance(alignment, BoxAlignment):
        return align.box_matrix(align.expand_box(box, *alignment.expand), width, height)
    if isinstance(alignment, SquareAlignment):
        return _square_matrix(alignment, box, points, width, height)
    template = np.array(alignment.template) * (width, height)
    return align.similarity_matrix(points, template)


def _square_matrix(alignment: SquareAlignment, box: Array, points: Array, width: int, height: int) -> align.Matrix:
    square = align.box_matrix(align.square_box(box, alignment.scale, *alignment.shift), width, height)
    if not alignment.upright:
        return square
    centre = (float(box[0] + box[2]) / 2 - 0.5, float(box[1] + box[3]) / 2 - 0.5)
    return align.compose(square, align.rotation_matrix(-align.eye_roll(points), centre))


def network_input(crop: NDArray[np.uint8], spec: Input) -> Array:
    """RGB crop [H, W, 3] as the network wants it: float32 [3, H, W] or [H, W, 3]."""
    ordered = crop[..., ::-1] if spec.colour == "BGR" else crop
    pixels = ordered.astype(np.float32) * np.float32(spec.range / 255)
    values = (pixels - np.array(spec.mean, np.float32)) / np.array(spec.std, np.float32)
    return np.asarray(values.transpose(2, 0, 1) if spec.layout == "NCHW" else values, np.float32)


class _FaceNetwork(Generic[S]):
    """Cuts the first face of every frame, runs the network on it, and leaves NaN where there is no face."""

    def __init__(self, spec: S, threads: int = 1) -> None:
        self.spec = spec
        self.info = spec.info
        self._session = open_session(spec.runtime, spec.locate(), threads)
        self._check_input()

    def _check_input(self) -> None:
        size = (self.spec.input.height, self.spec.input.width)
        wanted = (3, *size) if self.spec.input.layout == "NCHW" else (*size, 3)
        actual = self._session.input_shape
        if len(actual) != 4 or any(a not in (None, b) for a, b in zip(actual[1:], wanted, strict=True)):
            raise UserError(f"network {self.spec.name!r}: its input is {actual[1:]}, but its spec says {wanted}")

    def _width(self, output: str) -> int:
        """Number of values per face of an output, found by one run on black."""
        if output not in self._session.outputs:
            known = ", ".join(self._session.outputs)
            raise UserError(f"network {self.spec.name!r} has no output {output!r} (known: {known})")
        black = network_input(np.zeros((self.spec.input.height, self.spec.input.width, 3), np.uint8), self.spec.input)
        return int(self._session(black[None])[output].size)

    def _run(self, frames: Frames, faces: Sequence[Faces]) -> tuple[list[int], list[align.Matrix], dict[str, Array]]:
        """Indices of the frames with a face, each one's matrix, and every output as [n, values]."""
        if len(frames) != len(faces):
            raise ValueError(f"{len(frames)} frames but faces of {len(faces)}")
        given = self.spec.input
        present = [index for index, found in enumerate(faces) if len(found)]
        if not present:
            return present, [], {}
        matrices = [
            alignment_matrix(self.spec.alignment, faces[i].boxes[0], faces[i].points[0], given.width, given.height)
            for i in present
        ]
        crops = (align.warp(frames[i], m, given.width, given.height) for i, m in zip(present, matrices, strict=True))
        outputs = self._session(np.stack([network_input(crop, given) for crop in crops]))
        return present, matrices, {name: value.reshape(len(present), -1) for name, value in outputs.items()}


class NetworkLandmarker(_FaceNetwork[LandmarkSpec]):
    """A `Landmarker` made from a spec."""

    def __init__(self, spec: LandmarkSpec, threads: int = 1) -> None:
        super().__init__(spec, threads)
        if (values := self._width(spec.output.name)) != 136:
            raise UserError(f"network {spec.name!r}: output {spec.output.name!r} has {values} values, not 68 x 2")

    def landmarks(self, frames: Frames, faces: Sequence[Faces]) -> Array:
        """[T, 68, 2] pixels, integers at pixel centres; NaN where there is no face."""
        result = np.full((len(frames), 68, 2), np.nan, np.float32)
        present, matrices, outputs = self._run(frames, faces)
        for row, (index, matrix) in enumerate(zip(present, matrices, strict=True)):
            values = outputs[self.spec.output.name][row]
            points = values.reshape(68, 2) if self.spec.output.order == "interleaved" else values.reshape(2, 68).T
            if self.spec.output.unit == "crop":
                points = points * (self.spec.input.width, self.spec.input.height) - 0.5
            result[index] = align.transform(align.invert(matrix), points)
        return result


class NetworkPose(_FaceNetwork[PoseSpec]):
    """A `PoseEstimator` made from a spec."""

    def __init__(self, spec: PoseSpec, threads: int = 1) -> None:
        super().__init__(spec, threads)
        for angle in self._angles:
            if angle.index >= (values := self._width(angle.name)):
                raise UserError(f"network {spec.name!r}: output {angle.name!r} has {values} values, no {angle.index}")

    @property
    def _angles(self) -> tuple[Angle, Angle, Angle]:
        return self.spec.output.yaw, self.spec.output.pitch, self.spec.output.roll

    def pose(self, frames: Frames, faces: Sequence[Faces]) -> Array:
        """[T, 3] yaw, pitch, roll in degrees with the interface's signs; NaN where there is no face."""
        result = np.full((len(frames), 3), np.nan, np.float32)
        present, _, outputs = self._run(frames, faces)
        if present:
            columns = [angle.sign * outputs[angle.name][:, angle.index] for angle in self._angles]
            angles = np.stack(columns, axis=1)
            result[present] = np.degrees(angles) if self.spec.output.unit == "radians" else angles
        return result


class NetworkIdentifier(_FaceNetwork[IdentitySpec]):
    """An `Identifier` made from a spec."""

    def __init__(self, spec: IdentitySpec, threads: int = 1) -> None:
        super().__init__(spec, threads)
        self.dimensions = self._width(spec.output.name)

    def embed(self, frames: Frames, faces: Sequence[Faces]) -> Array:
        """[T, D] unit vectors; NaN where there is no face."""
        result = np.full((len(frames), self.dimensions), np.nan, np.float32)
        present, _, outputs = self._run(frames, faces)
        if present:
            vectors = outputs[self.spec.output.name]
            result[present] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return result
