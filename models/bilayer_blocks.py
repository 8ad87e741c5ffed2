"""What the bi-layer networks are built of: residual blocks whose layers may take their coefficients from a person.

Coefficients come from a `Projector`, one pair (weight, bias) for each adaptive layer, in the order in which a generator
meets the layers. They are handed through the blocks as an iterator, from which each adaptive layer takes its own; a
leading size of 1 serves any number of images. Module names are those of the published state dicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Literal, cast

import torch
from torch import Tensor, nn

Coefficients = tuple[Tensor, Tensor]
"""Weight [B, out, n] and bias [B, out]: n is 1 for a normalisation, the number of input channels for a convolution."""

Norm = Literal["none", "batch", "adaptive", "spatial"]
Resize = Literal["none", "down", "up", "late up"]
SLOPE = 0.2  # of every leaky ReLU


class AdaptiveConv(nn.Module):
    """A 1 x 1 convolution without parameters of its own."""

    def forward(self, x: Tensor, given: Iterator[Coefficients]) -> Tensor:
        """[B, in, H, W] -> [B, out, H, W]."""
        weight, bias = next(given)
        mixed = torch.matmul(weight, x.flatten(2)) + bias[..., None]
        return mixed.view(*mixed.shape[:2], *x.shape[2:])


class AdaptiveNorm(nn.Module):
    """Batch normalisation, then x (1 + weight) + bias with a person's weight and bias for each channel.

    With a `size`, weight and bias are maps instead (the paper's adaptive SPADE): two adaptive 1 x 1 convolutions of the
    learned `pixel_feats` [1, C, size, size].
    """

    def __init__(self, channels: int, eps: float, size: int | None = None) -> None:
        super().__init__()
        self.norm_layer = nn.BatchNorm2d(channels, eps=eps, affine=False)
        if size is not None:
            self.pixel_feats = nn.Parameter(torch.empty(1, channels, size, size))
            nn.init.kaiming_uniform_(self.pixel_feats, a=5**0.5)
            self.conv_weight, self.conv_bias = AdaptiveConv(), AdaptiveConv()
        self.size = size

    def forward(self, x: Tensor, given: Iterator[Coefficients]) -> Tensor:
        """[B, C, H, W] -> the same shape."""
        if self.size is None:
            weight, bias = next(given)
            scale, shift = 1 + weight[..., None], bias[..., None, None]
        else:
            scale, shift = 1 + self.conv_weight(self.pixel_feats, given), self.conv_bias(self.pixel_feats, given)
        return torch.addcmul(shift, self.norm_layer(x), scale)


class EnlargedConv(nn.Sequential):
    """Enlarging twice (nearest) and a 3 x 3 convolution."""

    @property
    def enlarged(self) -> tuple[tuple[str, str], ...]:
        """For `models.folding`, unless spectral norm still makes the weights anew."""
        return () if hasattr(self[1], "weight_orig") else (("0", "1"),)


class Head(nn.Sequential):
    """A 3 x 3 convolution to few channels, and perhaps an activation."""

    def __init__(self, in_channels: int, out_channels: int, *activation: nn.Module) -> None:
        super().__init__(nn.Conv2d(in_channels, out_channels, 3, padding=1), *activation)

    @property
    def narrow(self) -> tuple[str, ...]:
        """For `models.folding`, as above."""
        return () if hasattr(self[0], "weight_orig") else ("0",)


class ResBlock(nn.Module):
    """Pre-activation residual block: norm, activation, convolution, norm, activation, convolution; beside it a 1 x 1.

    It halves after the second convolution ("down"), or doubles before the first ("up") or the second ("late up").
    `size` is the side of the input, for maps of coefficients. The skip connection is the identity where the shape
    stays.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        resize: Resize = "none",
        norms: tuple[Norm, Norm] = ("none", "none"),
        eps: float = 1e-5,
        size: int = 0,
    ) -> None:
        super().__init__()
        up = [nn.Upsample(scale_factor=2)]
        down = [nn.AvgPool2d(2)] if resize == "down" else []
        grown = 2 * size if resize == "up" else size
        self.block_feats = nn.Sequential(
            *make_norm(norms[0], in_channels, eps, size),
            nn.LeakyReLU(SLOPE),
            *(up if resize == "up" else []),
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
            *make_norm(norms[1], out_channels, eps, grown),
            nn.LeakyReLU(SLOPE, inplace=True),
        )
        second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.block = EnlargedConv(*up, second) if resize == "late up" else nn.Sequential(second, *down)
        self.skip: nn.Module = nn.Identity()
        enlarge = up if resize.endswith("up") else []
        if norms[1] in ("adaptive", "spatial"):
            self.skip = nn.Sequential(AdaptiveConv(), *enlarge)  # enlarging and a 1 x 1 may change places
        elif resize != "none" or in_channels != out_channels:
            self.skip = nn.Sequential(*enlarge, nn.Conv2d(in_channels, out_channels, 1), *down)

    def forward(self, x: Tensor, given: Iterable[Coefficients] = ()) -> Tensor:
        """[B, in, H, W] -> [B, out, H', W']."""
        return self.with_features(x, given)[0]

    def with_features(self, x: Tensor, given: Iterable[Coefficients] = ()) -> tuple[Tensor, Tensor]:
        """The output, and what stands after the first convolution and its activation."""
        given = iter(given)
        features = self.first_half(x, given)
        out = self.block(features)
        return out + (run(self.skip, x, given) if isinstance(self.skip, nn.Sequential) else x), features

    def first_half(self, x: Tensor, given: Iterator[Coefficients]) -> Tensor:
        """What stands after the first convolution and its activation."""
        return run(self.block_feats, x, given)


