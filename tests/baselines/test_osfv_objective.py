"""How OSFV is trained, at a size that learns in seconds; and its losses against those of public code."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import baselines.checkpoint
import models
from baselines import losses
from baselines.checkpoint import save
from baselines.objectives import osfv as objective
from baselines.training.batch import Batch
from baselines.training.recipe import Optimiser, read_recipe
from bench.judges import JUDGES
from models.pose import camera_to_hopenet
from tests.baselines import learning
from tests.baselines.learning import fall
from tests.baselines.osfv_tiny import TINY

SIDE = 32


@pytest.fixture
def networks():
    torch.manual_seed(0)
    return models.create("osfv", "mini", **TINY)


@pytest.fixture
def batch():
    """Four rows of a bright square whose place is the head's pose."""
    generator = torch.Generator().manual_seed(0)
    places = 2 * torch.rand(4, 2, 2, generator=generator) - 1
    line = torch.arange(SIDE)
    near = (line - (16 + 8 * places[..., None])).abs() < 5  # [4, 2, 2, SIDE]
    square = (near[..., 0, None, :] & near[..., 1, :, None]).float()
    frames = torch.stack([0.2 + 0.6 * square, 1 - square, 0.5 * square], dim=2)
    pose = torch.cat([20 * places, torch.zeros(4, 2, 1)], dim=-1)
    return Batch(frames[:, :1], frames[:, 1:], {"pose": pose[:, :1]}, {"pose": pose[:, 1:]})


@pytest.fixture
def recipe():
    mini = read_recipe("osfv-motion-mini")
    return replace(mini, settings={}, weights={**mini.weights, "keypoint_prior": 1.0})


def train(networks, batch, recipe, steps=50):
    return learning.train(objective, networks, batch, recipe, steps, 3e-3)


def test_the_losses_fall(networks, batch, recipe):
    seen = train(networks, batch, recipe)
    assert set(seen[0]) == {
        "pixels",
        "gradients",
        "equivariance",
        "keypoint_prior",
        "head_pose",
        "head_pose_bins",
        "deformation",
    }
    assert fall(seen, "pixels") < 0.7
    assert fall(seen, "head_pose") < 0.7
    assert fall(seen, "keypoint_prior") < 0.9


def test_direct_keypoints_learn_without_a_pose(batch, recipe):
    torch.manual_seed(0)
    networks = models.create("osfv", "mini", **TINY, keypoints="direct")
    direct = replace(read_recipe("osfv-direct-mini"), settings={})
    seen = train(networks, Batch(batch.source, batch.driving, {}, {}), direct)
    assert set(seen[0]) == {"pixels", "gradients", "equivariance", "keypoint_prior"}
    assert fall(seen, "pixels") < 0.8


def test_the_discriminators_learn_at_each_scale(batch, recipe):
    torch.manual_seed(0)
    networks = models.create("osfv", "mini", **TINY, disc_scales=(1.0, 0.5))
    weights = {"pixels": 10.0, "adversarial": 1.0, "feature_matching": 10.0}
    recipe = replace(recipe, discriminators=("discriminator",), discriminator=Optimiser(2e-3), weights=weights)
    optimiser = torch.optim.Adam(networks["discriminator"].parameters(), lr=2e-3)
    with torch.no_grad():
        found, outputs = objective.generator_losses(networks, batch, recipe, torch.Generator())
    assert set(found) == set(weights)
    judged = []
    for _ in range(15):
        verdict = objective.discriminator_losses(networks, batch, outputs, recipe, torch.Generator())["discriminator"]
        optimiser.zero_grad()
        verdict.backward()
        optimiser.step()
        judged.append(float(verdict.detach()))
    assert judged[-1] < 0.9 * judged[0]
    for network in networks.values():
        network.eval()
    with torch.no_grad():
        found, outputs = objective.generator_losses(networks, batch, recipe, torch.Generator())
        fake = networks["discriminator"](outputs["prediction"][:, 0])
        real = networks["discriminator"](batch.driving[:, 0])
    torch.testing.assert_close(found["adversarial"], -sum(scores.mean() for _, scores in fake))
    matched = sum(
        (a - b).abs().mean() for (x, _), (y, _) in zip(real, fake, strict=True) for a, b in zip(x, y, strict=True)
    )
    torch.testing.assert_close(found["feature_matching"], 10 * matched)


