"""Bi-layer head avatars with the texture enhancer: how the authors' own inference drives the model.

The person's texture is corrected once, by what is wrong in the source images when they are drawn from it (section 3.3
of the paper); then all goes as in `baselines.bilayer`, with the same checkpoints if they hold the enhancer.
"""

from __future__ import annotations

from torch import Tensor

from baselines.bilayer import Bilayer
from baselines.interface import Extras, Source
from models.bilayer import enhance


class BilayerEnhanced(Bilayer):
    """One-shot head avatars whose texture is corrected by the source images."""

    name = "bilayer-enhanced"
    architecture = "bilayer"
    parts = (*Bilayer.parts, "texture_enhancer")

    def encode_source(self, images: Tensor, extras: Extras) -> Source:
        """As `Bilayer.encode_source`, with the corrected texture."""
        source = super().encode_source(images, extras)
        poses = self.poses("source", images, extras).to(self.device)
        shown = images.clamp(0, 1).to(self.device)
        return Source(images, {"person": enhance(self.networks, source.state["person"], shown[None], poses[None])})
