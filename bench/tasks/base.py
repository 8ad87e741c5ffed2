"""What a task is: pairs, frames, and what an output frame is compared with. Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from bench.metrics.base import Aspect
from curate.files import sha256_text

if TYPE_CHECKING:
    from baselines.interface import ModelSpec, Reenactor
    from bench.rows import Row
    from curate.dataset import Clip


Motion = Literal["absolute", "relative", "redirect"]
"""What moves the source: the driving frames' motion as it is; their change since the first of them, on top of the
source's own; or, with no driving frames, head angles."""

Parameter = float | str | tuple[float, ...]
"""A setting of a task that its protocol may change: a threshold, a preset's name, a coder's qualities."""

CAPABILITY: dict[Motion, str] = {"relative": "relative", "redirect": "redirect"}
"""What a model must be able to do for a task of that motion, as in `baselines.interface.ModelSpec.capabilities`."""


def unable(motion: Motion, spec: ModelSpec) -> str:
    """Why a model cannot take part in a task of that motion; "": it can."""
    ability = CAPABILITY.get(motion, "")
    if ability and ability not in spec.capabilities:
        return f"it cannot do {ability!r}"
    return "" if ability == "redirect" or spec.follows else "it follows no driving frames"


@dataclass(frozen=True)
class Pair:
    """A source (frame 0 of a clip, or a few of its frames) and the driving clip that gives the motion.

    A protocol may name frames; where it names none, the task says which.
    """

    source: Clip
    driving: Clip
    source_at: tuple[int, ...] = ()
    driving_at: tuple[int, ...] = ()
    initial: int | None = None  # the driving frame since which motion is relative; None: the first

    @property
    def id(self) -> str:
        """Name of the pair, the same in every run: also of the files of predictions."""
        return f"{self.source.clip_id}{_at(self.source_at)}--{self.driving.clip_id}{_at(self.driving_at)}"

    @property
    def line(self) -> str:
        """What is hashed of the pair."""
        named = self.source_at or self.driving_at or self.initial is not None
        frames = f"\t{self.source_at}\t{self.driving_at}\t{self.initial}" if named else ""
        return f"{self.source.clip_id}\t{self.driving.clip_id}{frames}\n"


@dataclass(frozen=True)
class Reference:
    """What one aspect of an output frame is compared with, in words and as frames.

    "driving" is the driving frame of the same time, "source" the source frame, "angles" the head pose that was asked
    for together with the source's identity, None nothing. "truth" is the picture that a perfect model would give, on
    datasets that can make it; on others `otherwise` takes its place.
    """

    frames: Literal["driving", "source", "truth", "angles"] | None
    meaning: str  # goes beside the metric's description; the reason when there is no reference
    otherwise: Reference | None = None  # stated with "truth" and only with it

    def __post_init__(self) -> None:
        if (self.frames == "truth") != (self.otherwise is not None):
            raise ValueError(f"reference {self.meaning!r}: `otherwise` goes with the frames 'truth' and no others")


@dataclass(frozen=True)
class Task:
    """A protocol: everything that decides which frames are compared with which. Metrics follow from the aspects."""

    id: str
    version: int  # a change of anything below that changes a score makes a new version
    description: str
    references: dict[Aspect, Reference]  # what is said first is shown first
    pairs: Callable[[Sequence[Clip], int], list[Pair]]  # of clips, with a seed; independent of their order
    size: int = 256  # side in pixels at which frames are compared
    frames_per_clip: int = 64  # at most
    shots: int = 1  # source images that a model is given; one that uses fewer takes the first
    motion: Motion = "absolute"
    angles: tuple[tuple[float, float, float], ...] = ()  # of "redirect": yaw, pitch, roll in degrees (curate.angles)
    consecutive: bool = False  # the first frames of a clip instead of evenly spaced ones
    parameters: Mapping[str, Parameter] = field(
        default_factory=dict
    )  # what its rows and metrics are made with, by name
    rows: Callable[[Task, list[Reenactor]], list[Reenactor]] | None = None  # the model, calibration rows -> the table's
    conclude: Callable[[Task, Sequence[Row]], None] | None = None  # after all pairs: metrics of what models tell

    @property
    def protocol(self) -> str:
        """Name and version, as in `cross-id@1`."""
        return f"{self.id}@{self.version}"

    @property
    def thresholds(self) -> dict[str, float]:
        """The parameters that are single numbers: what metrics may take."""
        return {name: value for name, value in self.parameters.items() if isinstance(value, int | float)}

    @property
    def wants_truth(self) -> bool:
        """Whether anything is compared with the truth where there is one."""
        return any(reference.frames == "truth" for reference in self.references.values())

    def references_on(self, truth: bool) -> dict[Aspect, Reference]:
        """The references on a dataset that can give the truth, or that cannot; aspects without one come last."""
        found = {aspect: ref if truth else ref.otherwise or ref for aspect, ref in self.references.items()}
        return dict(sorted(found.items(), key=lambda item: item[1].frames is None))

    def frame_indices(self, n_frames: int) -> list[int]:
        """Evenly spaced driving frames, first and last included (or the first ones); all of them when there are no more
        than the limit."""
        if self.consecutive:
            return list(range(min(n_frames, self.frames_per_clip)))
        return evenly(n_frames, self.frames_per_clip)

    def source_indices(self, n_frames: int) -> list[int]:
        """The frames of the source's clip that a model is given: the first, and the others evenly over the clip.

        Fewer than `shots` only where the clip has fewer.
        """
        return evenly(n_frames, self.shots)

    def driving_indices(self, pair: Pair) -> list[int]:
        """The driving frames that are compared. Where a clip drives itself, a model that is given more of it than the
        first frame has to make none of those again. Where nothing drives: the numbers of the angles."""
        if self.motion == "redirect":
            return list(range(len(self.angles)))
        if pair.driving_at:
            return list(pair.driving_at)
        indices = self.frame_indices(pair.driving.n_frames)
        if self.shots == 1 or pair.source != pair.driving:
            return indices
        given = set(self.source_indices(pair.source.n_frames))
        return [i for i in indices if i not in given]


def _at(frames: tuple[int, ...]) -> str:
    return "".join(f"@{i}" for i in frames)


def evenly(n_frames: int, most: int) -> list[int]:
    """At most so many of 0 .. n_frames - 1, evenly spaced, the ends included (the first alone for one)."""
    count = min(n_frames, most)
    return [i * (n_frames - 1) // max(count - 1, 1) for i in range(count)]


def pair_list_sha256(pairs: Sequence[Pair]) -> str:
    """Hash of the pairs in their order, by clip ids and frames: equal exactly when two runs compared the same pairs."""
    return sha256_text("".join(pair.line for pair in pairs))
