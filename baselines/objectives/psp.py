"""pSp: two ways to train it, by what the batch has.

With head poses (`needs = ["pose"]`) encoder, decoder and directions learn together from pairs of frames of one clip:
the styles of the source frame, turned to its own pose and to the driving frame's, must give those two frames. Styles
that serve both cannot hold the pose, so that the encoder frontalises, and the directions turn the head in degrees. The
paper trains the encoder alone, on a decoder that StyleGAN2 was trained for, with no pose (section 4.2): source and
target are mirrored or not by chance, and the face that is nearest to both looks at the camera.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines import losses
from baselines.checkpoint import load_networks
from baselines.objectives import terms
from baselines.torch_file import read_content
from baselines.training.batch import Batch, Networks
from baselines.training.errors import TrainingError
from baselines.training.recipe import Recipe
from models.ir_se import IdentityNetwork
from models.psp import AverageStyle, GradualStyleEncoder, PoseDirections
from models.stylegan2 import Generator

INNER = (35, 223, 32, 220)  # of 256: top, bottom, left, right of what an aligned face fills


def prepare(networks: Networks, recipe: Recipe) -> None:
    """Where the recipe names a trained `settings.decoder`, take decoder and average style from it and keep them.

    It is a weights file of pSp (a path or a name), or one of StyleGAN2 in PyTorch (.pt, with g_ema and latent_avg).
    With `settings.lively` map2style's convolutions keep the variance of what goes through them, so that different faces
    have different styles from the first step.
    """
    if recipe.settings.get("lively"):
        for layer in cast(GradualStyleEncoder, networks["encoder"]).styles.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, 0.01)
    named = recipe.settings.get("decoder")
    if named is None:
        return
    decoder, average = cast(Generator, networks["decoder"]), cast(AverageStyle, networks["average"])
    if str(named).endswith(".pt") and Path(named).is_file() and "g_ema" in (content := read_content(Path(named))):
        decoder.load_state_dict(content["g_ema"])
        average.latent_avg.copy_(cast(Tensor, content["latent_avg"]))
    else:
        given, _ = load_networks("psp", recipe.preset, named, "cpu", ("decoder", "average"))
        for part, network in given.items():
            networks[part].load_state_dict(network.state_dict())
    decoder.requires_grad_(False)


def generator_losses(
    networks: Networks, batch: Batch, recipe: Recipe, rng: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The losses of one step, each where the recipe has a weight for it, and the prediction of the driving frame."""
    source, driving = batch.source[:, 0], batch.driving[:, 0]
    offsets = encode(networks, source)
    if "pose" not in batch.driving_extras:
        return _mirrored(networks, source, offsets, recipe, rng)
    angles = torch.cat([batch.source_extras["pose"][:, 0], batch.driving_extras["pose"][:, 0]])
    styles = cast(AverageStyle, networks["average"])(offsets)
    turned = cast(PoseDirections, networks["directions"]).turned(styles.repeat(2, 1, 1), angles)
    target = F.adaptive_avg_pool2d(torch.cat([source, driving]), grown(networks, recipe))
    both = cast(Generator, networks["decoder"])(turned, until=target.shape[-1]) / 2 + 0.5
    strength = emphasis(angles, recipe.settings.get("turned", 0.0)) * inner(target, recipe.settings.get("outer", 1.0))
    found = terms.reconstruction(networks, both * strength, target * strength, recipe)
    found |= terms.weighted(recipe, w_norm=lambda: losses.w_norm(offsets, torch.zeros_like(offsets[0])))
    drawn = F.interpolate(both[len(source) :], size=source.shape[2:])
    return found, {"prediction": drawn[:, None]}


def encode(networks: Mapping[str, nn.Module], images: Tensor) -> Tensor:
    """The encoder's offsets [B, L, D] of images [B, 3, H, W] in [0, 1]."""
    encoder = cast(GradualStyleEncoder, networks["encoder"])
    offsets: Tensor = encoder(2 * F.adaptive_avg_pool2d(images, encoder.side) - 1)
    return offsets


