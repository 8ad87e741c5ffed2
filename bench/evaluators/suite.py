"""Evaluator suites: which networks judge a frame, and the features they see in it, each computed once.

A suite is a TOML file in `suites/` that names one network of each kind: those of `curate.perception`, or the `builtin`
ones that ship with this package. A metric's id carries its suite, so that numbers from different networks never meet in
one column.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from curate.errors import MissingPrerequisite, UserError, unknown
from curate.perception import load_detector, load_identifier, load_landmarker, load_pose
from curate.perception.interface import Detector, Faces, Frames, Identifier, Landmarker, NetworkInfo, PoseEstimator

if TYPE_CHECKING:
    from bench.evaluators.builtin import Opener

SUITES = Path(__file__).parent / "suites"
DEFAULT = "builtin"

Kind = Literal[
    "detector",
    "landmarks",
    "pose",
    "identity",
    "expression",
    "mask",
    "perceptual",
    "frechet",
    "perceptual_vgg",
    "frame_identity",
    "video",
    "aesthetics",
    "mouth_quality",
    "face_quality",
    "lips",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
WHOLE_FRAME: frozenset[Kind] = frozenset(
    {"perceptual", "frechet", "perceptual_vgg", "frame_identity", "video", "aesthetics"}
)
"""Kinds that look at the whole frame: no face is needed, and no detector."""
OPTIONAL: frozenset[Kind] = frozenset(
    {"perceptual_vgg", "frame_identity", "video", "aesthetics", "mouth_quality", "face_quality", "lips"}
)
"""Kinds that a suite which was asked for by name may lack the file of: their metrics are NULL with the reason."""
IN_ORDER: frozenset[Kind] = frozenset({"video", "lips"})
"""Kinds that look at several frames after another."""

BUILTIN: dict[str, tuple[Kind, ...]] = {
    "builtin-head": ("mask",),
    "builtin-face": ("landmarks", "pose", "expression"),
    "builtin-identity": ("identity",),
    "builtin-features": ("perceptual", "frechet"),
}
"""The networks that ship with this package, and the kinds that each one gives in one pass."""

_OUTSIDE: dict[Kind, Callable[[str], Any]] = {
    "detector": load_detector,
    "landmarks": load_landmarker,
    "pose": load_pose,
    "identity": load_identifier,
}

PUBLISHED: dict[str, tuple[Kind, str]] = {
    "fan": ("landmarks", "fan:Fan"),
    "hopenet": ("pose", "hopenet:HopenetPose"),
    "arcface": ("identity", "arcface:ArcFace"),
    "lpips-alex": ("perceptual", "lpips_trunk:Alex"),
    "lpips-vgg": ("perceptual_vgg", "lpips_trunk:Vgg"),
    "inception-fid": ("frechet", "inception:InceptionFid"),
    "openface": ("frame_identity", "openface:OpenFace"),
    "i3d": ("video", "i3d:I3d"),
    "topiq-iaa": ("aesthetics", "quality:Aesthetics"),
    "musiq": ("mouth_quality", "quality:MouthQuality"),
    "topiq-nr-face": ("face_quality", "quality:FaceQuality"),
    "syncnet": ("lips", "syncnet:SyncNetReader"),
}
"""The networks of papers by name: their kind, and where their code is in this package."""
WIDE = ("lpips-alex", "lpips-vgg")
"""Networks whose features are up to millions of numbers a frame: they are asked for a few frames at a time."""


class ExpressionReader(Protocol):
    """Activations of expression units."""

    info: NetworkInfo

    def expression(self, frames: Frames, faces: Sequence[Faces]) -> NDArray[np.float32]:
        """[T, U] in [0, 1]; NaN where there is no face."""
        ...


class HeadMasker(Protocol):
    """Where the head is."""

    info: NetworkInfo

    def mask(self, frames: Frames, faces: Sequence[Faces]) -> NDArray[np.float32]:
        """[T, H, W] in [0, 1], at the frames' size; NaN where there is no face."""
        ...


class PerceptualEncoder(Protocol):
    """Features whose squared differences add up to a perceptual distance."""

    info: NetworkInfo

    def perceptual(self, frames: Frames) -> NDArray[np.float32]:
        """[T, P]."""
        ...


class FrechetEncoder(Protocol):
    """Features whose statistics over a set are compared."""

    info: NetworkInfo

    def frechet(self, frames: Frames) -> NDArray[np.float32]:
        """[T, D]."""
        ...


class VideoEncoder(Protocol):
    """Features of windows of frames."""

    info: NetworkInfo

    def windows(self, frames: Frames) -> NDArray[np.float32]:
        """[T, D]: at the first frame of each window its vector; NaN at other frames."""
        ...


class FrameScorer(Protocol):
    """How good a frame, or a part of it, looks."""

    info: NetworkInfo

    def scores(self, frames: Frames, observation: Observation) -> NDArray[np.float32]:
        """[T, 1]; NaN where a face is needed and there is none."""
        ...