class Judge(torch.nn.Module):
    """Sees the same pose everywhere."""

    def degrees(self, images):
        return camera_to_hopenet(torch.tensor([[10.0, -5.0, 3.0]])).expand(len(images), -1)


def test_a_head_pose_network_stands_for_truth_in_this_projects_angles(networks, batch, recipe):
    for network in networks.values():
        network.eval()
    told = torch.tensor([10.0, -5.0, 3.0]).expand(4, 1, 3)
    with torch.no_grad():
        judged, _ = objective.generator_losses(
            networks | {"hopenet": Judge()},
            Batch(batch.source, batch.driving, {}, {}),
            recipe,
            torch.Generator().manual_seed(0),
        )
        truth, _ = objective.generator_losses(
            networks,
            Batch(batch.source, batch.driving, {"pose": told}, {"pose": told}),
            recipe,
            torch.Generator().manual_seed(0),
        )
    torch.testing.assert_close(judged["head_pose"], truth["head_pose"], atol=1e-4, rtol=0)


def test_the_judge_is_read_from_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(baselines.checkpoint, "WEIGHTS", tmp_path)
    torch.manual_seed(0)
    made = models.create("hopenet", "mini")
    save(tmp_path / "hopenet-mirror.safetensors", made, model="hopenet", preset="mini", steps=0)
    images = torch.rand(2, 3, 64, 64)
    judge = JUDGES["hopenet"]()
    with torch.no_grad():
        torch.testing.assert_close(judge.degrees(images), made["hopenet"].eval().degrees(images))


def test_losses_are_those_of_public_code(shared, seeded):
    """Where keypoints and angles come from: the driving frame, and the same warped, with the source's own keypoints."""
    stored = np.load(shared / "goldens" / "losses_osfv_ac1.npz")
    networks = models.create("osfv-community")
    detector, estimator = networks["kp_detector"].eval(), networks["he_estimator"].eval()
    for network in (detector, estimator):
        seeded.fill(network)
    source, driving = (seeded.image(name, (1, 3, 256, 256)) for name in ("source", "driving"))
    warp = losses.RandomWarp(
        torch.from_numpy(stored["in_transform_theta"]), torch.from_numpy(stored["in_transform_control_params"])[:, 0]
    )
    with torch.no_grad():
        for layer, scale in {"fc_yaw": 0.1, "fc_pitch": 0.1, "fc_roll": 0.1, "fc_t": 0.02, "fc_exp": 0.02}.items():
            estimator.get_submodule(layer).weight *= scale
        canonical, motion = detector(source), estimator.motion(driving)
        kp_driving = motion.keypoints(canonical)
        kp_warped = estimator.motion(warp.images(driving, align_corners=True)).keypoints(canonical)
    np.testing.assert_allclose(kp_warped, stored["transformed_kp_value"], atol=1e-4)
    equivariance = 10 * losses.equivariance_value(kp_driving[..., :2], kp_warped[..., :2], warp)
    assert float(equivariance) == pytest.approx(float(stored["loss_equivariance_value"][0]), abs=1e-3)
    deformation = 5 * losses.deformation_prior(motion.deformation)
    assert float(deformation) == pytest.approx(float(stored["loss_expression"][0]), abs=1e-3)
    prior = 10 * (losses.keypoint_prior(kp_driving) + 15 * 0.1)  # public code counts each keypoint against itself
    assert float(prior) == pytest.approx(float(stored["loss_keypoint"][0]), abs=1e-3)
    target = torch.from_numpy(stored["hopenet_degrees_antialias"])[None]
    assert float(20 * losses.head_pose(motion.angles, target)) == pytest.approx(
        float(stored["loss_headpose"][0]), abs=1e-2
    )
