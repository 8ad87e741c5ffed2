"""Training losses as pure functions, one idea a file; weights are the recipes'.

Images are float32 [B, 3, H, W] in [0, 1], points (x, y) in [-1, 1]. Every loss is a scalar, a mean over the batch.
"""

from baselines.losses.adversarial import (
    feature_matching,
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    relativistic_discriminator,
    relativistic_generator,
)
from baselines.losses.equivariance import RandomWarp, equivariance_jacobian, equivariance_value
from baselines.losses.keypoints import MEAN_DEPTH, deformation_prior, head_pose, head_pose_bins, keypoint_prior
from baselines.losses.latent import identity, w_norm
from baselines.losses.perceptual import perceptual
from baselines.losses.pixels import pyramid_gradient, pyramid_l1
from baselines.losses.regions import segmentation, warp

__all__ = [
    "MEAN_DEPTH",
    "RandomWarp",
    "deformation_prior",
    "equivariance_jacobian",
    "equivariance_value",
    "feature_matching",
    "head_pose",
    "head_pose_bins",
    "hinge_discriminator",
    "hinge_generator",
    "identity",
    "keypoint_prior",
    "least_squares_discriminator",
    "least_squares_generator",
    "perceptual",
    "pyramid_gradient",
    "pyramid_l1",
    "relativistic_discriminator",
    "relativistic_generator",
    "segmentation",
    "w_norm",
    "warp",
]
