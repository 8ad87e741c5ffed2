"""What the benchmark sees of a model: a specification and two calls. Tensors are float32 [B, 3, H, W] RGB in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Tensor

Extras = dict[str, Tensor]
"""What `ModelSpec.needs` names, one entry per frame: e.g. landmarks68 [T, 68, 2] in pixels of the given images."""


@dataclass(frozen=True)
class ModelSpec:
    """What a table needs to know of a model."""

    name: str
    preset: str
    resolution: int | None  # side in pixels of the square images it takes and gives; None: any
    paper: str = ""
    licence: str = ""
    shots: int = 1  # how many source images it can use at most
    parameters: int = 0
    capabilities: tuple[str, ...] = ()  # "relative", "redirect", "codec", "canonical-keypoints"
    follows: bool = True  # driving frames; False: it can do what `capabilities` says and no more
    needs: tuple[str, ...] = ()  # what must be in `extras`: "landmarks68", "mask"
    kind: Literal["model", "calibration"] = "model"  # calibration rows frame a table and are never ranked
    checkpoint: str = ""  # file or name the weights came from; empty: none
    weights_sha256: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """An encoded source: the images [K, 3, H, W] and whatever the model computed from them once."""

    images: Tensor
    state: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class Reenactor(Protocol):
    """Animates a source with the motion of driving frames."""

    spec: ModelSpec

    def encode_source(self, images: Tensor, extras: Extras) -> Source:
        """Take K source images [K, 3, H, W]; called once per source."""
        ...

    def reenact(self, source: Source, driving: Tensor, extras: Extras, *, relative_to: Tensor | None = None) -> Tensor:
        """Give [T, 3, H, W] for driving frames [T, 3, H, W]; `relative_to` [1, 3, H, W]: the driving frame whose pose
        the source is taken to have (relative motion)."""
        ...


@runtime_checkable
class Redirector(Reenactor, Protocol):
    """Turns a source's head to given angles: the capability "redirect"."""

    def redirect(self, source: Source, yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
        """Give [T, 3, H, W] for angles [T] in degrees, which mean what `curate.angles` says; expression and place of
        the head stay the source's."""
        ...


@runtime_checkable
class KeypointReader(Reenactor, Protocol):
    """Finds keypoints that depend on who a source is, not on pose and expression: "canonical-keypoints"."""

    def canonical_keypoints(self, source: Source) -> Tensor:
        """Give [K, 3], (x, y, z) in about [-1, 1], of an encoded source."""
        ...
