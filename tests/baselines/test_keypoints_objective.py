"""Keypoints that begin at landmarks: of FOMM, and of OSFV through its head pose."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

import models
from baselines.objectives import keypoints as objective
from baselines.training.batch import Batch
from baselines.training.extras import MIRRORED
from baselines.training.recipe import read_recipe, recipe_names
from tests.baselines import learning
from tests.baselines.learning import fall
from tests.baselines.osfv_tiny import TINY

SIDE = 32


@pytest.fixture
def batch():
    """Four rows of a bright square whose place is the head's pose, and on whose corners all landmarks lie."""
    generator = torch.Generator().manual_seed(0)
    places = 2 * torch.rand(4, 2, 2, generator=generator) - 1
    centres = SIDE / 2 + 8 * places
    near = (torch.arange(SIDE) - centres[..., None]).abs() < 5  # [4, 2, 2, SIDE]
    square = (near[..., 0, None, :] & near[..., 1, :, None]).float()
    frames = torch.stack([0.2 + 0.6 * square, 1 - square, 0.5 * square], dim=2)
    corners = torch.tensor([[-4.0, -4.0], [4.0, -4.0], [4.0, 4.0], [-4.0, 4.0]]).repeat(17, 1)
    landmarks = centres[:, :, None] + corners
    pose = torch.cat([20 * places, torch.zeros(4, 2, 1)], dim=-1)
    space = F.pad(30 * landmarks, (0, 1), value=600.0)
    known = [{"landmarks68": landmarks[:, [i]], "landmarks3d": space[:, [i]], "pose": pose[:, [i]]} for i in (0, 1)]
    return Batch(frames[:, :1], frames[:, 1:], *known)


def test_osfv_finds_landmarks_through_the_pose(batch):
    torch.manual_seed(0)
    networks = models.create("osfv", "mini", **TINY)
    del networks["generator"], networks["discriminator"]
    count = networks["he_estimator"].num_kp
    recipe = replace(read_recipe("osfv-keypoints-mini"), settings={"landmarks": list(range(count))})
    seen = learning.train(objective, networks, batch, recipe, 50, 3e-3)
    assert set(seen[0]) == {name for name, weight in recipe.weights.items() if weight}
    assert fall(seen, "landmarks") < 0.5
    assert fall(seen, "head_pose") < 0.7
    motion = networks["he_estimator"].motion(batch.driving[:, 0])
    assert motion.deformation.shape == (4, count, 3)


FOMM = {"num_kp": 4, "kp_width": 8, "kp_max_width": 16, "kp_blocks": 2, "kp_scale": 1}


@pytest.mark.parametrize(("architecture", "sizes"), [("fomm", FOMM), ("osfv-direct", TINY)])
def test_a_detector_finds_landmarks(batch, architecture, sizes):
    torch.manual_seed(0)
    networks = {"kp_detector": models.create(architecture, "mini", **sizes)["kp_detector"]}
    recipe = replace(read_recipe(f"{architecture}-keypoints-mini"), settings={"landmarks": [0, 1, 2, 3]})
    seen = learning.train(objective, networks, batch, recipe, 50, 5e-3)
    assert set(seen[0]) == {name for name, weight in recipe.weights.items() if weight}
    assert fall(seen, "landmarks") < 0.5


def test_landmarks_are_where_a_networks_points_are(batch):
    """A corner of the picture is at +-1; the sources come first."""
    corner = torch.full((4, 1, 68, 2), SIDE - 1.0)
    batch = replace(
        batch, source_extras={"landmarks68": torch.zeros(4, 1, 68, 2)}, driving_extras={"landmarks68": corner}
    )
    recipe = replace(read_recipe("fomm-keypoints-mini"), settings={"landmarks": [8, 30]})
    points = objective._landmarks(batch, recipe, SIDE)
    assert torch.equal(points[:4], torch.full((4, 2, 2), -1.0))
    assert torch.equal(points[4:], torch.full((4, 2, 2), 1.0))


def test_depth_has_the_scale_of_the_picture(batch):
    generator = torch.Generator().manual_seed(0)
    space = torch.randn(4, 1, 68, 3, generator=generator) * 60 + torch.tensor([5.0, -8.0, 700.0])
    pixels = space[..., :2] * 0.1 + 16
    known = {"landmarks68": pixels, "landmarks3d": space}
    batch = replace(batch, source_extras=known, driving_extras=known)
    recipe = replace(read_recipe("osfv-keypoints-mini"), settings={"landmarks": [8, 30, 36, 45]})
    points = objective._landmarks(batch, recipe, SIDE)
    real = space[:, 0, [8, 30, 36, 45]]
    wanted = (real - real.mean(1, keepdim=True)) * 0.1 * 2 / (SIDE - 1)
    torch.testing.assert_close((points - points.mean(1, keepdim=True))[:4], wanted)
    torch.testing.assert_close(points[..., 2].mean(1), torch.full((8,), 0.33))


@pytest.mark.parametrize("name", [name for name in recipe_names() if "-keypoints-" in name])
def test_recipes_name_a_landmark_for_every_keypoint(name):
    recipe = read_recipe(name)
    chosen = recipe.settings["landmarks"]
    detector = models.create(recipe.architecture, recipe.preset, **recipe.switches)["kp_detector"]
    assert len(set(chosen)) == len(chosen) == detector.kp.out_channels
    assert {int(MIRRORED[k]) for k in chosen} == set(chosen)  # both sides of the face alike