def grown(networks: Mapping[str, nn.Module], recipe: Recipe) -> int:
    """The side of the images that are drawn now: `settings.grow` has pairs (steps, side), the side until so many steps.

    What a head looks like when turned is learnt first where a step costs least (as in Progressive GAN: Karras, Aila,
    Laine, Lehtinen; ICLR 2018). How many steps there were is what batch normalisation has counted.
    """
    norm = cast(nn.BatchNorm2d, cast(GradualStyleEncoder, networks["encoder"]).input_layer[1])
    done = int(norm.num_batches_tracked or 0)
    return next((side for steps, side in recipe.settings.get("grow", ()) if done <= steps), recipe.resolution)


def emphasis(angles: Tensor, strength: float) -> Tensor:
    """Weights [B, 1, 1, 1] of mean 1 for images at angles [B, 3]: 1 + strength |angles| / 10 degrees, normalised.

    Most frames look nearly straight ahead; the few turned ones would else hardly count.
    """
    weights: Tensor = 1 + strength * torch.linalg.vector_norm(angles, dim=1) / 10
    return (weights / weights.mean()).view(-1, 1, 1, 1)


def inner(images: Tensor, outer: float) -> Tensor:
    """Weights [1, 1, H, W] for images [B, 3, H, W]: 1 where the face is (`INNER`), `outer` around it."""
    weights = images.new_full((1, 1, *images.shape[2:]), outer)
    weights[inside(images)] = 1
    return weights


def inside(images: Tensor) -> tuple[Any, ...]:
    """The part of images [B, 3, H, W] that `INNER` cuts out."""
    height, width = images.shape[2:]
    top, bottom = (round(edge * height / 256) for edge in INNER[:2])
    left, right = (round(edge * width / 256) for edge in INNER[2:])
    return (..., slice(top, bottom), slice(left, right))


def _mirrored(
    networks: Networks, images: Tensor, offsets: Tensor, recipe: Recipe, rng: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Section 4.2: the target is the source itself, mirrored or not; pixels and features count mostly where the face
    is, and the identity network sees who it is either way."""
    styles = cast(AverageStyle, networks["average"])(offsets)
    drawn = cast(Generator, networks["decoder"])(styles, fresh_noise=networks["encoder"].training)
    side = cast(GradualStyleEncoder, networks["encoder"]).side
    output = F.adaptive_avg_pool2d(drawn, side)
    chosen = (torch.rand(len(images), generator=rng) < 0.5).to(images.device)
    target = F.adaptive_avg_pool2d(torch.where(chosen[:, None, None, None], images.flip(-1), images), side)
    predicted = output / 2 + 0.5
    face = inside(output)

    def perceptual(a: Tensor, b: Tensor) -> Tensor:
        layers: Sequence[float] | None = recipe.settings.get("perceptual_layers")
        return losses.perceptual(networks["vgg19"], a, b, layers=layers)

    def identity() -> Tensor:
        network = cast(IdentityNetwork, networks["ir-se50"])
        with torch.no_grad():
            wanted = network.of_faces(2 * images - 1)
        return losses.identity(network.of_faces(output), wanted)

    found = terms.weighted(
        recipe,
        l2=lambda: F.mse_loss(output, 2 * target - 1),
        l2_inner=lambda: F.mse_loss(output[face], (2 * target - 1)[face]),
        perceptual=lambda: perceptual(predicted, target),
        perceptual_inner=lambda: perceptual(predicted[face], target[face]),
        identity=identity,
        w_norm=lambda: losses.w_norm(offsets, torch.zeros_like(offsets[0])),
    )
    if not found:
        raise TrainingError(f"recipe {recipe.name}: none of its weights is of a loss that is known without poses")
    return found, {"prediction": predicted[:, None]}