class LipReader(Protocol):
    """What lips and voices say, in one space."""

    info: NetworkInfo

    def lips(self, frames: Frames, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """[T, D] of frames that follow each other and the face's box in each [T, 4]: at the first frame of each window
        its vector; NaN where no window begins."""
        ...

    def voice(self, cepstra: NDArray[np.float32]) -> NDArray[np.float32]:
        """[T, D] of the sound of each frame's window (`bench.sound.spoken`); NaN where there is none."""
        ...


class SuiteFile(BaseModel):
    """A suite as written: a detector's name, and a network's name for each feature it can give."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str
    detector: str
    landmarks: str | None = None
    pose: str | None = None
    identity: str | None = None
    expression: str | None = None
    mask: str | None = None
    perceptual: str | None = None
    frechet: str | None = None
    perceptual_vgg: str | None = None
    frame_identity: str | None = None
    video: str | None = None
    aesthetics: str | None = None
    mouth_quality: str | None = None
    face_quality: str | None = None
    lips: str | None = None


N = TypeVar("N")


def suite_names() -> list[str]:
    """Names that `open_suite` knows."""
    return sorted(path.stem for path in SUITES.glob("*.toml"))


class Suite:
    """The networks of a suite that are at hand; `missing` has a reason for every kind that is not.

    `wide`: kinds whose features are too large to be kept of all frames of a clip.
    """

    def __init__(self, name: str, file: SuiteFile, *, strict: bool) -> None:
        self.name = name
        self.missing: dict[Kind, str] = {}
        self.networks: dict[Kind, NetworkInfo] = {}
        self._strict = strict
        self.wide: frozenset[Kind] = frozenset()
        self._builtin: Opener | None = None
        self.detector: Detector | None = self._load("detector", file.detector)
        self.landmarker: Landmarker | None = self._load("landmarks", file.landmarks)
        self.pose_estimator: PoseEstimator | None = self._load("pose", file.pose)
        self.identifier: Identifier | None = self._load("identity", file.identity)
        self.expression_reader: ExpressionReader | None = self._load("expression", file.expression)
        self.masker: HeadMasker | None = self._load("mask", file.mask)
        self.perceptual_encoder: PerceptualEncoder | None = self._load("perceptual", file.perceptual)
        self.frechet_encoder: FrechetEncoder | None = self._load("frechet", file.frechet)
        self.vgg_encoder: PerceptualEncoder | None = self._load("perceptual_vgg", file.perceptual_vgg)
        self.frame_identifier: FrechetEncoder | None = self._load("frame_identity", file.frame_identity)
        self.video_encoder: VideoEncoder | None = self._load("video", file.video)
        self.aesthetics_scorer: FrameScorer | None = self._load("aesthetics", file.aesthetics)
        self.mouth_scorer: FrameScorer | None = self._load("mouth_quality", file.mouth_quality)
        self.face_scorer: FrameScorer | None = self._load("face_quality", file.face_quality)
        self.lip_reader: LipReader | None = self._load("lips", file.lips)

    def _load(self, kind: Kind, network: str | None) -> Any:
        if network is None:
            self.missing[kind] = f"suite {self.name!r} has no {kind} network"
            return None
        if "detector" in self.missing and kind not in WHOLE_FRAME:  # nothing to look at
            self.missing[kind] = self.missing["detector"]
            return None
        try:
            loaded = self._open(kind, network)
        except MissingPrerequisite as error:
            if self._strict and kind not in OPTIONAL:
                raise
            self.missing[kind] = str(error)
            return None
        self.networks[kind] = loaded.info
        if network in WIDE:
            self.wide |= {kind}
        return loaded

    def _open(self, kind: Kind, network: str) -> Any:
        """A network by name. One that gives several kinds is opened once, so that it also runs once."""
        published = [name for name, (of_kind, _) in PUBLISHED.items() if of_kind == kind]
        if network in published:
            module, attribute = PUBLISHED[network][1].split(":")
            return getattr(import_module(f"bench.evaluators.{module}"), attribute)()
        fitting = [name for name, kinds in BUILTIN.items() if kind in kinds]
        if network in fitting:
            if self._builtin is None:
                from bench.evaluators.builtin import Opener

                self._builtin = Opener()
            return self._builtin(network)
        if kind not in _OUTSIDE or network in BUILTIN:
            raise unknown(f"{kind} network", network, [*fitting, *published])
        return _OUTSIDE[kind](network)

    def need(self, kind: Kind, network: N | None) -> N:
        """`network`, or `MissingPrerequisite` with the reason why there is none of this kind."""
        if network is None:
            raise MissingPrerequisite(self.missing[kind])
        return network

    def observe(self, frames: Frames) -> Observation:
        """The features of frames uint8 RGB [T, H, W, 3], each computed when first asked for."""
        return Observation(self, frames)

    def lips(self, frames: Frames, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the lips say in frames that follow each other, whose faces' boxes are known; see `LipReader`."""
        return self.need("lips", self.lip_reader).lips(frames, boxes)

    def voice(self, cepstra: NDArray[np.float32]) -> NDArray[np.float32]:
        """What a voice says; see `LipReader`."""
        return self.need("lips", self.lip_reader).voice(cepstra)


class Observation:
    """What a suite's networks see in some frames; a feature is computed at most once.

    A feature whose network is missing raises `MissingPrerequisite` with the reason in `Suite.missing`.
    Where a frame has no face every feature of a face is NaN.
    """

    def __init__(self, suite: Suite, frames: Frames) -> None:
        self.suite = suite
        self.frames = frames

    @cached_property
    def faces(self) -> list[Faces]:
        """Faces of each frame, best score first."""
        return self.suite.need("detector", self.suite.detector).detect(self.frames)

    @cached_property
    def boxes(self) -> NDArray[np.float32]:
        """[T, 4] of each frame's first face."""
        none = np.full(4, np.nan, np.float32)
        return np.stack([found.boxes[0] if len(found) else none for found in self.faces]).astype(np.float32)

    @cached_property
    def landmarks(self) -> NDArray[np.float32]:
        """[T, 68, 2] pixels of each frame's first face."""
        return self.suite.need("landmarks", self.suite.landmarker).landmarks(self.frames, self.faces)

    @cached_property
    def pose(self) -> NDArray[np.float32]:
        """[T, 3] yaw, pitch, roll in degrees."""
        return self.suite.need("pose", self.suite.pose_estimator).pose(self.frames, self.faces)

    @cached_property
    def identity(self) -> NDArray[np.float32]:
        """[T, D] unit vectors, compared by their dot product."""
        return self.suite.need("identity", self.suite.identifier).embed(self.frames, self.faces)

    @cached_property
    def expression(self) -> NDArray[np.float32]:
        """[T, 18] activations in [0, 1] of `curate.synth.parameters.UNITS`."""
        return self.suite.need("expression", self.suite.expression_reader).expression(self.frames, self.faces)

    @cached_property
    def mask(self) -> NDArray[np.float32]:
        """[T, H, W] in [0, 1]: is a pixel the head (skin, hair, ears, glasses; neither neck nor clothes)?"""
        return self.suite.need("mask", self.suite.masker).mask(self.frames, self.faces)

    @cached_property
    def perceptual(self) -> NDArray[np.float32]:
        """[T, P]: squared differences of two frames' values add up to their perceptual distance. Never NaN."""
        return self.suite.need("perceptual", self.suite.perceptual_encoder).perceptual(self.frames)

    @cached_property
    def frechet(self) -> NDArray[np.float32]:
        """[T, D]: means and covariances over two sets give their Frechet distance. Never NaN."""
        return self.suite.need("frechet", self.suite.frechet_encoder).frechet(self.frames)

    @cached_property
    def perceptual_vgg(self) -> NDArray[np.float32]:
        """As `perceptual`, by LPIPS' other trunk."""
        return self.suite.need("perceptual_vgg", self.suite.vgg_encoder).perceptual(self.frames)

    @cached_property
    def frame_identity(self) -> NDArray[np.float32]:
        """[T, D]: who the frame shows, without looking for a face. Never NaN."""
        return self.suite.need("frame_identity", self.suite.frame_identifier).frechet(self.frames)

    @cached_property
    def video(self) -> NDArray[np.float32]:
        """[T, D]: at the first frame of each window its vector; NaN at other frames. The frames follow each other."""
        return self.suite.need("video", self.suite.video_encoder).windows(self.frames)

    @cached_property
    def aesthetics(self) -> NDArray[np.float32]:
        """[T, 1]: how pleasant the frame is. Never NaN."""
        return self.suite.need("aesthetics", self.suite.aesthetics_scorer).scores(self.frames, self)

    @cached_property
    def mouth_quality(self) -> NDArray[np.float32]:
        """[T, 1]: how good the mouth looks."""
        return self.suite.need("mouth_quality", self.suite.mouth_scorer).scores(self.frames, self)

    @cached_property
    def face_quality(self) -> NDArray[np.float32]:
        """[T, 1]: how good the face looks."""
        return self.suite.need("face_quality", self.suite.face_scorer).scores(self.frames, self)


def open_suite(name: str | None = None) -> Suite:
    """The suite `name`, complete or an error (`MissingPrerequisite` names the file and the mend).

    With None it is the default suite with whatever networks are at hand; `Suite.missing` tells of the others.
    """
    chosen = DEFAULT if name is None else name
    if chosen not in suite_names():
        raise unknown("suite", chosen, suite_names())
    return Suite(chosen, read_suite(SUITES / f"{chosen}.toml"), strict=name is not None)


def every_network() -> list[dict[str, str]]:
    """One row for each suite and kind: the network, the start of its hash, its licence, or why it is missing."""
    rows = []
    for name in suite_names():
        suite = Suite(name, read_suite(SUITES / f"{name}.toml"), strict=False)
        for kind in KINDS:
            info = suite.networks.get(kind)
            rows.append(
                {
                    "suite": name,
                    "kind": kind,
                    "network": info.name if info else "NULL",
                    "sha256": info.sha256[:16] if info else "",
                    "licence": info.licence if info else "",
                    "missing because": suite.missing.get(kind, ""),
                }
            )
    return rows


def read_suite(path: Path) -> SuiteFile:
    """A suite's TOML file; `UserError` names the file and the key that is wrong."""
    try:
        return SuiteFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is no TOML file: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
