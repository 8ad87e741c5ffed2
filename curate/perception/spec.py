"""Networks described as data: one TOML file says everything that is needed to run one, so a new one needs no code.

A network is named by its file: those of `specs/` in this package, and any *.toml in the folders where weights are
looked for. `README.md` beside the shipped files explains every key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from curate.errors import UserError, unknown
from curate.perception import weights
from curate.perception.interface import NetworkInfo

SHIPPED = Path(__file__).parent / "specs"
Triple = tuple[float, float, float]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class WeightsFile(_Strict):
    """A file of a network, pinned by its content."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Files(_Strict):
    """What the runtime opens, and the file beside it with the weights where they are apart (OpenVINO's .bin)."""

    model: WeightsFile
    weights: WeightsFile | None = None


class Input(_Strict):
    """How a crop becomes the network's one input: (pixel / 255 * range - mean) / std, in this colour order."""

    width: int = Field(ge=1, le=4096)
    height: int = Field(ge=1, le=4096)
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    colour: Literal["RGB", "BGR"] = "RGB"
    range: float = Field(default=255.0, gt=0)
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)

    @field_validator("std")
    @classmethod
    def _not_zero(cls, std: Triple) -> Triple:
        if not all(std):
            raise ValueError("must not be 0")
        return std


class BoxAlignment(_Strict):
    """The face box, each edge moved outwards by a fraction of its width or height, stretched to the input."""

    method: Literal["box"]
    expand: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # left, top, right, bottom


class SquareAlignment(_Strict):
    """A square of `scale` times the box's longer side, its centre moved by fractions of that side."""

    method: Literal["square"]
    scale: float = Field(default=1.0, gt=0)
    shift: tuple[float, float] = (0.0, 0.0)
    upright: bool = False  # turn the frame first about the box's centre until the eyes are level


class SimilarityAlignment(_Strict):
    """The five points brought onto a template given in fractions of the input's width and height."""

    method: Literal["similarity"]
    template: tuple[tuple[float, float], ...] = Field(min_length=5, max_length=5)


Alignment = Annotated[BoxAlignment | SquareAlignment | SimilarityAlignment, Field(discriminator="method")]


class LandmarkOutput(_Strict):
    """136 values: 68 points as x, y, x, y, ... (interleaved) or all x, then all y (planar)."""

    name: str
    order: Literal["interleaved", "planar"] = "interleaved"
    unit: Literal["crop", "pixels"] = "crop"  # fractions of the crop, or pixels of the input


class Angle(_Strict):
    """One angle: which output, which of its values, and the sign that brings it to the interface's convention."""

    name: str
    index: int = Field(default=0, ge=0)
    sign: Literal[-1, 1] = 1


class PoseOutput(_Strict):
    """Where the three angles are."""

    unit: Literal["degrees", "radians"] = "degrees"
    yaw: Angle
    pitch: Angle
    roll: Angle


class IdentityOutput(_Strict):
    """The embedding; it is always brought to unit length."""

    name: str


class NetworkSpec(_Strict):
    """What all kinds of network say of themselves."""

    name: str  # the file's name without .toml
    licence: str = Field(min_length=1)
    source: str = Field(min_length=1)  # where the file comes from: an address to fetch it from by hand
    paper: str | None = None
    files: Files

    @property
    def info(self) -> NetworkInfo:
        """Name, hash of the file that holds the weights, and licence, for a run record."""
        return NetworkInfo(self.name, (self.files.weights or self.files.model).sha256, self.licence, self.source)

    def locate(self) -> Path:
        """Path of the model file, every file found and its content verified.

        Raises `MissingPrerequisite` for a file that is not there, `UserError` for one with other content.
        """
        beside = self.files.weights
        path = weights.find(self.files.model.name, self.source)
        weights.verify(path, self.files.model.sha256)
        if beside is not None:
            weights.verify(weights.find(beside.name, self.source, folder=path.parent), beside.sha256)
        return path


class DetectorSpec(NetworkSpec):
    """A YuNet-like detector: `yunet.YuNet` knows the meaning of the outputs."""

    kind: Literal["detector"]
    runtime: Literal["onnx"]
    short_side: int = Field(default=360, ge=32)  # frames are shrunk until their shorter side is at most this, pixels
    score_threshold: float = Field(default=0.7, ge=0, le=1)
    nms_threshold: float = Field(default=0.3, ge=0, le=1)


class FaceNetworkSpec(NetworkSpec):
    """A network that looks at one aligned face."""

    runtime: Literal["onnx", "openvino"]
    input: Input
    alignment: Alignment


class LandmarkSpec(FaceNetworkSpec):
    """A landmark network."""

    kind: Literal["landmarks"]
    output: LandmarkOutput


class PoseSpec(FaceNetworkSpec):
    """A head pose network."""

    kind: Literal["pose"]
    output: PoseOutput


class IdentitySpec(FaceNetworkSpec):
    """An identity network."""

    kind: Literal["identity"]
    output: IdentityOutput


KINDS: dict[str, type[NetworkSpec]] = {
    "detector": DetectorSpec,
    "landmarks": LandmarkSpec,
    "pose": PoseSpec,
    "identity": IdentitySpec,
}
S = TypeVar("S", bound=NetworkSpec)


def spec_files() -> dict[str, Path]:
    """Every known network's file by name, the package's first; a name that is there twice is a `UserError`."""
    found: dict[str, Path] = {}
    for path in _all_files():
        if path.stem in found:
            raise UserError(f"two networks are named {path.stem!r}: {found[path.stem]} and {path}; rename one file")
        found[path.stem] = path
    return found


def _all_files() -> Iterator[Path]:
    for folder in dict.fromkeys([SHIPPED, *weights.folders()]):
        yield from sorted(folder.glob("*.toml"))


def read_spec(path: Path) -> NetworkSpec:
    """The network described by a TOML file; `UserError` names the file and the key that is wrong."""
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no TOML file: {error}") from error
    if "name" in data:
        raise UserError(f"{path}: name: a network is named by its file; remove this key")
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise UserError(f"{path}: kind: must be one of {', '.join(sorted(KINDS))}, not {kind!r}")
    try:
        return KINDS[kind].model_validate({**data, "name": path.stem})
    except ValidationError as error:
        first = error.errors()[0]
        key = re.sub(
            r"^alignment\.(box|square|similarity)\b", "alignment", ".".join(str(part) for part in first["loc"])
        )
        raise UserError(f"{path}: {key}: {first['msg']}") from error


def load_spec(name: str, kind: type[S]) -> S:
    """The network `name`, which must be of this kind; `UserError` with the nearest names otherwise."""
    files = spec_files()
    if name not in files:
        raise unknown("network", name, files)
    spec = read_spec(files[name])
    if not isinstance(spec, kind):
        wanted = next(key for key, value in KINDS.items() if value is kind)
        actual = next(key for key, value in KINDS.items() if value is type(spec))
        raise UserError(f"network {name!r} is of kind {actual}, not {wanted} (one of: {', '.join(spec_names(wanted))})")
    return spec


def spec_names(kind: str) -> list[str]:
    """Names of the known networks of a kind, sorted."""
    return sorted(name for name, path in spec_files().items() if isinstance(read_spec(path), KINDS[kind]))
