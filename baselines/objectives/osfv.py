"""OSFV: reconstruct a driving frame from another frame of its clip (section 3.4 and appendix A of the paper).

The head pose is supervised by the true angles of rendered heads where the batch has them ("pose" in the extras), else
by the judge "hopenet", as in the paper.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from baselines import losses
from baselines.initialise import keep_statistics, pass_through_volume
from baselines.objectives import terms
from baselines.training.batch import Batch, Networks
from baselines.training.recipe import Recipe
from models.hopenet import Hopenet
from models.osfv import Generator, HeadEstimator, KeypointDetector, MultiScaleDiscriminator, VolumeGenerator
from models.pose import bin_degrees, hopenet_to_camera


def prepare(networks: Networks, recipe: Recipe) -> None:
    """With `start_as_copy` the generator begins as a copy of the warped source, so that minutes go into motion."""
    if recipe.settings.get("start_as_copy"):
        pass_through_volume(cast(Generator, networks["generator"]))


def generator_losses(
    networks: Networks, batch: Batch, recipe: Recipe, rng: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Reconstruction (L_P), adversary (L_G), equivariance (L_E), keypoint prior (L_L), head pose (L_H; also by
    bins), deformation (L_Delta), each where the recipe has a weight for it."""
    generator, detector = cast(VolumeGenerator, networks["generator"]), cast(KeypointDetector, networks["kp_detector"])
    if recipe.settings.get("start_as_copy"):
        keep_statistics(generator)
    source, driving = batch.source[:, 0], batch.driving[:, 0]
    warp = losses.RandomWarp.sample(len(driving), rng).to(driving.device)
    warped = warp.images(driving, align_corners=generator.align_corners)
    found: dict[str, Tensor] = {}
    if "he_estimator" in networks:
        estimator = cast(HeadEstimator, networks["he_estimator"])
        canonical = detector(source)
        images = torch.cat([source, driving, warped])  # in one batch, for its statistics' sake
        seen = estimator(images)
        motion = estimator.read(seen)
        kp_source, kp_driving, kp_warped = motion.keypoints(canonical.repeat(3, 1, 1)).chunk(3)
        known = 2 * len(source)  # not the warped ones
        logits = torch.stack([seen[name] for name in ("yaw", "pitch", "roll")], dim=1)[:known]
        found |= terms.weighted(
            recipe,
            head_pose=lambda: losses.head_pose(motion.angles[:known], _pose(networks, batch, estimator)),
            head_pose_bins=lambda: losses.head_pose_bins(
                logits, _pose(networks, batch, estimator), bin_degrees(device=logits.device)
            ),
            deformation=lambda: losses.deformation_prior(motion.deformation),
        )
    else:  # direct keypoints
        kp_source, kp_driving, kp_warped = (detector(image) for image in (source, driving, warped))
    prediction = generator(source, kp_driving=kp_driving, kp_source=kp_source)["prediction"]
    found |= terms.reconstruction(networks, prediction, driving, recipe)
    found |= terms.weighted(
        recipe,
        equivariance=lambda: losses.equivariance_value(kp_driving[..., :2], kp_warped[..., :2], warp),
        keypoint_prior=lambda: losses.keypoint_prior(kp_driving),
    )
    if recipe.discriminators:
        discriminator = cast(MultiScaleDiscriminator, networks["discriminator"])
        fake = discriminator(prediction)
        with torch.no_grad():
            real = discriminator(driving)
        found |= terms.weighted(
            recipe,
            adversarial=lambda: _total([losses.hinge_generator(scores) for _, scores in fake]),
            feature_matching=lambda: _total(
                [losses.feature_matching(a, b) for (a, _), (b, _) in zip(real, fake, strict=True)]
            ),
        )
    return found, {"prediction": prediction[:, None]}


def discriminator_losses(
    networks: Networks, batch: Batch, outputs: dict[str, Tensor], recipe: Recipe, rng: torch.Generator
) -> dict[str, Tensor]:
    """The hinge loss of patches at each scale: real ones above 1, generated ones below -1."""
    discriminator = cast(MultiScaleDiscriminator, networks["discriminator"])
    real, fake = discriminator(batch.driving[:, 0]), discriminator(outputs["prediction"][:, 0])
    hinges = [losses.hinge_discriminator(a, b) for (_, a), (_, b) in zip(real, fake, strict=True)]
    return {"discriminator": recipe.weights["adversarial"] * _total(hinges)}


def _pose(networks: Networks, batch: Batch, estimator: HeadEstimator) -> Tensor:
    """The angles [2 B, 3] that the estimator should find of source and driving frames, in its own convention."""
    if "pose" in batch.driving_extras:
        if estimator.convention != "camera":
            raise ValueError(f"true angles are this project's, the network's convention is {estimator.convention}")
        return torch.cat([batch.source_extras["pose"][:, 0], batch.driving_extras["pose"][:, 0]])
    with torch.no_grad():
        angles = cast(Hopenet, networks["hopenet"]).degrees(torch.cat([batch.source[:, 0], batch.driving[:, 0]]))
    return hopenet_to_camera(angles) if estimator.convention == "camera" else angles


def _total(terms: list[Tensor]) -> Tensor:
    return torch.stack(terms).sum()
