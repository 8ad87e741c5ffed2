"""Terms that objectives share: each is computed where the recipe has a weight for it, and comes weighted.

The judges are frozen networks that `Recipe.judges` names, and stand beside the trained ones in `networks`: "vgg19" and
"vggface" (files of their authors), "features-builtin" (this project's own, which needs no file: what it judges is
called perceptual-builtin, and is no substitute for the papers' loss in a comparison).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from baselines import losses
from baselines.losses.perceptual import FOMM_SCALES
from baselines.training.batch import Networks
from baselines.training.recipe import Recipe

JUDGES = {"perceptual": "vgg19", "perceptual-face": "vggface", "perceptual-builtin": "features-builtin"}


def weighted(recipe: Recipe, **terms: Callable[[], Tensor]) -> dict[str, Tensor]:
    """The terms that the recipe has a weight for, computed and multiplied by it."""
    return {name: recipe.weights[name] * term() for name, term in terms.items() if recipe.weights.get(name)}


def reconstruction(networks: Networks, prediction: Tensor, target: Tensor, recipe: Recipe) -> dict[str, Tensor]:
    """Distances of images [B, 3, H, W] from their targets.

    "l1" (mean), "pixels" and "gradients" (on pyramids), "perceptual" (VGG-19 at `settings.perceptual_scales`, FOMM's
    unless it is given, with `settings.perceptual_layers` as weights of the layers), "perceptual-face" (VGGFace, full
    size, with `settings.perceptual_face_layers`), "perceptual-builtin" (full size).
    """
    found = weighted(
        recipe,
        l1=lambda: F.l1_loss(prediction, target),
        pixels=lambda: losses.pyramid_l1(prediction, target),
        gradients=lambda: losses.pyramid_gradient(prediction, target),
    )
    layers: Sequence[float] | None = recipe.settings.get("perceptual_layers")
    scales: Sequence[float] = recipe.settings.get("perceptual_scales", FOMM_SCALES)
    for name, judge in JUDGES.items():
        if weight := recipe.weights.get(name):
            how: dict[str, Any] = {"scales": scales, "layers": layers} if name == "perceptual" else {}
            if name == "perceptual-face":
                how["layers"] = recipe.settings.get("perceptual_face_layers")
            found[name] = weight * losses.perceptual(networks[judge], prediction, target, **how)
    return found
