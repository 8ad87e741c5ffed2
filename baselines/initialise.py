"""A start for small generators that must learn within a minute: they begin as a copy of the warped source."""

from __future__ import annotations

from itertools import product
from typing import cast

import torch
from torch import nn

from models import osfv
from models.fomm import Generator
from models.layers import ResBlock, SameBlock
from models.layers3d import ResBlock3d

_PASSED = 12  # channels at half size that carry the colours
_SPREAD, _CENTRE = 0.25, 0.5  # after normalisation the passed colours stay positive, so that ReLU lets them through


@torch.no_grad()
def pass_through(generator: Generator) -> None:
    """Wire a FOMM generator of one halving so that its output is about the source warped by the dense motion.

    Colours go through channels of their own: three at full size, and twelve at half size, which hold the 2 x 2 means
    around each of the four corners of a pixel block, so that no detail coarser than a pixel is lost. Residual blocks
    begin as the identity, occlusion maps nearly open; all other weights keep their random start. Raises `ValueError`
    for a generator with another number of halvings or with too few channels.
    """
    _pass_colours(generator)
    for block in generator.bottleneck:
        _begin_as_identity(cast(ResBlock, block))


@torch.no_grad()
def pass_through_volume(generator: osfv.Generator) -> None:
    """The same for a generator of OSFV: every layer of its volume carries the twelve channels, and their mean goes on.

    Raises `ValueError` for a volume of fewer channels too.
    """
    channels, depth = generator.volume
    if channels < _PASSED:
        raise ValueError(f"expected a volume of at least {_PASSED} channels, got {channels}")
    _pass_colours(generator)
    _reserve(generator.third, _PASSED)
    entry = generator.second.weight.view(channels, depth, -1)
    exit_ = generator.third.conv.weight[:, :, 1, 1].view(-1, channels, depth)
    entry[:_PASSED] = 0
    generator.fourth.weight[:_PASSED] = 0
    for layer in (generator.second, generator.fourth):
        nn.init.zeros_(cast(nn.Parameter, layer.bias))
    for channel in range(_PASSED):
        entry[channel, :, channel] = 1
        exit_[channel, channel] = 1 / depth
        generator.fourth.weight[channel, channel] = 1
    generator.third.conv.weight[:, :, 1, 1] = exit_.flatten(1)
    for block in (*generator.resblocks_3d, *generator.resblocks_2d):
        _begin_as_identity(cast(ResBlock | ResBlock3d, block))


def _pass_colours(generator: Generator | osfv.Generator) -> None:
    """Wire what the two generators have in common: encoder, enlarging block, last convolution, occlusion."""
    first, down, up = (cast(SameBlock, b) for b in (generator.first, generator.down_blocks[0], generator.up_blocks[0]))
    if len(generator.down_blocks) != 1 or down.conv.out_channels < _PASSED or first.conv.out_channels < 3:
        raise ValueError(f"expected a generator with one halving and at least 3 and {_PASSED} channels")
    _reserve(first, 3)
    _reserve(down, _PASSED)
    _reserve(up, 3)
    generator.final.weight[:, :3] = 0
    for colour in range(3):
        first.conv.weight[colour, colour, 3, 3] = 1
        for phase, (dy, dx) in enumerate(product((0, 1), repeat=2)):
            channel = 4 * colour + phase
            down.conv.weight[channel, colour, 1 + dy, 1 + dx] = 1  # then a 2 x 2 mean
            up.conv.weight[colour, channel, 1 - dy, 1 - dx] = 0.25  # each pixel: the mean of the four around it
        # Undo the smoothing of (1, 2, 1) / 4 in both directions, and go from colours to logits about 1/2.
        sharpen = torch.tensor([-0.25, 1.5, -0.25])
        generator.final.weight[colour, colour, 2:5, 2:5] = 5 * torch.outer(sharpen, sharpen)
    generator.final.bias = nn.Parameter(torch.full((3,), -5 * _CENTRE))
    generator.final.weight[:, 3:] *= 0.1
    generator.dense_motion_network.occlusion.bias = nn.Parameter(torch.full((1,), 2.0))


def _begin_as_identity(block: ResBlock | ResBlock3d) -> None:
    for parameter in block.conv2.parameters():
        nn.init.zeros_(parameter)


def _reserve(block: SameBlock, channels: int) -> None:
    """Clear a block's first channels, which then carry what `pass_through` writes into them."""
    block.conv.weight[:channels] = 0
    nn.init.constant_(block.norm.weight[:channels], _SPREAD)
    nn.init.constant_(block.norm.bias[:channels], _CENTRE)
