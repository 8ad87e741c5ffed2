"""SPADE blocks against plain formulas, and as they are driven."""

import pytest
import torch
import torch.nn.functional as F

from models.folding import folded
from models.spade import Spade, SpadeDecoder, SpadeResBlock
from models.spade_driven import DrivenDecoder, EnlargedConvolution


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_a_map_modulates_what_is_normalised():
    norm = Spade(3, 5, hidden=4)
    x, modulation = torch.rand(2, 3, 8, 8), torch.randn(2, 5, 4, 4)
    with torch.no_grad():
        found = norm(x, modulation)
        enlarged = modulation.repeat_interleave(2, 2).repeat_interleave(2, 3)
        shared = F.relu(norm.mlp_shared[0](enlarged))
        centred = x - x.mean((2, 3), keepdim=True)
        normal = centred / (x.var((2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
        expected = normal * (1 + norm.mlp_gamma(shared)) + norm.mlp_beta(shared)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_the_shortcut_is_learnt_where_channels_change():
    names = {name.split(".")[0] for name, _ in SpadeResBlock(8, 4, 5, 4).named_parameters()}
    assert names - {name.split(".")[0] for name, _ in SpadeResBlock(8, 8, 5, 4).named_parameters()} == {
        "conv_s",
        "norm_s",
    }


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_convolving_an_enlarged_map_needs_no_enlarged_map(factor):
    layers = [torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Conv2d(3, 2, 3, padding=1, bias=False)]
    x = torch.randn(2, 3, 5, 6)
    enlarged = x.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    with torch.no_grad():
        found = EnlargedConvolution(layers, factor)(x)
        expected = F.relu(torch.cat([layer(enlarged) for layer in layers], dim=1))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_what_is_driven_gives_the_same_images():
    decoder = SpadeDecoder(16, 8, 4, 2, hidden=8).eval().requires_grad_(False)
    features = torch.randn(2, 16, 8, 8)
    expected = decoder(features)
    quick = DrivenDecoder(folded(decoder))
    assert expected.shape == (2, 3, 32, 32)
    torch.testing.assert_close(quick(features), expected, atol=1e-4, rtol=0)
    assert expected.std() > 0.01
    torch.testing.assert_close(decoder(features), expected)  # the given one is left as it was


def test_every_parameter_learns():
    decoder = SpadeDecoder(16, 8, 4, 1, hidden=8)
    decoder(torch.randn(2, 16, 8, 8)).square().sum().backward()
    unlearned = [name for name, p in decoder.named_parameters() if p.grad is None or not p.grad.any()]
    assert all(name.endswith("bias") for name in unlearned)  # normalisation undoes some
