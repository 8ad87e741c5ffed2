"""FOMM-L: FOMM with twice as many filters, a baseline of OSFV (Wang, Mallya, Liu; CVPR 2021, arXiv 2011.15126).

The OSFV paper says of it no more than that, and no code of it is public. Two readings:

- "all" (the default): the first and the largest number of channels are doubled in every network, the keypoint detector,
  dense motion, the generator and the discriminator: 249.6 M parameters.
- "generator": they are doubled in the generator's encoder, bottleneck and decoder alone: 86.0 M parameters.

What the networks do is in `models.fomm`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn

from models import fomm
from models.errors import UnknownName
from models.presets import configure

DOUBLED = {
    "all": (
        "kp_width",
        "kp_max_width",
        "motion_width",
        "motion_max_width",
        "width",
        "max_width",
        "disc_width",
        "disc_max_width",
    ),
    "generator": ("width", "max_width"),
}
PRESETS = fomm.PRESETS  # before doubling


def create(preset: str, reading: str = "all", **switches: Any) -> dict[str, nn.Module]:
    """The three networks of `preset`; `switches` replace fields of `models.fomm.Config` before these are doubled."""
    if reading not in DOUBLED:
        raise UnknownName("fomm-l reading", reading, DOUBLED)
    config = configure("fomm-l", PRESETS, preset, switches)
    config = replace(config, **{name: 2 * getattr(config, name) for name in DOUBLED[reading]})
    return fomm.networks(config)
