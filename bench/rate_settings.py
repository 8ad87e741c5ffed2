"""At which settings the task `compression` sends each clip, as its protocol's parameters have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.bitstream import Format
from bench.tasks.base import Parameter
from curate.coding import Coding
from curate.errors import UserError

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
BEST, WORST = 0, 51  # crf
STEPS = ("angle_step", "t_step", "delta_step")
LARGEST = {"fps": 600, "key_frame_every": 10**6, "hold": 2**15 - 1, "angle_step": 90, "t_step": 1, "delta_step": 1}


@dataclass(frozen=True)
class Setting:
    """What decides a model's rate: how the source's picture is coded, the motion's steps, which keypoints are held."""

    picture: Coding
    motion: Format  # but for the number of keypoints, which is the model's
    coarser: float = 1  # how many times the protocol's steps those of `motion` are

    @property
    def name(self) -> str:
        """As in a row's name."""
        return f"src{self.picture.crf}-step{self.coarser:g}"


@dataclass(frozen=True)
class RateSettings:
    """The rows of one table: a model's settings, which are one family, the one that holds keypoints, video coders."""

    model: tuple[Setting, ...]
    adaptive: Setting | None
    coders: tuple[Coding, ...]
    fps: float  # that coders are told; at a constant quality it hardly changes a byte


def settings_of(parameters: Mapping[str, Parameter]) -> RateSettings:
    """The settings that a task's parameters ask for; `UserError` names the one that cannot be."""
    fps, angle, t, delta = (_number(parameters, name) for name in ("fps", *STEPS))
    gop, hold = _whole(parameters, "key_frame_every"), _whole(parameters, "hold")
    preset = parameters["preset"]
    if preset not in PRESETS:
        raise UserError(f"preset: expected one of {', '.join(PRESETS)}, got {str(preset)[:40]!r}")
    crfs, coarser = _qualities(parameters, "source_crf"), _list(parameters, "coarser")
    if len(coarser) != len(crfs) or not all(0 < times <= 1000 for times in coarser):
        raise UserError(f"coarser: expected a number in (0, 1000] for each of {len(crfs)} source_crf, got {coarser}")
    settings = [
        Setting(
            Coding("h264", crf, str(preset), gop), Format(0, fps, 0, angle * times, t * times, delta * times), times
        )
        for crf, times in zip(crfs, coarser, strict=True)
    ]
    adaptive = Setting(settings[0].picture, Format(0, fps, hold, angle, t, delta)) if hold else None
    coded = _qualities(parameters, "video_crf")
    coders = [Coding("h264", crf, str(preset), gop) for crf in coded]
    coders += [Coding("h265", crf, str(preset), gop) for crf in coded]
    return RateSettings(tuple(settings), adaptive, tuple(coders), fps)


def _number(parameters: Mapping[str, Parameter], name: str) -> float:
    value = parameters[name]
    if not isinstance(value, int | float) or not 0 < value <= LARGEST[name]:
        raise UserError(f"{name}: expected a number above 0 and up to {LARGEST[name]}, got {value!r}")
    return float(value)


def _whole(parameters: Mapping[str, Parameter], name: str) -> int:
    value = parameters[name]
    least = 0 if name == "hold" else 1
    if not isinstance(value, int | float) or value != int(value) or not least <= value <= LARGEST[name]:
        raise UserError(f"{name}: expected a whole number from {least} to {LARGEST[name]}, got {value!r}")
    return int(value)


def _list(parameters: Mapping[str, Parameter], name: str) -> list[float]:
    value = parameters[name]
    if not isinstance(value, tuple) or not value:
        raise UserError(f"{name}: expected a list of numbers, got {value!r}")
    return [float(one) for one in value]


def _qualities(parameters: Mapping[str, Parameter], name: str) -> list[int]:
    crfs = _list(parameters, name)
    if crfs != sorted({float(int(crf)) for crf in crfs}) or not BEST <= crfs[0] <= crfs[-1] <= WORST:
        raise UserError(f"{name}: expected rising whole numbers from {BEST} to {WORST}, got {crfs}")
    return [int(crf) for crf in crfs]
