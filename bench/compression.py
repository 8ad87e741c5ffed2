"""Rows of the task `compression`: a model's stream at several settings, and H.264 and H.265 at several qualities.

Sender and receiver are played in one process, but the receiver's frames come from the bytes alone. A model's receiver
has the source as a picture that was sent (an H.264 key frame), and its motion as the stream has it. Each row is one
setting; the settings of one model, or of one video coder, are a family, and make one curve.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.interface import Extras, ModelSpec, Reenactor, Source
from bench.bitstream import packet_sizes
from bench.codec import MotionCodec
from bench.rate_settings import Setting, settings_of
from bench.scoring import to_frames, to_tensor
from curate.coding import Coding, Packet, decode, encode
from curate.errors import UserError

if TYPE_CHECKING:
    from bench.tasks.base import Task

PAPERS = {
    "h264": "ITU-T Recommendation H.264, Advanced video coding for generic audiovisual services",
    "h265": "ITU-T Recommendation H.265, High efficiency video coding",
}


class CodedModel:
    """A model as its receiver sees it. `told["sent"]` [T, 2]: bytes of the source's picture and of the stream that go
    out with each frame of the last call."""

    def __init__(self, model: Any, setting: Setting, name: str, family: str, motions: MotionOnce) -> None:
        self.spec: ModelSpec = replace(model.spec, name=name, details={**model.spec.details, "setting": str(setting)})
        self.family = family
        self.told: dict[str, NDArray[Any]] = {}
        self._model, self._setting, self._motions = model, setting, motions
        self._codec = MotionCodec(model, setting.motion)

    def encode_source(self, images: Tensor, extras: Extras) -> Source:
        """The source [1, 3, R, R] as the receiver has it."""
        packets = encode(to_frames(images), self._setting.picture, self._setting.motion.fps)
        received = to_tensor(decode(packets, "h264"), str(images.device))
        source: Source = self._model.encode_source(received, extras)
        return replace(source, state={**source.state, "sent": _size(packets)})

    def reenact(self, source: Source, driving: Tensor, extras: Extras, *, relative_to: Tensor | None = None) -> Tensor:
        """The receiver's frames [T, 3, R, R] of driving frames [T, 3, R, R]."""
        stream = self._codec.encode(self._motions.of(driving))
        sent = np.zeros((len(driving), 2))
        sent[0, 0] = source.state["sent"]
        sent[:, 1] = packet_sizes(stream)
        sent[0, 1] += len(stream) - sent[:, 1].sum()  # header and end
        self.told = {"sent": sent}
        return self._codec.decode(source, stream).to(driving.device)


class MotionOnce:
    """A model's motion of the frames that were asked of last: its settings have it in common."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._frames: Tensor | None = None
        self._motion: dict[str, Tensor] = {}

    def of(self, driving: Tensor) -> dict[str, Tensor]:
        """As `model.motion`."""
        if self._frames is None or not torch.equal(self._frames, driving):
            self._frames, self._motion = driving, self._model.motion(driving)
        return self._motion


class VideoCoder:
    """H.264 or H.265 at one quality, coding all driving frames; `told` as of `CodedModel`, there is no picture."""

    def __init__(self, coding: Coding, fps: float) -> None:
        self.family = coding.codec
        self.told: dict[str, NDArray[Any]] = {}
        self._coding, self._fps = coding, fps
        self.spec = ModelSpec(
            f"{coding.codec}-crf{coding.crf}",
            coding.preset,
            resolution=None,
            paper=PAPERS[coding.codec],
            details={"coder": str(coding)},
        )

    def encode_source(self, images: Tensor, extras: Extras) -> Source:
        """Nothing is sent of the source: it is the first of the frames."""
        return Source(images)

    def reenact(self, source: Source, driving: Tensor, extras: Extras, *, relative_to: Tensor | None = None) -> Tensor:
        """The decoded frames [T, 3, H, W] of driving frames [T, 3, H, W]."""
        packets = encode(to_frames(driving), self._coding, self._fps)
        sent = np.zeros((len(driving), 2))
        for packet in packets:
            sent[packet.number, 1] = len(packet.data)
        self.told = {"sent": sent}
        return to_tensor(decode(packets, self._coding.codec), str(driving.device))


def _size(packets: list[Packet]) -> int:
    return sum(len(packet.data) for packet in packets)


def rows(task: Task, models: list[Reenactor]) -> list[Reenactor]:
    """The model at each setting, the coders at each quality, the calibration rows; `UserError` for a model whose
    motion cannot be sent, and for parameters that cannot be."""
    asked = settings_of(task.parameters)
    made: list[Reenactor] = []
    for model in models:
        if model.spec.kind == "calibration":
            made.append(model)
            continue
        if "codec" not in model.spec.capabilities:
            raise UserError(f"task compression needs a model that can do 'codec', and {model.spec.name} cannot")
        motions, name = MotionOnce(model), model.spec.name
        for i, setting in enumerate(asked.model):
            made.append(CodedModel(model, setting, f"{name}-{setting.name}" if i else name, name, motions))
        if asked.adaptive:
            made.append(CodedModel(model, asked.adaptive, f"{name}-adaptive", f"{name}-adaptive", motions))
    return made + [VideoCoder(coding, asked.fps) for coding in asked.coders]
