"""Training losses as pure functions, one idea a file; weights are the recipes'.

Images are float32 [B, 3, H, W] in [0, 1], points (x, y) in [-1, 1]. Every loss is a scalar, a mean over the batch.
"""

from baselines.losses.equivariance import RandomWarp, equivariance_jacobian, equivariance_value
from baselines.losses.pixels import pyramid_gradient, pyramid_l1

__all__ = ["RandomWarp", "equivariance_jacobian", "equivariance_value", "pyramid_gradient", "pyramid_l1"]
