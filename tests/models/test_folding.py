"""Folded networks give what the networks give."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import models.folding
from models.folding import EnlargingConvolution, NarrowConvolution, folded
from models.fomm import Config, Generator


@pytest.mark.parametrize("bias", [True, False])
def test_enlarging_and_convolving_is_one_step(bias):
    torch.manual_seed(0)
    for given, shape, scale in [
        (nn.Conv2d(3, 5, 3, padding=1, bias=bias), (2, 3, 4, 7), 2),
        (nn.Conv3d(3, 5, 3, padding=1, bias=bias), (2, 3, 3, 4, 7), (1, 2, 2)),
        (nn.Conv3d(3, 5, (1, 3, 3), padding=(0, 1, 1), bias=bias), (2, 3, 3, 1, 1), (1, 2, 2)),
    ]:
        x = torch.randn(shape)
        expected = given(F.interpolate(x, scale_factor=scale))
        torch.testing.assert_close(EnlargingConvolution(given)(x), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_narrow_convolution_is_the_convolution(size):
    torch.manual_seed(0)
    given = nn.Conv2d(4, 3, size, padding=size // 2, bias=size != 3)
    x = torch.randn(2, 4, 10, 6)
    torch.testing.assert_close(NarrowConvolution(given)(x), given(x), atol=1e-5, rtol=0)


def test_what_cannot_be_folded_is_told():
    with pytest.raises(ValueError, match="3 x 3 convolution with padding 1"):
        EnlargingConvolution(nn.Conv2d(3, 5, 5, padding=2))
    with pytest.raises(ValueError, match="keeps the image's size"):
        NarrowConvolution(nn.Conv2d(3, 5, 5, padding=0))


def test_a_folded_network_is_the_network_and_leaves_it_as_it_was():
    torch.manual_seed(0)
    motion = {"num_kp": 3, "motion_width": 4, "motion_max_width": 8, "motion_blocks": 2, "motion_scale": 0.5}
    network = Generator(Config(**motion, width=4, max_width=8, down_blocks=1, bottleneck_blocks=2)).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # as after training
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    lighter = folded(network)
    # each residual block keeps its first normalisation, which no convolution precedes
    assert sum(isinstance(module, nn.BatchNorm2d) for module in lighter.modules()) == 2
    assert sum(isinstance(module, EnlargingConvolution) for module in lighter.modules()) == 3
    assert isinstance(lighter.final, NarrowConvolution)
    image = torch.rand(2, 3, 32, 32)
    keypoints = [
        {"value": torch.rand(2, 3, 2) - 0.5, "jacobian": torch.eye(2) + 0.1 * torch.rand(2, 3, 2, 2)} for _ in "sd"
    ]
    with torch.no_grad():
        expected, found = network(image, *keypoints), lighter(image, *keypoints)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-4, rtol=0)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_where_weights_are_what_takes_the_time_none_are_added(monkeypatch):
    block = models.layers.UpBlock(4, 4)
    assert isinstance(folded(block).conv, EnlargingConvolution)
    monkeypatch.setattr(models.folding, "MOST_WEIGHTS", 100)
    assert isinstance(folded(block).conv, nn.Conv2d)
    x = torch.rand(1, 4, 3, 3)
    torch.testing.assert_close(folded(block)(x), block.eval()(x), atol=1e-5, rtol=0)
