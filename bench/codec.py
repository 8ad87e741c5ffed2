"""Video conferencing with a model whose motion can be sent: OSFV's `motion` and `render` around `bench.bitstream`.

The coder is no part of `baselines`, which needs nothing beyond torch, numpy and safetensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from baselines.interface import Source
from bench.bitstream import BadStream, Format, decode, dequantised, encode, quantised
from curate.errors import UserError


class MotionCodec:
    """`encode_motion` at the sender, `decode` at the receiver, who has the source."""

    def __init__(self, model: Any, form: Format | None = None) -> None:
        """`model`: with `motion(driving)` and `render(source, motion)`; `form`: steps, hold and fps."""
        if not (hasattr(model, "motion") and hasattr(model, "render")):
            raise UserError(f"model {model.spec.name} has no motion that could be sent")
        self.model, self.keypoints = model, int(model.generator.num_kp)
        self.form = replace(form or Format(self.keypoints), keypoints=self.keypoints)

    def encode_motion(self, driving: Tensor) -> bytes:
        """The stream of frames [T, 3, R, R] in [0, 1]; `UserError` where the motion is not finite."""
        with torch.inference_mode():
            return self.encode(self.model.motion(driving))

    def encode(self, motion: Mapping[str, Tensor]) -> bytes:
        """As `encode_motion`, of motion that the model has found."""
        numbers = quantised({name: value.float().cpu().numpy() for name, value in motion.items()}, self.form)
        return encode(numbers, self.form)

    def decode(self, source: Source, stream: bytes) -> Tensor:
        """Frames [T, 3, R, R] of the source in a stream's motion; `BadStream` for a damaged one."""
        numbers, form = decode(stream)
        if form.keypoints != self.keypoints:
            raise BadStream(f"the motion stream has {form.keypoints} keypoints, the model {self.keypoints}")
        if not len(numbers):
            return source.images.new_empty((0, *source.images.shape[1:]))
        received = {name: torch.from_numpy(value) for name, value in dequantised(numbers, form).items()}
        with torch.inference_mode():
            frames: Tensor = self.model.render(source, received)
        return frames
