"""What an objective is given at every step. Images are float32 RGB in [0, 1] at the recipe's resolution R."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

Networks = dict[str, nn.Module]
"""By name: those that are trained, the discriminators, and the frozen judges that the recipe asks for."""


@dataclass(frozen=True)
class Batch:
    """B rows on the device; all frames of a row come from one clip, and half of the rows are mirrored if the recipe
    says so, with everything that belongs to them.

    The extras are what `Recipe.needs` names, with K (source) or T (driving) in the place of N:

    - landmarks68 [B, N, 68, 2]: iBUG points (x, y) in pixels of R, integers at pixel centres; NaN where no face is
    - landmarks3d [B, N, 68, 3]: the same points in mm, camera axes (x right, y down, z away); where no truth is known,
      those of a mean head turned likewise
    - pose [B, N, 3]: yaw, pitch, roll in degrees
    - mask [B, N, 1, R, R]: the head, in [0, 1]
    """

    source: Tensor  # [B, K, 3, R, R]
    driving: Tensor  # [B, T, 3, R, R]: consecutive frames
    source_extras: dict[str, Tensor]
    driving_extras: dict[str, Tensor]
