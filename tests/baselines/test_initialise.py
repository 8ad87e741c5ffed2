"""The mini generator starts as a copy of what the dense motion gives it."""

import pytest
import torch
import torch.nn.functional as F

import models
from baselines.initialise import keep_statistics, pass_through, pass_through_alignment, pass_through_volume


def make(**switches):
    torch.manual_seed(0)
    return models.create("fomm", "mini", **switches)["generator"].train()


def test_a_generator_starts_as_a_copy_of_the_warped_source():
    generator = make()
    before = torch.random.get_rng_state()
    pass_through(generator)
    assert torch.equal(before, torch.random.get_rng_state())
    coarse = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    source = 0.2 + 0.6 * F.interpolate(coarse, size=64, mode="bicubic").clamp(0, 1)
    line = torch.linspace(-1, 1, 16)
    shifted = torch.stack(torch.meshgrid(line - 0.5, line, indexing="xy"), dim=-1)  # moves the picture to the right
    motion = {"deformation": shifted.expand(8, -1, -1, -1), "occlusion_map": torch.ones(8, 1, 16, 16)}
    with torch.no_grad():
        prediction = generator.decode(generator.encode(source), motion)
    inner = (..., slice(4, -4), slice(24, -4))
    expected, found = generator.warp(source, motion["deformation"])[inner].flatten(), prediction[inner].flatten()
    assert torch.corrcoef(torch.stack((expected, found)))[0, 1] > 0.97
    unmoved = source[inner].flatten()
    assert torch.corrcoef(torch.stack((unmoved, found)))[0, 1] < 0.5


def test_a_generator_that_cannot_carry_the_colours_is_refused():
    with pytest.raises(ValueError, match="one halving"):
        pass_through(make(down_blocks=2))
    with pytest.raises(ValueError, match="at least 3 and 12 channels"):
        pass_through(make(width=4, max_width=8))


def volume_generator(**switches):
    torch.manual_seed(0)
    return models.create("osfv", "mini", **switches)["generator"].train()


def test_a_generator_of_volumes_starts_as_a_copy_of_its_source():
    generator = volume_generator()
    pass_through_volume(generator)
    coarse = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    source = 0.2 + 0.6 * F.interpolate(coarse, size=128, mode="bicubic").clamp(0, 1)
    shift = torch.tensor([0.5, 0, 0])
    keypoints = torch.rand(8, 20, 3) - 0.5
    volume = generator.encode(source)
    with torch.no_grad():
        motion = generator.dense_motion_network(volume, keypoints, keypoints)
        motion["deformation"] = motion["deformation"] - shift
        motion["deformation"][:, [0, 1, 3]] += 0.3 * torch.rand(3, 1, 1, 3)  # the middle layer is what is seen
        prediction = generator.decode(generator.warped(volume, motion))
        line = torch.linspace(-1, 1, 128)
        moved = torch.stack(torch.meshgrid(line - 0.5, line, indexing="xy"), dim=-1).expand(8, -1, -1, -1)
        wanted = F.grid_sample(source, moved, align_corners=True)
    inner = (..., slice(8, -8), slice(48, -8))
    expected, found = wanted[inner].flatten(), prediction[inner].flatten()
    assert torch.corrcoef(torch.stack((expected, found)))[0, 1] > 0.95
    assert torch.corrcoef(torch.stack((source[inner].flatten(), found)))[0, 1] < 0.5


def test_a_volume_that_cannot_carry_the_colours_is_refused():
    with pytest.raises(ValueError, match="at least 12 channels, got 8"):
        pass_through_volume(volume_generator(volume_channels=8))


def smooth_noise(count, side):
    coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    return 0.2 + 0.6 * F.interpolate(coarse, size=side, mode="bicubic").clamp(0, 1)


def test_with_statistics_kept_colours_stay_what_they_are():
    """Also of a picture that is darker than others, which its own statistics would brighten."""
    dark = 0.5 * smooth_noise(2, 128)
    still = torch.zeros(2, 20, 3)
    generator = volume_generator()
    pass_through_volume(generator)
    inner = (..., slice(8, -8), slice(8, -8))
    with torch.no_grad():
        by_batch = generator(dark, kp_driving=still, kp_source=still)["prediction"]
        keep_statistics(generator)
        kept = generator(dark, kp_driving=still, kp_source=still)["prediction"]
    assert (kept - dark)[inner].abs().mean() < 0.03
    assert (by_batch - dark)[inner].abs().mean() > 0.1
    assert generator.dense_motion_network.norm.training
    assert not generator.first.norm.training


def test_a_generator_of_alignments_starts_as_the_mean_of_its_targets():
    torch.manual_seed(0)
    generator = models.create("marionette", "mini")["generator"]
    pass_through_alignment(generator)
    targets = smooth_noise(4, 64).view(2, 2, 3, 64, 64)
    landmarks, driver = torch.rand(2, 2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        found = generator.encode_targets(targets, landmarks)
        prediction, flows = generator.drive_with_flows(driver, found)
    assert all((flow == 0).all() for flow in (*flows, *found.flows))
    inner = (..., slice(4, -4), slice(4, -4))
    assert (prediction - targets.mean(1))[inner].abs().mean() < 0.02
