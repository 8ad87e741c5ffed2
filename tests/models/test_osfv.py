"""OSFV as in the paper: its equations against plain loops, its sizes, its ablations."""

import math

import pytest
import torch
import torch.nn.functional as F

import models
from models.errors import InputError, UnknownName
from models.folding import folded
from models.layers3d import Hourglass3d, gaussian_volumes, volume_grid
from models.osfv import HEATMAP_VARIANCE, Motion, free_view, relative_motion
from models.pose import rotation
from tests.baselines.osfv_tiny import TINY

SIDE = 32


@pytest.fixture
def make():
    def made(**switches):
        torch.manual_seed(0)
        networks = {name: network.eval() for name, network in models.create("osfv", **TINY | switches).items()}
        for network in networks.values():
            for module in network.modules():
                if isinstance(module, torch.nn.Conv2d | torch.nn.Conv3d) and not hasattr(module, "weight_orig"):
                    torch.nn.init.kaiming_normal_(module.weight)
        return networks

    return made


def some_motion(count, num_kp=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    angles = 40 * torch.rand(count, 3, generator=generator) - 20
    t, delta = (torch.rand(*size, generator=generator) - 0.5 for size in ((count, 3), (count, num_kp, 3)))
    return Motion(angles, rotation(angles), t, delta)


def test_the_papers_sizes():
    with torch.device("meta"):
        networks = models.create("osfv", "paper")
    assert {"generator", "kp_detector", "he_estimator", "discriminator"} == set(networks)
    generator = networks["generator"]
    assert generator.volume == (32, 16)
    assert list(networks["kp_detector"].kp.weight.shape) == [20, 32, 7, 7, 7]
    assert generator.dense_motion_network.hourglass.out_channels == 137  # as in the paper's figure: 32 + 21 * 5
    assert networks["he_estimator"].fc_exp.out_features == 60
    names = [name for name, _ in generator.named_parameters()]
    assert "dense_motion_network.mask.weight_orig" in names
    assert set(models.create("osfv", "mini", disc_scales=(1.0, 0.5))["discriminator"].discs) == {"1", "0-5"}


def test_the_mini_preset_is_small():
    networks = models.create("osfv", "mini")
    driven = sum(p.numel() for name, n in networks.items() if name != "discriminator" for p in n.parameters())
    assert driven < 2.5e6
    assert networks["kp_detector"].kp.out_channels == 20


def test_keypoints_are_turned_shifted_and_deformed():
    motion, canonical = some_motion(2), torch.rand(1, 4, 3)
    found = motion.keypoints(canonical)
    for b in range(2):
        for k in range(4):
            expected = motion.rotation[b] @ canonical[0, k] + motion.translation[b] + motion.deformation[b, k]
            torch.testing.assert_close(found[b, k], expected)


def test_the_detector_gives_each_heatmaps_mean_position(make):
    detector = make()["kp_detector"]
    image = torch.rand(2, 3, SIDE, SIDE)
    with torch.no_grad():
        found = detector(image)
        logits = detector.kp(detector.predictor(detector.down(image)))
    weights = (logits / 0.1).flatten(2).softmax(-1).view_as(logits)
    grid = volume_grid(*logits.shape[2:], logits)
    expected = torch.einsum("bkdhw,dhwc->bkc", weights, grid)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_dense_motion_is_the_sum_of_masked_motions(make):
    network = make()["generator"].dense_motion_network
    small = torch.rand(1, 4, 2, 16, 16)
    kp_driving, kp_source = (torch.rand(1, 4, 3) - 0.5 for _ in "ab")
    with torch.no_grad():
        found = network.combine(small, kp_driving, kp_source)
    grid = volume_grid(2, 16, 16, small)
    motions = [grid, *(grid - kp_driving[0, k] + kp_source[0, k] for k in range(4))]
    expected = sum(found["mask"][0, k, ..., None] * motions[k] for k in range(5))
    torch.testing.assert_close(found["deformation"][0], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(found["mask"].sum(1), torch.ones(1, 2, 16, 16))
    assert found["occlusion_map"].shape == (1, 1, 16, 16)


def test_gaussians_are_those_of_distances():
    points = torch.rand(2, 3, 3) * 2 - 1
    found = gaussian_volumes(points, 11, 6, 8, HEATMAP_VARIANCE)
    squared = (volume_grid(11, 6, 8, points) - points[:, :, None, None, None]).square().sum(-1)
    torch.testing.assert_close(found, torch.exp(-0.5 * squared / 0.01), atol=1e-6, rtol=0)


def test_no_point_is_lost_between_few_layers():
    points = torch.tensor([[[0.0, 0.0, z] for z in torch.linspace(-1, 1, 13).tolist()]])
    for depth in (2, 4, 8, 16):
        highest = gaussian_volumes(points, depth, 5, 5, HEATMAP_VARIANCE)[0].amax((1, 2, 3))
        assert highest.min() > 0.6, depth


def test_a_grid_runs_from_corner_to_corner_and_lies_at_zero_if_flat():
    grid = volume_grid(3, 2, 5, torch.ones(1))
    assert grid.shape == (3, 2, 5, 3)
    assert grid[0, 0, 0].tolist() == [-1, -1, -1]
    assert grid[2, 1, 4].tolist() == [1, 1, 1]
    assert grid[1, 0, 2].tolist() == [0, -1, 0]
    assert not volume_grid(1, 2, 5, torch.ones(1))[..., 2].any()


def test_same_keypoints_give_the_identity_flow(make):
    generator = make()["generator"]
    image, keypoints = torch.rand(1, 3, SIDE, SIDE), torch.rand(1, 4, 3) - 0.5
    with torch.no_grad():
        found = generator(image, kp_driving=keypoints, kp_source=keypoints)
    torch.testing.assert_close(found["deformation"][0], volume_grid(2, 16, 16, image), atol=1e-5, rtol=0)


def test_warping_in_2d_drops_depth(make):
    networks = make(warp="2d")
    generator = networks["generator"]
    assert generator.volume == (8, 1)
    assert all(m.kernel_size[0] == 1 for m in generator.modules() if isinstance(m, torch.nn.Conv3d))
    image = torch.rand(1, 3, SIDE, SIDE)
    kp_driving, kp_source = (torch.rand(1, 4, 3) - 0.5 for _ in "ab")
    with torch.no_grad():
        found = generator(image, kp_driving=kp_driving, kp_source=kp_source)
        elsewhere = generator(image, kp_driving=kp_driving + torch.tensor([0, 0, 0.5]), kp_source=kp_source)
    assert torch.equal(found["prediction"], elsewhere["prediction"])
    assert not found["deformation"][..., 2].any()
    volume = generator.encode(image)
    flow = found["deformation"][:, 0, :, :, :2]
    expected = F.grid_sample(volume[:, :, 0], flow, align_corners=True)
    warped = F.grid_sample(volume, found["deformation"], align_corners=True)[:, :, 0]
    torch.testing.assert_close(warped, expected, atol=1e-5, rtol=0)


def test_direct_keypoints_need_no_head_estimator(make):
    assert set(make(keypoints="direct")) == {"generator", "kp_detector", "discriminator"}


def test_a_batch_is_its_images_one_by_one(make):
    networks = make()
    image, other = torch.rand(2, 3, SIDE, SIDE), torch.rand(2, 3, SIDE, SIDE)

    def predict(source, driving):
        canonical = networks["kp_detector"](source)
        kp = [networks["he_estimator"].motion(one).keypoints(canonical) for one in (driving, source)]
        return networks["generator"](source, kp_driving=kp[0], kp_source=kp[1])["prediction"]

    with torch.no_grad():
        torch.testing.assert_close(predict(image, other)[:1], predict(image[:1], other[:1]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("switches", [{}, {"warp": "2d"}, {"motion_head": True, "spectral_norm": True}])
def test_every_parameter_learns(make, switches):
    networks = make(**switches)
    for network in networks.values():
        network.train()
    image, other = torch.rand(2, 3, SIDE, SIDE), torch.rand(2, 3, SIDE, SIDE)
    canonical = networks["kp_detector"](image)
    kp = [networks["he_estimator"].motion(one).keypoints(canonical) for one in (other, image)]
    prediction = networks["generator"](image, kp_driving=kp[0], kp_source=kp[1])["prediction"]
    scores = networks["discriminator"](prediction)
    sum([prediction.square().sum(), *(one[1].sum() for one in scores)]).backward()
    for part, network in networks.items():
        unlearned = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
        assert not unlearned, part


def test_relative_motion_is_what_changed_since_the_initial_frame():
    source, initial, driving = some_motion(1), some_motion(1, seed=1), some_motion(3, seed=2)
    still = relative_motion(source, initial, initial)
    torch.testing.assert_close(still.rotation, source.rotation, atol=1e-5, rtol=0)
    torch.testing.assert_close(still.deformation, source.deformation)
    found = relative_motion(source, driving, initial)
    for i in range(3):
        expected = driving.rotation[i] @ torch.linalg.inv(initial.rotation[0]) @ source.rotation[0]
        torch.testing.assert_close(found.rotation[i], expected, atol=1e-5, rtol=0)
    expected = source.translation + driving.translation - initial.translation
    torch.testing.assert_close(found.translation, expected)


def test_free_view_turns_after_the_drivings_turn():
    driving, turn = some_motion(2), rotation(torch.tensor([[30.0, 10, -5]]))
    found = free_view(driving, turn, torch.tensor([[0.1, 0, 0]]))
    torch.testing.assert_close(found.rotation, turn @ driving.rotation, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.translation - driving.translation, torch.tensor([[0.1, 0, 0]]).expand(2, -1))


@pytest.mark.parametrize("switches", [{"motion_head": True}, {"warp": "2d"}, {"spectral_norm": True}])
def test_folding_keeps_the_outputs(make, switches):
    generator = make(**switches)["generator"]
    quick = folded(generator)
    image = torch.rand(1, 3, SIDE, SIDE)
    kp_driving, kp_source = (torch.rand(1, 4, 3) - 0.5 for _ in "ab")
    with torch.no_grad():
        for name, value in generator(image, kp_driving=kp_driving, kp_source=kp_source).items():
            found = quick(image, kp_driving=kp_driving, kp_source=kp_source)[name]
            torch.testing.assert_close(found, value, atol=1e-4, rtol=0, msg=name)


def test_hourglass_keeps_its_input_as_the_last_channels():
    volume = torch.rand(1, 3, 2, 8, 8)
    out = Hourglass3d(3, 4, 8, 2)(volume)
    assert out.shape == (1, 7, 2, 8, 8)
    assert torch.equal(out[:, 4:], volume)


def test_wrong_input_is_named(make):
    networks = make()
    image, keypoints = torch.rand(1, 3, SIDE, SIDE), torch.rand(1, 4, 3)
    with pytest.raises(InputError, match=r"kp_source: expected shape \[1, 4, 3\], got \[1, 4, 2\]"):
        networks["generator"](image, kp_driving=keypoints, kp_source=keypoints[..., :2])
    with pytest.raises(InputError, match="height and width must be multiples of 8, got 32 x 36"):
        networks["generator"](torch.rand(1, 3, 32, 36), kp_driving=keypoints, kp_source=keypoints)
    with pytest.raises(InputError, match=r"image: expected values in \[0, 1\]"):
        networks["kp_detector"](image * math.nan)
    with pytest.raises(UnknownName, match="value of warp '4d'"):
        models.create("osfv", "mini", warp="4d")
    with pytest.raises(UnknownName, match="generator 'spad': did you mean spade"):
        models.create("osfv-community", generator="spad")
