"""The mini generator starts as a copy of what the dense motion gives it."""

import pytest
import torch
import torch.nn.functional as F

import models
from baselines.initialise import pass_through


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
