"""Terms that objectives share: each is computed where the recipe has a weight for it."""

from __future__ import annotations

from torch import Tensor

from baselines import losses
from baselines.training.recipe import Recipe


def reconstruction(prediction: Tensor, target: Tensor, recipe: Recipe) -> dict[str, Tensor]:
    """Weighted distances of images [B, 3, H, W] from their targets: pixels, gradients."""
    found = {}
    if weight := recipe.weights.get("pixels"):
        found["pixels"] = weight * losses.pyramid_l1(prediction, target)
    if weight := recipe.weights.get("gradients"):
        found["gradients"] = weight * losses.pyramid_gradient(prediction, target)
    return found
