"""Exact truth of every frame of a SynthHeads dataset: `truth.parquet` beside its manifest. This file is its one home.

One row a frame, in the order of clip ids and frames; one row group a clip, so that one clip is read without the others.
Coordinates are pixels of the clip's frames (integers at pixel centres) or mm in camera axes (x right, y down, z away);
angles follow `curate.angles`. `_TABLE` below lists the columns. A clip can be rendered again from its rows alone:
`Truth.clip(id)` gives identity, motion and scene as they were drawn, bit by bit (floats are stored as they are).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curate.errors import MissingPrerequisite, UserError
from curate.synth.parameters import EXPRESSION, IDENTITY, Identity, Motion, Scene

if TYPE_CHECKING:
    import pyarrow as pa

TRUTH = "truth.parquet"

# name, type of an element, elements (0: a plain column), meaning
_TABLE: tuple[tuple[str, str, int, str], ...] = (
    ("clip_id", "string", 0, "as in the manifest"),
    ("frame", "int32", 0, "0 .. n - 1"),
    ("identity_id", "string", 0, "who"),
    ("identity", "float32", len(IDENTITY), "coefficients parameters.IDENTITY"),
    ("expression", "float32", len(EXPRESSION), "activations parameters.EXPRESSION"),
    ("yaw", "float32", 0, "degrees"),
    ("pitch", "float32", 0, "degrees"),
    ("roll", "float32", 0, "degrees"),
    ("rotation", "float32", 9, "matrix of the angles, by rows: x_camera = R x_head + t"),
    ("translation", "float32", 3, "mm; of the head's origin, midway between the ear holes"),
    ("focal", "float64", 0, "focal length over the image's side"),
    ("camera", "float32", 9, "intrinsics in pixels, by rows"),
    ("landmarks2d", "float32", 136, "68 points x, y in iBUG order, pixels"),
    ("landmarks3d", "float32", 204, "the same points x, y, z, mm, camera axes"),
    ("visible", "bool_", 68, "whether nothing hides the point"),
    ("face_box", "float32", 4, "left, top, right, bottom as a detector gives it, pixels"),
    ("crop_box", "float32", 4, "the part of a larger picture that the frame shows, pixels: here all of it"),
    ("scene", "string", 0, "parameters.Scene as JSON"),
    ("size", "int32", 0, "side of the square frame, pixels"),
    ("fps", "float64", 0, "frames a second"),
    ("noise", "float64", 0, "strength of degrade.degrade; 0: the frames are as rendered"),
    ("noise_seed", "int64", 0, "seed of degrade.degrade"),
    ("synth_version", "int32", 0, "recipe.SYNTH_VERSION of the code that rendered it"),
)
_REPEATED = ["clip_id", "identity_id", "identity.list.element", "scene", "focal", "camera.list.element", "size", "fps"]


@dataclass(frozen=True)
class ClipTruth:
    """All that is known of a clip of T frames."""

    clip_id: str
    identity: Identity
    motion: Motion
    scene: Scene
    size: int
    fps: float
    noise: float
    noise_seed: int
    synth_version: int
    rotation: NDArray[np.float32]  # [T, 3, 3]
    camera: NDArray[np.float32]  # [3, 3]
    landmarks2d: NDArray[np.float32]  # [T, 68, 2]
    landmarks3d: NDArray[np.float32]  # [T, 68, 3]
    visible: NDArray[np.bool_]  # [T, 68]
    face_box: NDArray[np.float32]  # [T, 4]
    crop_box: NDArray[np.float32]  # [T, 4]

    def __len__(self) -> int:
        return len(self.motion)


def schema() -> pa.Schema:
    """The Arrow schema of the table."""
    import pyarrow as pa

    columns = []
    for name, kind, length, meaning in _TABLE:
        element = getattr(pa, kind)()
        whole = pa.list_(pa.field("element", element, nullable=False), length) if length else element
        columns.append(pa.field(name, whole, nullable=False, metadata={"meaning": meaning}))
    return pa.schema(columns)


def to_table(clip: ClipTruth) -> pa.Table:
    """A clip's rows."""
    import pyarrow as pa

    n = len(clip)
    repeat: dict[str, Any] = {
        "clip_id": clip.clip_id,
        "identity_id": clip.identity.id,
        "focal": float(clip.motion.focal),
        "scene": json.dumps(asdict(clip.scene), sort_keys=True),
        "size": clip.size,
        "fps": float(clip.fps),
        "noise": float(clip.noise),
        "noise_seed": clip.noise_seed,
        "synth_version": clip.synth_version,
    }
    yaw, pitch, roll = clip.motion.angles.T
    per_frame: dict[str, NDArray[Any]] = {
        "frame": np.arange(n),
        "identity": np.broadcast_to(clip.identity.coefficients, (n, len(IDENTITY))),
        "expression": clip.motion.expression,
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "rotation": clip.rotation,
        "translation": clip.motion.translation,
        "camera": np.broadcast_to(clip.camera, (n, 3, 3)),
        "landmarks2d": clip.landmarks2d,
        "landmarks3d": clip.landmarks3d,
        "visible": clip.visible,
        "face_box": clip.face_box,
        "crop_box": clip.crop_box,
    }
    arrays = []
    for field in schema():
        if field.name in repeat:
            arrays.append(pa.array([repeat[field.name]] * n, field.type))
        elif pa.types.is_fixed_size_list(field.type):
            flat = np.ascontiguousarray(per_frame[field.name]).reshape(-1)
            arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(flat, field.type.value_type), type=field.type))
        else:
            arrays.append(pa.array(np.ascontiguousarray(per_frame[field.name]), field.type))
    return pa.Table.from_arrays(arrays, schema=schema())


