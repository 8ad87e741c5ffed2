"""The mini generator starts as a copy of what the dense motion gives it."""

import pytest
import torch
import torch.nn.functional as F

import models
from baselines.initialise import pass_through, pass_through_volume, settle


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
        prediction = generator.decode(generator.warped(volume, motion))
        line = torch.linspace(-1, 1, 128)
        moved = torch.stack(torch.meshgrid(line - 0.5, line, indexing="xy"), dim=-1).expand(8, -1, -1, -1)
        wanted = F.grid_sample(source, moved, align_corners=True)
    inner = (..., slice(8, -8), slice(48, -8))
    expected, found = wanted[inner].flatten(), prediction[inner].flatten()
    assert torch.corrcoef(torch.stack((expected, found)))[0, 1] > 0.95
    assert torch.corrcoef(torch.stack((source[inner].flatten(), found)))[0, 1] < 0.5


def pictures(side):
    coarse = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, size=side, mode="bicubic").clamp(0.02, 0.98)


def test_once_statistics_are_kept_a_generator_copies_colours_as_they_are():
    generator = make()
    pass_through(generator)
    source = pictures(64)
    grid = torch.stack(torch.meshgrid(*2 * [torch.linspace(-1, 1, 16)], indexing="xy"), dim=-1).expand(4, -1, -1, -1)
    motion = {"deformation": grid, "occlusion_map": torch.full((4, 1, 16, 16), 2.0).sigmoid()}
    with torch.no_grad():
        for _ in range(30):
            generator.decode(generator.encode(source), motion)
        generator.eval()
        settle(generator)
        for image in source.split(1):  # one alone, too: nothing depends on its batch
            alone = {name: value[:1] for name, value in motion.items()}
            error = (generator.decode(generator.encode(image), alone) - image).abs()[..., 4:-4, 4:-4]
            assert error.mean() < 0.07


def test_once_statistics_are_kept_a_generator_of_volumes_copies_colours_as_they_are():
    generator = volume_generator()
    pass_through_volume(generator)
    source, keypoints = pictures(128), torch.rand(4, 20, 3) - 0.5
    with torch.no_grad():
        for _ in range(30):
            generator(source, keypoints, keypoints)
        generator.eval()
        settle(generator)
        error = (generator(source, keypoints, keypoints)["prediction"] - source).abs()[..., 8:-8, 8:-8]
    assert error.mean() < 0.04


def test_a_volume_that_cannot_carry_the_colours_is_refused():
    with pytest.raises(ValueError, match="at least 12 channels, got 8"):
        pass_through_volume(volume_generator(volume_channels=8))
