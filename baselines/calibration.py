"""Two non-models that every table needs: what doing nothing scores, and what the truth scores."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from baselines.interface import Extras, ModelSpec, Source


class _Calibration:
    name: str

    def __init__(self, preset: str = "none", checkpoint: str | Path | None = None, device: str = "cpu") -> None:
        if checkpoint is not None:
            raise ValueError(f"checkpoint: {self.name} has no weights, got {checkpoint}")
        able = ("relative", "redirect")
        self.spec = ModelSpec(self.name, "none", resolution=None, kind="calibration", capabilities=able)

    def encode_source(self, images: Tensor, extras: Extras) -> Source:
        """Keep the source images [K, 3, H, W]."""
        return Source(images)

    def redirect(self, source: Source, yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
        """The first source image for each of T angles: [T, 3, H, W]."""
        return source.images[:1].expand(len(yaw), -1, -1, -1)


class SourceCopy(_Calibration):
    """Ignores the driving frames: what a metric gives to no motion at all."""

    name = "source-copy"

    def reenact(self, source: Source, driving: Tensor, extras: Extras, *, relative_to: Tensor | None = None) -> Tensor:
        """The first source image for each of T driving frames: [T, 3, H, W]."""
        return source.images[:1].expand(len(driving), -1, -1, -1)


class Truth(_Calibration):
    """Gives back the driving frames: the best that a metric can give where they are the truth."""

    name = "truth"

    def reenact(self, source: Source, driving: Tensor, extras: Extras, *, relative_to: Tensor | None = None) -> Tensor:
        """The driving frames [T, 3, H, W]."""
        return driving
