"""Networks as they are driven: the same outputs to rounding, in less time. Three identities hold once weights stay:

- A batch normalisation after a convolution is an affine map of each channel, so it goes into weights and bias.
- Enlarging twice (nearest) and convolving with a 3 x 3 kernel w gives each output pixel a sum over 2 x 2 input pixels:
  rows 2i-1, 2i, 2i+1 of the enlarged image are rows i-1, i, i of the input, so even rows have the kernel (w0, w1 + w2)
  on rows i-1, i, and odd ones (w0 + w1, w2) on rows i, i+1; columns alike. The four kernels, one for each parity of row
  and column, together take 4/9 of the multiplications.
- A convolution with k x k kernels and few output channels (an image, say) leaves most lanes of a processor idle. The
  outputs of 2 x 2 neighbouring pixels are as many channels of one convolution with stride 2, whose kernels are the
  given one at four offsets in k + 1 x k + 1.

A block says where they apply by class attributes: `normalised`, pairs of names (convolution, the normalisation that
follows it); `enlarged`, pairs (nn.Upsample, the convolution that follows it); `narrow`, convolutions of few outputs.
A network may also name, as `driven`, pairs (a part of it, a function that gives what stands in its place). Spectral
norm is put into the weights first.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

M = TypeVar("M", bound=nn.Module)
# What the three taps of a kernel become on two input rows, for even and for odd output rows.
ENLARGED = (((1.0, 0.0, 0.0), (0.0, 1.0, 1.0)), ((1.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
# More weights than this are only met where the maps are so small that reading weights is what takes the time.
MOST_WEIGHTS = 4_000_000


def folded(network: M) -> M:
    """A copy of `network`, in eval mode, in which what its blocks name is folded; its state dict has other names."""
    copy = deepcopy(network).eval()
    for layer in [layer for layer in copy.modules() if hasattr(layer, "weight_orig")]:
        nn.utils.remove_spectral_norm(layer)
    for block in list(copy.modules()):
        for convolution, norm in getattr(block, "normalised", ()):
            setattr(block, convolution, fuse_conv_bn_eval(getattr(block, convolution), getattr(block, norm)))
            setattr(block, norm, nn.Identity())
        for enlarge, convolution in getattr(block, "enlarged", ()):
            given = getattr(block, convolution)
            if given.weight.dim() > 4 or given.weight.numel() <= MOST_WEIGHTS:
                setattr(block, convolution, EnlargingConvolution(given))
                setattr(block, enlarge, nn.Identity())
        for convolution in getattr(block, "narrow", ()):
            setattr(block, convolution, NarrowConvolution(getattr(block, convolution)))
        for part, driven in getattr(block, "driven", ()):
            setattr(block, part, driven(getattr(block, part)))
    return copy


class EnlargingConvolution(nn.Module):
    """A convolution (2D or 3D, 3 x 3 in height and width, padding 1) of the input enlarged twice in both."""

    def __init__(self, given: nn.Conv2d | nn.Conv3d) -> None:
        super().__init__()
        if given.kernel_size[-2:] != (3, 3) or given.padding[-2:] != (1, 1) or given.groups != 1:
            raise ValueError(f"expected a 3 x 3 convolution with padding 1 in one group, got {given}")
        self.channels = given.out_channels
        self.padding = given.padding
        self.convolve = F.conv2d if given.weight.dim() == 4 else F.conv3d
        taps = torch.tensor(ENLARGED).to(given.weight)
        merged = torch.einsum("...yx,pay,qbx->pq...ab", given.weight.detach(), taps, taps)
        self.weight = nn.Parameter(merged.flatten(0, 2).contiguous(), requires_grad=False)
        self.bias = None if given.bias is None else nn.Parameter(given.bias.detach().repeat(4), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, ..., H, W] -> [B, out, ..., 2H, 2W]."""
        batch, _, *depth, height, width = x.shape
        parities = self.convolve(x, self.weight, self.bias, padding=self.padding)  # [B, 4 out, ..., H + 1, W + 1]
        enlarged = parities.new_empty((batch, self.channels, *depth, height, 2, width, 2))
        for number, part in enumerate(torch.split(parities, self.channels, dim=1)):
            row, column = divmod(number, 2)
            enlarged[..., row, :, column] = part[..., row : row + height, column : column + width]
        return enlarged.flatten(-4, -3).flatten(-2, -1)


class NarrowConvolution(nn.Module):
    """A 2D convolution with an odd kernel that keeps the image's size, which is even."""

    def __init__(self, given: nn.Conv2d) -> None:
        super().__init__()
        size = given.kernel_size[0]
        if given.kernel_size != (size, size) or given.padding != (size // 2, size // 2) or given.stride != (1, 1):
            raise ValueError(f"expected a square kernel that keeps the image's size, got {given}")
        self.padding = size // 2
        weight = given.weight.detach()
        moved = [F.pad(weight, (column, 1 - column, row, 1 - row)) for row in (0, 1) for column in (0, 1)]
        self.weight = nn.Parameter(torch.stack(moved, dim=1).flatten(0, 1), requires_grad=False)
        bias = None if given.bias is None else given.bias.detach().repeat_interleave(4)
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] -> [B, out, H, W]."""
        return F.pixel_shuffle(F.conv2d(x, self.weight, self.bias, stride=2, padding=self.padding), 2)