def make_norm(kind: Norm, channels: int, eps: float, size: int) -> list[nn.Module]:
    """The normalisation layer of a kind, or nothing."""
    if kind == "none":
        return []
    if kind == "batch":
        return [nn.BatchNorm2d(channels, eps=eps)]
    return [AdaptiveNorm(channels, eps, size if kind == "spatial" else None)]


def run(layers: Iterable[nn.Module], x: Tensor, given: Iterator[Coefficients]) -> Tensor:
    """`layers` one after the other, the adaptive ones with their coefficients."""
    for layer in layers:
        x = layer(x, given) if isinstance(layer, AdaptiveConv | AdaptiveNorm | ResBlock) else layer(x)
    return x


class Generator(nn.Module):
    """Adaptive doublings from a small map up to the picture, then heads of one convolution each.

    All normalisations take a person's coefficients but the first, which stands before anything is known of the person.
    """

    def __init__(
        self,
        widths: Sequence[int],
        heads: Sequence[Head],
        *,
        norm: Norm,
        resize: Resize,
        eps: float,
        size: int,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (a, b) in enumerate(pairwise(widths)):
            norms: tuple[Norm, Norm] = (norm if number else "batch", norm)
            layers.append(ResBlock(a, b, resize=resize, norms=norms, eps=eps, size=size))
            size *= 2
        layers += [*make_norm(norm, widths[-1], eps, size), nn.LeakyReLU(SLOPE, inplace=True)]
        self.blocks = nn.Sequential(*layers)
        self.heads = nn.ModuleList(heads)

    def forward(self, x: Tensor, coefficients: Sequence[Coefficients]) -> list[Tensor]:
        """[B, C, s, s] -> what each head gives, [B, c, H, W]."""
        x = run(self.blocks, x, iter(coefficients))
        return [head(x) for head in self.heads]


class Projector(nn.Module):
    """From a person's embeddings to the coefficients of a `Generator`.

    The embedding [B, C, h, w] of a block is seen as C' rows, one for each of the block's C' output channels; each row
    is brought to one length and goes through three linear layers without activations: a low-rank factorisation of the
    matrix from embedding to coefficients (section 3.2 of the paper). A row gives a channel's weights and its bias.
    """

    def __init__(
        self, widths: Sequence[int], embedding_widths: Sequence[int], *, spatial: bool, bottleneck: int
    ) -> None:
        """`widths` of the generator from its input on, each the same share of those in `embedding_widths`.

        Embeddings are brought to the side `bottleneck` times that share.
        """
        super().__init__()
        self.sides: list[int] = []
        self.fc_blocks = nn.ModuleList()
        for (wide, narrow), hidden in zip(pairwise(widths), embedding_widths[:-1], strict=True):
            self.sides.append(bottleneck * wide // hidden)
            length = self.sides[-1] ** 2 * hidden // wide
            norm = [narrow + 1] * 2 if spatial else [2]
            self.fc_blocks.append(
                nn.ModuleList(
                    nn.Sequential(nn.Linear(length, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, n))
                    for n in (*norm, wide + 1, *norm)
                )
            )
        self.widths = tuple(widths[1:])

    def forward(self, embeddings: Sequence[Tensor]) -> list[Coefficients]:
        """Embeddings [B, C_i, h, w], one for each block -> a pair for each adaptive layer."""
        coefficients = []
        for embedding, heads, side, width in zip(embeddings, self.fc_blocks, self.sides, self.widths, strict=True):
            rows = nn.functional.adaptive_avg_pool2d(embedding, side).reshape(len(embedding), width, -1)
            for head in cast(nn.ModuleList, heads):
                row: Tensor = head(rows)
                coefficients.append((row[..., :-1], row[..., -1]))
        return coefficients
