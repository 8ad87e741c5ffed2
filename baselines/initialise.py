"""A start for small generators that must learn within minutes: they begin as a copy of the warped source.

Colours pass through channels of their own. Normalisation by each batch would change their brightness and contrast more
than motion does, and nothing could be learnt of it; so its statistics are measured once, on noise, are set to what
leaves colours as they are, and stay (`keep_statistics`).
"""

from __future__ import annotations

import math
from itertools import product
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import fomm, marionette, osfv
from models.layers import ResBlock, SameBlock
from models.layers3d import ResBlock3d

_PASSED = 12  # channels at half size that carry the colours
_SPREAD, _CENTRE = 0.19, 0.5  # of colours: where a batch's statistics are used after all, they stay about the same
_SLOPE = 4.4  # of logits: sigmoid(4.4 (x - 0.5)) is within 0.01 of x from 0.2 to 0.8
_OPEN = 2.0  # logit of occlusion maps
_NOISE = 8  # images


@torch.no_grad()
def pass_through(generator: fomm.Generator) -> None:
    """Wire a FOMM generator of one halving so that its output is about the source warped by the dense motion.

    Three channels at full size carry the colours, and twelve at half size, which hold the 2 x 2 means around each of
    the four corners of a pixel block, so that no detail coarser than a pixel is lost. Residual blocks begin as the
    identity, occlusion maps nearly open, and the last convolution sees colours alone; all other weights keep their
    random start. Raises `ValueError` for a generator with another number of halvings or with too few channels.
    """
    carrying = _pass_colours(generator)
    for block in generator.bottleneck:
        _begin_as_identity(cast(ResBlock, block))
    images = _noise(generator.multiple)
    value = torch.zeros(_NOISE, generator.num_kp, 2)
    keypoints = {"value": value, "jacobian": torch.eye(2).expand(*value.shape, 2)}
    _measure(generator, images, keypoints)
    _leave_colours(carrying)


@torch.no_grad()
def pass_through_volume(generator: osfv.Generator) -> None:
    """The same for a generator of OSFV: every layer of its volume carries the twelve channels, the middle one goes on.

    (Layers move apart when a head turns: their mean would begin blurred.) Raises `ValueError` for a volume of fewer
    channels too.
    """
    channels, depth = generator.volume
    if channels < _PASSED:
        raise ValueError(f"expected a volume of at least {_PASSED} channels, got {channels}")
    carrying = _pass_colours(generator)
    _reserve(generator.third, _PASSED)
    entry = generator.second.weight.view(channels, depth, -1)
    exit_ = generator.third.conv.weight[:, :, 1, 1].view(-1, channels, depth)
    entry[:_PASSED] = 0
    generator.fourth.weight[:_PASSED] = 0
    for layer in (generator.second, generator.fourth):
        nn.init.zeros_(cast(nn.Parameter, layer.bias))
    for channel in range(_PASSED):
        entry[channel, :, channel] = 1
        exit_[channel, channel, depth // 2] = 1
        generator.fourth.weight[channel, channel] = 1
    generator.third.conv.weight[:, :, 1, 1] = exit_.flatten(1)
    for block in (*generator.resblocks_3d, *generator.resblocks_2d):
        _begin_as_identity(cast(ResBlock | ResBlock3d, block))
    _measure(generator, _noise(generator.multiple), torch.zeros(_NOISE, generator.num_kp, 3))
    _leave_colours([*carrying, (generator.third, _PASSED)])


@torch.no_grad()
def pass_through_alignment(generator: marionette.Generator) -> None:
    """Wire MarioNETte's generator so that its output is about the mean of its targets at half their size.

    Three channels of S-hat_1 carry the colours past all else, from the target encoder's first halving to the decoder's
    last block; flows begin as nothing. Its normalisation is of each instance, beside these channels.
    """
    encoder, blocks = generator.target_encoder, [cast(marionette.WarpAlign, b) for b in generator.decoder.blocks]
    entry, exit_, last = cast(marionette.ResDown, encoder.down_blocks[0]), blocks[-1], generator.decoder.last
    for flow in (encoder.flow, *(block.flow for block in blocks)):
        nn.init.zeros_(flow.weight)
        nn.init.zeros_(cast(nn.Parameter, flow.bias))
    carrying = (encoder.first, entry.skip, entry.conv2, exit_.join, exit_.up.skip, exit_.up.conv2, last)
    for layer in carrying:
        layer.weight[:3] = 0
        cast(nn.Parameter, layer.bias)[:3] = 0
    width = exit_.join.out_channels
    for colour in range(3):
        encoder.first.weight[colour, colour, 1, 1] = 0.5  # from [-1, 1] to [0, 1], which ReLU lets through
        entry.skip.weight[colour, colour] = 1
        exit_.join.weight[colour, width + colour] = 1
        exit_.up.skip.weight[colour, colour] = 1
        smooth = torch.tensor([0.25, 0.5, 0.25])  # of pixels that were doubled
        last.weight[colour, colour] = _SLOPE / 2 * torch.outer(smooth, smooth)  # (tanh(x) + 1) / 2 = sigmoid(2 x)
    cast(nn.Parameter, encoder.first.bias)[:3] = 0.5
    cast(nn.Parameter, last.bias)[:3] = -_SLOPE / 2 * _CENTRE


def keep_statistics(generator: nn.Module) -> None:
    """Let batch normalisation use, and keep, the statistics that it has; to be called before every step.

    Not in the network of dense motion, which carries no colours.
    """
    for name, module in generator.named_modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d) and not name.startswith("dense_motion_network."):
            module.eval()


