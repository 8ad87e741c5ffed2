"""Evaluator suites: which networks judge a frame, and the features they see in it, each computed once.

A suite is a TOML file in `suites/` that names one network of each kind (see `curate.perception`). A metric's id
carries its suite, so that numbers from different networks never meet in one column.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from curate.errors import MissingPrerequisite, UserError, unknown
from curate.perception import load_detector, load_identifier, load_landmarker, load_pose
from curate.perception.interface import Faces, Frames, NetworkInfo

SUITES = Path(__file__).parent / "suites"
DEFAULT = "open"
PAPER = "paper"

Kind = Literal["detector", "landmarks", "pose", "identity"]


class _Network(Protocol):
    info: NetworkInfo


N = TypeVar("N", bound=_Network)


class SuiteFile(BaseModel):
    """A suite as written: a detector's name, and a network's name for each feature it can give."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str
    detector: str
    landmarks: str | None = None
    pose: str | None = None
    identity: str | None = None


def metric_id(base: str, suite: str) -> str:
    """Id of a metric that needs networks: the plain name belongs to the papers' networks.

    >>> metric_id("csim", "open"), metric_id("csim", "paper")
    ('csim-open', 'csim')
    """
    return base if suite == PAPER else f"{base}-{suite}"


def suite_names() -> list[str]:
    """Names that `open_suite` knows."""
    return sorted(path.stem for path in SUITES.glob("*.toml"))


class Suite:
    """The networks of a suite that are at hand; `missing` has a reason for every kind that is not."""

    def __init__(self, name: str, file: SuiteFile, *, strict: bool) -> None:
        self.name = name
        self.missing: dict[Kind, str] = {}
        self.networks: dict[Kind, NetworkInfo] = {}
        self._strict = strict
        self.detector = self._load("detector", file.detector, load_detector)
        self.landmarker = self._load("landmarks", file.landmarks, load_landmarker)
        self.pose_estimator = self._load("pose", file.pose, load_pose)
        self.identifier = self._load("identity", file.identity, load_identifier)

    def _load(self, kind: Kind, network: str | None, load: Callable[[str], N]) -> N | None:
        if network is None:
            self.missing[kind] = f"suite {self.name!r} has no {kind} network"
            return None
        if "detector" in self.missing:  # nothing to look at
            self.missing[kind] = self.missing["detector"]
            return None
        try:
            loaded = load(network)
        except MissingPrerequisite as error:
            if self._strict:
                raise
            self.missing[kind] = str(error)
            return None
        self.networks[kind] = loaded.info
        return loaded

    def need(self, kind: Kind, network: N | None) -> N:
        """`network`, or `MissingPrerequisite` with the reason why there is none of this kind."""
        if network is None:
            raise MissingPrerequisite(self.missing[kind])
        return network

    def observe(self, frames: Frames) -> Observation:
        """The features of frames uint8 RGB [T, H, W, 3], each computed when first asked for."""
        return Observation(self, frames)


class Observation:
    """What a suite's networks see in some frames; a feature is computed at most once.

    A feature whose network is missing raises `MissingPrerequisite` with the reason in `Suite.missing`.
    Where a frame has no face every feature of it is NaN.
    """

    def __init__(self, suite: Suite, frames: Frames) -> None:
        self.suite = suite
        self.frames = frames

    @cached_property
    def faces(self) -> list[Faces]:
        """Faces of each frame, best score first."""
        return self.suite.need("detector", self.suite.detector).detect(self.frames)

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


def open_suite(name: str | None = None) -> Suite:
    """The suite `name`, complete or an error (`MissingPrerequisite` names the file and the mend).

    With None it is the default suite with whatever networks are at hand; `Suite.missing` tells of the others.
    """
    chosen = DEFAULT if name is None else name
    if chosen not in suite_names():
        raise unknown("suite", chosen, suite_names())
    return Suite(chosen, read_suite(SUITES / f"{chosen}.toml"), strict=name is not None)


def read_suite(path: Path) -> SuiteFile:
    """A suite's TOML file; `UserError` names the file and the key that is wrong."""
    try:
        return SuiteFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is no TOML file: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
