"""Face networks behind one interface (see `interface`): load them by name, none of them imported before that."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from curate.perception.interface import Detector, Identifier, Landmarker, PoseEstimator

# Detectors that are classes of their own; the others are specs of kind "detector".
DETECTORS = {"insightface": "curate.perception.scrfd:Scrfd", "mtcnn": "curate.perception.mtcnn:Mtcnn"}


def detector_names() -> list[str]:
    """Names that `load_detector` knows."""
    from curate.perception.spec import spec_names

    return sorted([*DETECTORS, *spec_names("detector")])


def network_names(kind: str) -> list[str]:
    """Names of the networks of a kind: "landmarks", "pose" or "identity"."""
    from curate.perception.spec import spec_names

    return spec_names(kind)


def load_detector(name: str = "mtcnn") -> Detector:
    """The face detector `name`; `UserError` with the nearest names, `MissingPrerequisite` if its files are absent."""
    from curate.errors import unknown
    from curate.perception.spec import DetectorSpec, load_spec, spec_files
    from curate.perception.yunet import YuNet

    if name in DETECTORS:
        module, attribute = DETECTORS[name].split(":")
        return cast("Detector", getattr(import_module(module), attribute)())
    if name not in spec_files():
        raise unknown("detector", name, detector_names())
    return YuNet(load_spec(name, DetectorSpec))


def load_landmarker(name: str, threads: int = 1) -> Landmarker:
    """The landmark network `name`; errors as for `load_detector`."""
    from curate.perception.networks import NetworkLandmarker
    from curate.perception.spec import LandmarkSpec, load_spec

    return NetworkLandmarker(load_spec(name, LandmarkSpec), threads)


def load_pose(name: str, threads: int = 1) -> PoseEstimator:
    """The head pose network `name`; errors as for `load_detector`."""
    from curate.perception.networks import NetworkPose
    from curate.perception.spec import PoseSpec, load_spec

    return NetworkPose(load_spec(name, PoseSpec), threads)


def load_identifier(name: str, threads: int = 1) -> Identifier:
    """The identity network `name`; errors as for `load_detector`."""
    from curate.perception.networks import NetworkIdentifier
    from curate.perception.spec import IdentitySpec, load_spec

    return NetworkIdentifier(load_spec(name, IdentitySpec), threads)
