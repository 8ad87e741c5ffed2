"""What a build is told. Two groups, because thresholds can change without looking at the pixels again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from curate.files import sha256_text
from curate.framing import CONVENTIONS, Box, Convention, Policy

SETTINGS = "settings.json"  # what the dataset in its folder was last built with
STAGE_VERSION = 11  # raised when a stage decides or writes differently: results of older versions are made again


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with any value and with `STAGE_VERSION`."""
        return sha256_text(json.dumps([STAGE_VERSION, self.model_dump()], sort_keys=True))[:16]


class AnalysisSettings(_Settings):
    """What decides the scores: a change means decoding every video again."""

    detector: str = "mtcnn"
    identifier: str | None = None  # identity network: tells when another face takes a track's place, and who is who
    detect_every_s: float = Field(default=0.2, gt=0)  # seconds between frames in which faces are looked for
    short_side: int = Field(default=360, ge=64)  # faces are looked for at this size
    track_iou: float = Field(default=0.3, gt=0, lt=1)  # with the track's last box, or where its motion takes it
    track_gap_s: float = Field(default=1.0, ge=0)  # a face may be missed for so long


class SelectionSettings(_Settings):
    """What decides, from scores, which clips are made and how."""

    min_res: int = Field(default=512, ge=64, le=4096)  # least native side of the crop
    min_bitrate: int = Field(default=0, ge=0)  # bits per second of the source's video
    min_seconds: float = Field(default=1.0, gt=0)
    max_frames: int = Field(default=1024, ge=2)  # FOMM's rule; longer tubes are cut into equal parts
    tube_iou: float = Field(default=0.25, gt=0, lt=1)  # FOMM's rule: with the tube's first box
    min_face_score: float = Field(default=0.9, ge=0, le=1)  # mean over the track; below it the face is doubtful
    min_face_rate: float = Field(default=0.75, ge=0, le=1)  # share of looked-at frames with the face; below: doubtful
    max_flat: float = Field(
        default=0.38, ge=0, le=1
    )  # share of the face without texture; above it: doubtful, a drawing
    min_sharpness: float | None = Field(
        default=None, ge=0
    )  # median over the clip's looked-at frames, as are the next two
    min_brightness: float | None = Field(default=None, ge=0)
    max_occlusion: float | None = Field(default=None, ge=0)
    max_yaw: float | None = Field(default=None, gt=0)  # degrees, of the mean over the clip
    max_overlay: float | None = Field(default=None, ge=0)  # share of the video's picture under logos and text
    need_sound: bool = False
    guard_frames: int = Field(default=1, ge=0)  # left out on both sides of a cut
    crop: Literal["default", "fomm", "liveportrait", "talkinghead1kh"] = "default"  # framing.CONVENTIONS
    crop_scale: float | None = Field(default=None, ge=1)  # instead of the convention's
    crop_rise: float | None = Field(default=None, ge=-1, le=1)  # instead of the convention's
    box_policy: Policy = "shift"  # where the crop would leave the frame
    box_motion: Literal["fixed", "smooth"] = "fixed"  # one box for a clip, or one that follows the face
    size: int | Literal["native"] | None = None  # side that is written; None: `min_res`, or native by convention
    crf: int = Field(default=16, ge=0, le=51)
    x264_preset: str = "medium"
    keyint: int = Field(default=25, ge=1)  # frames between keyframes: readers of single frames want them close

    @field_validator("min_res", "size")
    @classmethod
    def _even(cls, value: int | str | None) -> int | str | None:
        if isinstance(value, int) and value % 2:
            raise ValueError("must be even, for H.264")
        return value

    @property
    def convention(self) -> Convention:
        """The framing by name, with what is said instead of it."""
        named = CONVENTIONS[self.crop]
        scale = named.scale if self.crop_scale is None else self.crop_scale
        return replace(named, scale=scale, rise=named.rise if self.crop_rise is None else self.crop_rise)

    def written(self, box: Box) -> tuple[int, int]:
        """Width and height of the clip that is cut from `box`: a square box is resized to `size`, others never are."""
        width, height = box[2] - box[0], box[3] - box[1]
        size = self.size if self.size is not None else "native" if self.convention.native else self.min_res
        return (size, size) if isinstance(size, int) and width == height else (width, height)


class DatasetSettings(_Settings):
    """What is decided when all videos are done."""

    same_person: float = Field(default=0.5, gt=0, lt=1)  # mean cosine from which two groups of clips are one person
    splits: dict[str, float] | None = None  # weights by split, such as {"train": 8, "test": 2}; None: as lists say
    seed: int = 0  # of the draw


class Settings(_Settings):
    """All of a build."""

    analysis: AnalysisSettings = AnalysisSettings()
    selection: SelectionSettings = SelectionSettings()
    dataset: DatasetSettings = DatasetSettings()

    @property
    def fingerprint(self) -> str:
        """16 hex digits over what decides a video's clips: not over what is decided when all are done."""
        return sha256_text(f"{self.analysis.fingerprint} {self.selection.fingerprint}")[:16]
