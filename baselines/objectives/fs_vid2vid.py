"""fs-vid2vid: reconstruct consecutive driving frames from their edge maps and K other frames of the clip.

Each frame is made from the one before, through which no gradient goes back (as in the authors' code). Their teacher of
flows, FlowNet2, is not at hand: warped images and occlusion maps are judged as theirs are, and "landmark_flow" may take
the teacher's place. There is one discriminator, of single frames.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from baselines import losses
from baselines.edge_maps import draw_edges
from baselines.losses import flows
from baselines.objectives import terms
from baselines.training.batch import Batch, Networks
from baselines.training.recipe import Recipe
from models.fs_vid2vid import Generator, Previous
from models.fs_vid2vid_discriminator import Discriminator

COPIED = -2.0  # what an occlusion map is, before its sigmoid, where a picture begins as a copy of the warped one


@torch.no_grad()
def prepare(networks: Networks, recipe: Recipe) -> None:
    """With `start_as_copy` flows begin as nothing and occlusion maps nearly open; of use to composed pictures alone."""
    if not recipe.settings.get("start_as_copy"):
        return
    network = cast(Generator, networks["net_G"]).flow_network_ref
    flow, mask = (head.get_submodule("0.layers.conv") for head in (network.conv_flow, network.conv_mask))
    for parameter in flow.parameters():
        nn.init.zeros_(parameter)
    nn.init.constant_(cast(nn.Parameter, mask.bias), COPIED)


def generator_losses(
    networks: Networks, batch: Batch, recipe: Recipe, rng: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What `terms.reconstruction` has; "drawn", pixels on a pyramid of what the main branch draws, before warped images
    are put over it; "warp", "occlusion" and "landmark_flow", means over all warped images; with a
    discriminator also "adversarial" and "feature_matching", means over its sizes.

    Outputs prediction [B, T, 3, R, R]; and, of the B * T frames, label, and label and image of the warped reference.
    """
    generator = cast(Generator, networks["net_G"])
    rows, frames, *_, side = batch.driving.shape
    labels = _drawn(batch.driving_extras["landmarks68"], side)
    references = generator.encode_references(_drawn(batch.source_extras["landmarks68"], side), batch.source)
    every = torch.arange(rows, device=batch.source.device)
    predictions, drawn, chosen, warps = [], [], [], []
    previous: Previous | None = None
    for t in range(frames):
        found = generator.drive(labels[:, t], references, previous)
        predictions.append(found["prediction"])
        drawn.append((found["pre_tanh"].tanh() + 1) / 2)
        chosen.append(found["chosen_reference"])
        points = batch.driving_extras["landmarks68"]
        others = [batch.source_extras["landmarks68"][every, chosen[-1]], points[:, t - 1]]
        warps += [
            _judged(recipe, found, number, batch.driving[:, t], points[:, t], others[number])
            for number in range(1 if previous is None else 2)
        ]
        previous = Previous(labels[:, t], found["prediction"].detach())
    prediction, target = torch.stack(predictions, dim=1), batch.driving.flatten(0, 1)
    weighted = terms.reconstruction(networks, prediction.flatten(0, 1), target, recipe)
    weighted |= terms.weighted(recipe, drawn=lambda: losses.pyramid_l1(torch.stack(drawn, dim=1).flatten(0, 1), target))
    weighted |= {name: torch.stack([one[name] for one in warps]).mean() for name in warps[0]}
    place = (every[:, None], torch.stack(chosen, dim=1))
    references_seen = (references.labels[place].flatten(0, 1), batch.source[place].flatten(0, 1))
    outputs = {"label": labels.flatten(0, 1), "ref_label": references_seen[0], "ref_image": references_seen[1]}
    if recipe.discriminators:
        fake_maps, fake = _judge(networks, outputs, prediction)
        with torch.no_grad():
            real_maps, _ = _judge(networks, outputs, batch.driving)
        weighted |= terms.weighted(
            recipe,
            adversarial=lambda: _mean(losses.hinge_generator(scores) for scores in fake),
            feature_matching=lambda: _mean(
                losses.feature_matching(*pair) for pair in zip(real_maps, fake_maps, strict=True)
            ),
        )
    return weighted, {"prediction": prediction, **outputs}


def discriminator_losses(
    networks: Networks, batch: Batch, outputs: dict[str, Tensor], recipe: Recipe, rng: torch.Generator
) -> dict[str, Tensor]:
    """The hinge loss of patches: real ones above 1, generated ones below -1; the mean over all sizes."""
    _, real = _judge(networks, outputs, batch.driving)
    _, fake = _judge(networks, outputs, outputs["prediction"])
    return {
        "discriminator": recipe.weights["adversarial"]
        * _mean(losses.hinge_discriminator(*pair) for pair in zip(real, fake, strict=True))
    }


def _drawn(points: Tensor, side: int) -> Tensor:
    """Edge maps [B, N, 1, R, R] of landmarks [B, N, 68, 2]."""
    return draw_edges(points.flatten(0, 1), side).to(points).view(*points.shape[:2], 1, side, side)


def _judged(
    recipe: Recipe, found: dict[str, Any], number: int, target: Tensor, points: Tensor, others: Tensor
) -> dict[str, Tensor]:
    """The losses of one warped image: of the reference (0) or the frame before (1)."""
    flow, share, warped = (found[name][number] for name in ("fake_flow_maps", "fake_occlusion_masks", "warped_images"))
    return terms.weighted(
        recipe,
        warp=lambda: losses.warp(warped, target),
        occlusion=lambda: flows.occlusion(share, warped, target),
        landmark_flow=lambda: flows.landmark_flow(flow, points, others),
    )


def _judge(networks: Networks, seen: dict[str, Tensor], images: Tensor) -> tuple[list[list[Tensor]], list[Tensor]]:
    discriminator = cast(Discriminator, networks["net_D"])
    judged: tuple[list[list[Tensor]], list[Tensor]] = discriminator(
        seen["label"], seen["ref_label"], seen["ref_image"], images.flatten(0, 1)
    )
    return judged


def _mean(values: Any) -> Tensor:
    return torch.stack(list(values)).mean()
