"""OSFV as a public reimplementation has it, whose weights people use: its layouts and its traps.

It differs from the paper's architecture (`models.osfv`) in sizes: K = 15, keypoint heads of 3^3, one more convolution
in M's hourglass, no spectral norm in its "original" generator; its "spade" generator decodes by SPADE blocks. Its
weights also want, and `Config` says:

- yaw comes from the layer named fc_roll, roll from the one named fc_yaw (`swapped_names`);
- degrees become radians by 3.14 for pi (`half_turn`);
- keypoints are turned by Rx(pitch) Ry(yaw) Rz(roll), in the older "beta" weights by Rx(roll) Ry(pitch) Rz(yaw)
  (`convention`); angles mean what Hopenet's mean;
- "beta" weights let L see the whole image (`kp_scale` 1), so that their kp_detector has no anti-alias kernel;
- grid_sample with align_corners as torch had it when they were trained: true for torch below 1.3, else false.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from models import osfv
from models.errors import UnknownName
from models.pose import Convention
from models.presets import configure
from models.spade import HIDDEN, SpadeDecoder
from models.spade_driven import DrivenDecoder


@dataclass(frozen=True)
class Config(osfv.Config):
    """The public configuration vox-256. Every field is a switch of `models.create`."""

    generator: Literal["original", "spade"] = "original"
    beta: bool = False  # the older weights
    num_kp: int = 15
    spectral_norm: bool = False
    kp_kernel: int = 3
    motion_head: bool = True
    swapped_names: bool = True
    convention: Convention = "public"
    half_turn: float = 3.14
    spade_hidden: int = HIDDEN


PRESETS = {"paper": Config()}


def create(preset: str, **switches: Any) -> dict[str, nn.Module]:
    """generator, kp_detector, he_estimator, discriminator with the public names; `UnknownName` for unknown names.

    The one preset, "paper", is the public configuration; `beta=True` sets what the older weights need.
    """
    config = configure("osfv-community", PRESETS, preset, switches)
    if config.generator not in ("original", "spade"):
        raise UnknownName("osfv-community generator", config.generator, ("original", "spade"))
    if config.beta:
        config = replace(config, convention="public-beta", kp_scale=1)
    generator = SpadeGenerator(config) if config.generator == "spade" else osfv.Generator(config)
    return osfv.networks_around(generator, config)


class SpadeGenerator(osfv.VolumeGenerator):
    """F (its first convolution 3 x 3) and M as in the original; G by SPADE blocks."""

    driven: ClassVar = (("decoder", DrivenDecoder),)  # for `models.folding`

    def __init__(self, config: Config) -> None:
        super().__init__(replace(config, first_kernel=3))
        width = self.out_channels
        self.decoder = SpadeDecoder(width, width, config.width, config.bottleneck_blocks, config.spade_hidden)

    def decode(self, features: Tensor) -> Tensor:
        """Images [B, 3, 4h, 4w] in [0, 1] from warped features [B, C, h, w]."""
        image: Tensor = self.decoder(features)
        return image
