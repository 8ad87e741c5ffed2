"""What decides a SynthHeads dataset, checked, and the clips that follow from it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

import numpy as np

from curate.errors import UserError
from curate.files import sha256_text
from curate.synth.motion import sample_motion
from curate.synth.parameters import Identity, Motion, Scene, sample_identity, sample_scene

SYNTH_VERSION = 1
"""Raised whenever the same recipe would give other frames or another truth: older clips are then made again."""

# Streams of a clip. None is 0: numpy pads seeds with zeros, and the identity's own stream is (seed, identity, 0).
_MOTION, _SCENE, _CAMERA = 11, 12, 13


@dataclass(frozen=True)
class Recipe:
    """All that decides the bytes of a dataset. `UserError` for a value that makes no dataset."""

    train: int  # identities of each split; no identity is in two
    val: int = 0
    test: int = 0
    clips_per_identity: int = 2
    seconds: float = 4.0
    size: int = 256  # side of the square frames, pixels
    fps: float = 25.0
    seed: int = 0
    noise: float = 0.0  # strength of degrade.degrade
    crf: int = 16

    def __post_init__(self) -> None:
        whole = {"train": self.train, "val": self.val, "test": self.test}
        checks = (
            *((value >= 0, f"{name} must be at least 0, but is {value}") for name, value in whole.items()),
            (sum(whole.values()) >= 1, "identities must be at least 1"),
            (sum(whole.values()) < 100_000, "identities must be fewer than 100000"),
            (self.clips_per_identity >= 1, f"clips per identity must be at least 1, but is {self.clips_per_identity}"),
            (1 <= self.fps <= 240, f"fps must be in [1, 240], but is {self.fps:g}"),
            (math.isfinite(self.seconds) and self.seconds > 0, f"seconds must be positive, but is {self.seconds:g}"),
            (self.seconds <= 3600, f"seconds must be at most 3600, but is {self.seconds:g}"),
            (self.n_frames >= 2 if math.isfinite(self.seconds * self.fps) else True, self._too_short()),
            (64 <= self.size <= 2048, f"size must be in [64, 2048], but is {self.size}"),
            (self.size % 2 == 0, f"size must be even, for H.264, but is {self.size}"),
            (0 <= self.seed < 1 << 31, f"seed must be in [0, 2147483648), but is {self.seed}"),
            (0 <= self.noise <= 1, f"noise must be in [0, 1], but is {self.noise:g}"),
            (0 <= self.crf <= 51, f"crf must be in [0, 51], but is {self.crf}"),
        )
        for holds, message in checks:
            if not holds:
                raise UserError(message)

    def _too_short(self) -> str:
        return f"seconds {self.seconds:g} at {self.fps:g} fps is less than two frames"

    @classmethod
    def of(cls, identities: int, **others: float | int) -> Recipe:
        """A recipe for so many identities: about an eighth each for test and val, the rest to train with.

        From 4 on two are for test, because a transfer from one person to another needs two; of 3 one; val begins at 8.
        """
        test = max(2, identities // 8) if identities >= 4 else int(identities == 3)
        val = identities // 8
        return cls(train=identities - test - val, val=val, test=test, **others)  # type: ignore[arg-type]  # each field has its own type

    @property
    def identities(self) -> int:
        """People in all."""
        return self.train + self.val + self.test

    @property
    def n_frames(self) -> int:
        """Frames of a clip."""
        return round(self.seconds * self.fps)

    @property
    def fingerprint(self) -> str:
        """8 hex digits that change with any value and with `SYNTH_VERSION`."""
        return sha256_text(json.dumps([SYNTH_VERSION, asdict(self)], sort_keys=True))[:8]

    def split_of(self, identity: int) -> str:
        """Test people come first: more people to train with leave them, and their clips, as they are."""
        return "test" if identity < self.test else "val" if identity < self.test + self.val else "train"

    def clips(self) -> list[ClipRecipe]:
        """The clips, an identity's one after the other."""
        return [
            ClipRecipe(
                identity=identity,
                number=number,
                split=self.split_of(identity),
                n_frames=self.n_frames,
                size=self.size,
                fps=self.fps,
                seed=self.seed,
                noise=self.noise,
                crf=self.crf,
            )
            for identity in range(self.identities)
            for number in range(self.clips_per_identity)
        ]


@dataclass(frozen=True)
class ClipRecipe:
    """One clip: what is drawn for it follows from these numbers alone, not from its neighbours."""

    identity: int
    number: int  # among the identity's clips
    split: str
    n_frames: int
    size: int
    fps: float
    seed: int
    noise: float
    crf: int

    @property
    def video_id(self) -> str:
        """Who, and which of their clips."""
        return f"synth{self.seed}-{self.identity:04d}-{self.number}"

    @property
    def clip_id(self) -> str:
        """`video_id` and 8 hex digits over all that decides the bytes of the file.

        It is made of the recipe's numbers, not of the floats drawn from them: machines whose sines differ in the last
        bit still agree on names, and lists of pairs hold on all of them.
        """
        decides = {name: value for name, value in asdict(self).items() if name != "split"}
        return f"{self.video_id}-{sha256_text(json.dumps([SYNTH_VERSION, decides], sort_keys=True))[:8]}"

    @property
    def noise_seed(self) -> int:
        """Seed of the clip's camera."""
        return int(self._rng(_CAMERA).integers(1 << 31))

    def draw(self) -> tuple[Identity, Motion, Scene]:
        """Who, how they move, and where."""
        motion = sample_motion(self._rng(_MOTION), self.n_frames, self.fps)
        return sample_identity(self.seed, self.identity), motion, sample_scene(self._rng(_SCENE))

    def _rng(self, what: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, self.identity, self.number, what))
