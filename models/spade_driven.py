"""A SPADE decoder as it is driven: the same outputs to rounding, in less time. What holds once its weights stay:

- All normalisations of a block see the same map, so that their first convolutions are one.
- A 3 x 3 convolution of a map enlarged f times (nearest) has three kinds of rows within each f: the first sees two rows
  of the map with the kernel (w0, w1 + w2), those in the middle one row with w0 + w1 + w2, the last two rows with
  (w0 + w1, w2); columns alike. Nine kernels of 2 x 2 then stand for f^2 of 3 x 3.
- Enlarging by repetition changes no mean and no variance: normalise first, enlarge then.
- No activation stands between the shortcut's normalisation and its 1 x 1 convolution, so that the latter goes into the
  convolution that gives beta, which then has as many outputs as the block.
- The 1 in 1 + gamma goes into a bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.spade import SLOPE, SpadeDecoder, SpadeResBlock

# What the three taps of a kernel become on two input rows: for the first output row, those in the middle, the last.
FIRST, MIDDLE, LAST = ((1, 0, 0), (0, 1, 1)), ((0, 0, 0), (1, 1, 1)), ((1, 1, 0), (0, 0, 1))


class DrivenDecoder(nn.Module):
    """Does what the given decoder does."""

    def __init__(self, given: SpadeDecoder) -> None:
        super().__init__()
        self.fc = given.fc
        middle = [cast(SpadeResBlock, given.get_submodule(f"G_middle_{i}")) for i in range(given.middle)]
        self.middle = nn.ModuleList(DrivenBlock(block, 1) for block in middle)
        self.up = nn.ModuleList(DrivenBlock(block, factor) for block, factor in ((given.up_0, 2), (given.up_1, 4)))
        self.conv_img = given.conv_img

    def forward(self, features: Tensor) -> Tensor:
        """[B, M, h, w] -> [B, 3, 4h, 4w] in [0, 1]."""
        x = self.fc(features)
        for block in self.middle:
            x = block(x, features)
        for block in self.up:
            x = block(x, features)
        image: Tensor = self.conv_img(F.leaky_relu(x, SLOPE)).sigmoid()
        return image


class DrivenBlock(nn.Module):
    """Does what the given block does, to its input enlarged twice where the map is enlarged by a `factor` above 1."""

    def __init__(self, given: SpadeResBlock, factor: int) -> None:
        super().__init__()
        norms = [given.norm_0, given.norm_1, *([given.norm_s] if given.shortcut else [])]
        self.enlarges = factor > 1
        self.shared = EnlargedConvolution([norm.mlp_shared.get_submodule("0") for norm in norms], factor)
        self.modulations = nn.ModuleList(_joined(_plus_one(norm.mlp_gamma), norm.mlp_beta) for norm in norms[:2])
        self.conv_0, self.conv_1 = given.conv_0, given.conv_1
        self.shortcut = given.shortcut
        if given.shortcut:
            self.conv_s = given.conv_s
            self.gamma_s = _plus_one(given.norm_s.mlp_gamma)
            self.beta_s = _followed(given.norm_s.mlp_beta, given.conv_s)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """[B, in, H, W] and a map [B, M, h, w] -> [B, out, H, W] or [B, out, 2H, 2W]."""
        normal = F.instance_norm(x)
        if self.enlarges:
            normal = F.interpolate(normal, scale_factor=2.0, mode="nearest")
        shared = self.shared(features).chunk(3 if self.shortcut else 2, dim=1)
        inner = self.conv_0(self._modulated(0, normal, shared[0]))
        inner = self.conv_1(self._modulated(1, F.instance_norm(inner), shared[1]))
        if not self.shortcut:
            whole: Tensor = inner.add_(x)
            return whole
        passed: Tensor = self.conv_s(self.gamma_s(shared[2]).mul_(normal))
        return passed.add_(self.beta_s(shared[2])).add_(inner)

    def _modulated(self, number: int, normal: Tensor, shared: Tensor) -> Tensor:
        gamma, beta = self.modulations[number](shared).chunk(2, dim=1)
        return F.leaky_relu_(torch.addcmul(beta, normal.to(beta.dtype), gamma), SLOPE)


class EnlargedConvolution(nn.Module):
    """3 x 3 convolutions (padding 1), one beside the other, of a map enlarged `factor` times (nearest); then ReLU."""

    def __init__(self, given: Sequence[nn.Module], factor: int) -> None:
        super().__init__()
        joined = _joined(*given)
        self.factor = factor
        self.channels = joined.out_channels
        self.kinds = [FIRST, *([MIDDLE] if factor > 2 else []), LAST]
        if factor == 1:
            self.conv = joined
            return
        taps = torch.tensor(self.kinds).to(joined.weight)
        merged = torch.einsum("ocyx,pay,qbx->pqocab", joined.weight, taps, taps)
        kinds = len(self.kinds)
        self.conv = _convolution(merged.flatten(0, 2), _bias(joined).repeat(kinds**2))

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, h, w] -> [B, out, factor h, factor w]."""
        found = F.relu_(self.conv(x))  # [B, kinds of rows, kinds of columns, out; h + 1, w + 1]
        if self.factor == 1:
            return found
        batch, _, height, width = x.shape
        kinds, last = len(self.kinds), len(self.kinds) - 1
        found = found.view(batch, kinds, kinds, self.channels, height + 1, width + 1)
        enlarged = found.new_empty((batch, self.channels, height, self.factor, width, self.factor))
        for row in range(self.factor):
            for column in range(self.factor):
                a, b = (0 if at == 0 else last if at == self.factor - 1 else 1 for at in (row, column))
                top, left = a == last, b == last
                enlarged[..., row, :, column] = found[:, a, b, :, top : top + height, left : left + width]
        return enlarged.flatten(-4, -3).flatten(-2, -1)


def _convolution(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """A frozen convolution of these weights that pads with 1 pixel, or with none if its kernel is 1 x 1."""
    out, channels, size, _ = weight.shape
    made = nn.Conv2d(channels, out, size, padding=min(1, size - 1), device="meta")
    made.weight = nn.Parameter(weight.detach().contiguous(), requires_grad=False)
    made.bias = nn.Parameter(bias.detach(), requires_grad=False)
    return made


def _bias(layer: nn.Conv2d) -> Tensor:
    return layer.weight.new_zeros(layer.out_channels) if layer.bias is None else layer.bias


def _joined(*layers: nn.Module) -> nn.Conv2d:
    found = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    return _convolution(torch.cat([one.weight for one in found]), torch.cat([_bias(one) for one in found]))


def _plus_one(gamma: nn.Conv2d) -> nn.Conv2d:
    return _convolution(gamma.weight, _bias(gamma) + 1)


def _followed(first: nn.Conv2d, then: nn.Conv2d) -> nn.Conv2d:
    """One convolution for `first` and a 1 x 1 convolution after it."""
    matrix = then.weight[:, :, 0, 0]
    return _convolution(torch.einsum("po,ocyx->pcyx", matrix, first.weight), matrix @ _bias(first) + _bias(then))