def write(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write clips' tables as they come, one row group each, to a file that no reader sees yet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    options: dict[str, Any] = {"compression": "zstd", "use_dictionary": _REPEATED, "write_page_checksum": True}
    with pq.ParquetWriter(path, schema(), **options) as writer:
        for table in tables:
            whole = pa.Table.from_arrays(table.combine_chunks().columns, schema=schema())
            writer.write_table(whole, row_group_size=len(whole))


def available(root: str | Path) -> bool:
    """Whether a dataset's folder has truth."""
    return (Path(root) / TRUTH).is_file()


class Truth:
    """The truth of a dataset; `open` reads the file's index only, `clip` reads one clip."""

    def __init__(self, path: Path, groups: dict[str, int]) -> None:
        self._path = path
        self._groups = groups

    @property
    def clip_ids(self) -> tuple[str, ...]:
        """Ids of all clips, in order."""
        return tuple(self._groups)

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._groups

    @classmethod
    def open(cls, root: str | Path) -> Truth:
        """The truth of the dataset in folder `root`; `MissingPrerequisite` if it has none, `UserError` if the file is
        not one of these."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = Path(root) / TRUTH
        if not path.is_file():
            raise MissingPrerequisite(
                f"{root} has no {TRUTH}: only rendered clips have exact truth; make some with: curate synth --out DIR"
            )
        try:
            with pq.ParquetFile(path) as file:
                found, metadata = file.schema_arrow, file.metadata
        except (pa.ArrowException, OSError, ValueError) as error:
            raise UserError(f"{path} is no readable truth: {_line(error)}") from error
        for field in schema():
            index = found.get_field_index(field.name)
            if index < 0:
                raise UserError(f"{path} is no truth of SynthHeads: it has no column {field.name!r}")
            if not found.field(index).type.equals(field.type):
                raise UserError(f"{path}: column {field.name!r} is {found.field(index).type}, expected {field.type}")
        try:
            return cls(path, _groups(metadata, found.get_field_index("clip_id")))
        except ValueError as error:
            raise UserError(f"{path}: {_line(error)}") from error

    def table(self, clip_id: str) -> pa.Table:
        """A clip's rows as they are stored; `UserError` if there is no such clip."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if clip_id not in self._groups:
            raise UserError(f"{self._path} has no clip {clip_id!r}")
        try:
            with pq.ParquetFile(self._path, page_checksum_verification=True) as file:
                names = [field.name for field in schema()]
                return file.read_row_group(self._groups[clip_id], columns=names)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise UserError(f"{self._path} cannot be read at clip {clip_id!r}: {_line(error)}") from error

    def clip(self, clip_id: str) -> ClipTruth:
        """All that is known of a clip; `UserError` if there is no such clip or its rows make no sense."""
        table = self.table(clip_id)
        try:
            return from_table(clip_id, table)
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{self._path}: the rows of clip {clip_id!r} make no sense: {_line(error)}") from error


def _groups(metadata: Any, column: int) -> dict[str, int]:
    """The row group of every clip, from the statistics in a Parquet file's footer; ValueError if they are not such."""
    groups: dict[str, int] = {}
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(column).statistics
        if statistics is None or not statistics.has_min_max or statistics.min != statistics.max:
            raise ValueError(f"row group {group} is not one clip: the file was written by something else")
        clip_id = str(statistics.min)
        if clip_id in groups:
            raise ValueError(f"clip {clip_id!r} stands in it twice")
        groups[clip_id] = group
    return groups


def _line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def from_table(clip_id: str, table: pa.Table) -> ClipTruth:
    """What `to_table` was given; ValueError, TypeError or KeyError for rows that make no sense."""

    def many(name: str) -> NDArray[Any]:
        column = table.column(name).combine_chunks()
        if column.null_count:
            raise ValueError(f"{name} has NULLs")
        length = column.type.list_size if hasattr(column.type, "list_size") else 0
        values = column.flatten() if length else column
        array: NDArray[Any] = values.to_numpy(zero_copy_only=False)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{name} is not finite")
        return array.reshape(len(table), length) if length else array

    def one(name: str) -> Any:
        values = table.column(name).unique()
        if len(values) != 1 or not values[0].is_valid:
            raise ValueError(f"{name} must be the same in all frames")
        return values[0].as_py()

    n = len(table)
    if one("clip_id") != clip_id:
        raise ValueError("they belong to another clip")
    if not np.array_equal(many("frame"), np.arange(n)):
        raise ValueError("frames are not numbered 0 .. n - 1")
    if not (0 < one("size") <= 1 << 14 and one("focal") > 0 and one("fps") > 0 and 0 <= one("noise") <= 1):
        raise ValueError("size, focal, fps or noise is out of range")
    identity, camera = many("identity"), many("camera")
    if (identity != identity[0]).any() or (camera != camera[0]).any():
        raise ValueError("identity and camera must be the same in all frames")
    return ClipTruth(
        clip_id=clip_id,
        identity=Identity(one("identity_id"), identity[0]),
        motion=Motion(
            expression=many("expression"),
            angles=np.stack([many("yaw"), many("pitch"), many("roll")], axis=1),
            translation=many("translation"),
            focal=one("focal"),
        ),
        scene=_scene(one("scene")),
        size=one("size"),
        fps=one("fps"),
        noise=one("noise"),
        noise_seed=one("noise_seed"),
        synth_version=one("synth_version"),
        rotation=many("rotation").reshape(n, 3, 3),
        camera=camera[0].reshape(3, 3),
        landmarks2d=many("landmarks2d").reshape(n, 68, 2),
        landmarks3d=many("landmarks3d").reshape(n, 68, 3),
        visible=many("visible"),
        face_box=many("face_box"),
        crop_box=many("crop_box"),
    )


def _scene(text: str) -> Scene:
    value = json.loads(text)
    if not isinstance(value, dict) or {*value} != {field.name for field in fields(Scene)}:
        raise ValueError("scene is not what parameters.Scene holds")
    for name, item in value.items():
        numbers = item if isinstance(item, list) else [item]
        if len(numbers) != (3 if name in _COLOURS else 1) or not all(_is_number(number) for number in numbers):
            raise ValueError(f"scene has {name} = {item!r}")
    if not isinstance(value["background"], int) or value["background"] < 0:
        raise ValueError("scene's background is no seed")
    drawn: dict[str, Any] = {name: tuple(item) if name in _COLOURS else item for name, item in value.items()}
    return Scene(**drawn)


_COLOURS = ("key_direction", "key", "ambient", "bounce")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