def _pass_colours(generator: fomm.Generator | osfv.Generator) -> list[tuple[SameBlock, int]]:
    """Wire what the two generators have in common: encoder, enlarging block, last convolution, occlusion.

    Gives the blocks whose first channels carry colours, and how many.
    """
    first, down, up = (cast(SameBlock, b) for b in (generator.first, generator.down_blocks[0], generator.up_blocks[0]))
    if len(generator.down_blocks) != 1 or down.conv.out_channels < _PASSED or first.conv.out_channels < 3:
        raise ValueError(f"expected a generator with one halving and at least 3 and {_PASSED} channels")
    carrying = [(first, 3), (down, _PASSED), (up, 3)]
    for block, channels in carrying:
        _reserve(block, channels)
    seen = 1 / (1 + math.exp(-_OPEN))  # of what occlusion maps let through
    occlusion = generator.dense_motion_network.occlusion
    for layer in (generator.final, occlusion):
        nn.init.zeros_(layer.weight)
    for colour in range(3):
        first.conv.weight[colour, colour, 3, 3] = 1
        for phase, (dy, dx) in enumerate(product((0, 1), repeat=2)):
            channel = 4 * colour + phase
            down.conv.weight[channel, colour, 1 + dy, 1 + dx] = 1  # then a 2 x 2 mean
            up.conv.weight[colour, channel, 1 - dy, 1 - dx] = 0.25 / seen  # each pixel: the mean of the four around it
        # Undo the smoothing of (1, 2, 1) / 4 in both directions, and go from colours to logits about 1/2.
        sharpen = torch.tensor([-0.25, 1.5, -0.25])
        generator.final.weight[colour, colour, 2:5, 2:5] = _SLOPE * torch.outer(sharpen, sharpen)
    generator.final.bias = nn.Parameter(torch.full((3,), -_SLOPE * _CENTRE))
    occlusion.bias = nn.Parameter(torch.full((1,), _OPEN))
    return carrying


def _begin_as_identity(block: ResBlock | ResBlock3d) -> None:
    for parameter in block.conv2.parameters():
        nn.init.zeros_(parameter)


def _reserve(block: SameBlock, channels: int) -> None:
    """Clear a block's first channels, which then carry what `pass_through` writes into them."""
    block.conv.weight[:channels] = 0
    nn.init.zeros_(cast(nn.Parameter, block.conv.bias)[:channels])
    nn.init.constant_(block.norm.weight[:channels], math.sqrt(_SPREAD**2 + block.norm.eps))
    nn.init.constant_(block.norm.bias[:channels], _CENTRE)


def _leave_colours(carrying: list[tuple[SameBlock, int]]) -> None:
    """Set the statistics of channels that carry colours so that normalisation leaves them as they are."""
    for block, channels in carrying:
        cast(Tensor, block.norm.running_mean)[:channels] = _CENTRE
        cast(Tensor, block.norm.running_var)[:channels] = _SPREAD**2


def _measure(generator: fomm.Generator | osfv.Generator, images: Tensor, keypoints: Tensor | fomm.Keypoints) -> None:
    """Statistics of normalisation, of images that do not move."""
    norms = [module for module in generator.modules() if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d)]
    momentum = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean
    generator.to(images.dtype).train()(images, kp_driving=keypoints, kp_source=keypoints)
    for norm, before in zip(norms, momentum, strict=True):
        norm.momentum = before


def _noise(multiple: int) -> Tensor:
    """Smooth coloured noise, as bright and as rich in contrast as pictures are; the same at every call."""
    side = multiple * math.ceil(64 / multiple)
    coarse = torch.rand(_NOISE, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    smooth = F.interpolate(coarse, size=side, mode="bicubic")
    return (_CENTRE + (smooth - smooth.mean()) * (_SPREAD / smooth.std())).clamp(0, 1)
