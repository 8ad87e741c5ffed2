"""fs-vid2vid's weight generation module E (section 3.1 of the paper): a person's images give weights to the generator.

Reference images and their labels are encoded apart. Several references become one by attention over where their labels
are like the wanted one (E_A). From the deepest map on, which is not enlarged again, images and labels are multiplied
into a matrix c x c for each level, whose rows make, through small networks (E_P), the weights of the label's embedding
and of the SPADE layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.fs_vid2vid_blocks import Coefficients, ConvBlock, Embedder, LinearBlock

SPADES = ("0", "1", "s")  # the two of a residual block and that of its shortcut


@dataclass(frozen=True)
class Generated:
    """What the references give: the start of the main branch, and weights for each generated level."""

    start: Tensor  # [B, c, h, w]
    embedding: tuple[Coefficients, ...]  # of the label embedding's doublings, the largest size first
    spades: tuple[tuple[Coefficients, ...], ...]  # for each level those of `SPADES`

    def each(self, change: Any) -> Generated:
        """With `change` done to every tensor."""

        def pair(coefficients: Coefficients) -> Coefficients:
            return change(coefficients[0]), change(coefficients[1])

        return Generated(
            change(self.start),
            tuple(map(pair, self.embedding)),
            tuple(tuple(map(pair, level)) for level in self.spades),
        )


class WeightGenerator(nn.Module):
    """From images and labels of references to `Generated`; beside it the label's embedding, for which it makes weights.

    `widths`: channels from full size down; of the largest `generated` sizes the weights are made.
    """

    def __init__(
        self,
        label_channels: int,
        widths: Sequence[int],
        *,
        generated: int,
        kernel: int,
        hidden_layers: int,
        averaged: bool = False,
        attention_downs: int | None,
    ) -> None:
        super().__init__()
        self.widths, self.generated, self.averaged = tuple(widths), generated, averaged
        self.depth = len(widths) - 1
        self.mixed_at = self.depth if attention_downs is None else attention_downs  # halvings of each reference alone

        def block(a: int, b: int, stride: int = 1) -> ConvBlock:
            return ConvBlock(a, b, kernel, stride, norm=True)

        for kind, channels in (("img", 3), ("label", label_channels)):
            setattr(self, f"ref_{kind}_first", block(channels, widths[0]))
            for i, (a, b) in enumerate(pairwise(widths)):
                setattr(self, f"ref_{kind}_down_{i}", block(a, b, 2))
                setattr(self, f"ref_{kind}_up_{i}", block(b, a))
        for i, (a, b) in enumerate(pairwise(widths[: generated + 1])):
            if 2 * a * (a + 1) % b:
                raise ValueError(f"widths: {a} and {b}: weights for {a} channels cannot come from {b} equal rows")
            sizes = {"spade_0": 2 * (a + 1), "spade_1": a * 2 * (a + 1) // b, "spade_s": 2 * (a + 1)}
            for name, out in {**sizes, "spade_e": 9 * a + 1}.items():
                layers = [*(LinearBlock(b, b) for _ in range(hidden_layers)), LinearBlock(b, out, active=False)]
                setattr(self, f"fc_{name}_{i}", nn.Sequential(*layers))
        self.label_embedding = Embedder(label_channels, widths, generated=generated)
        if attention_downs is not None:
            for role in ("key", "query"):
                setattr(self, f"attn_{role}_first", block(label_channels, widths[0]))
                for i, (a, b) in enumerate(pairwise(widths[: attention_downs + 1])):
                    setattr(self, f"attn_{role}_{i}", block(a, b, 2))

    def encode(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Maps of images [N, 3, H, W] in [-1, 1] and labels [N, L, H, W], down to where attention mixes them."""
        return self._down("ref_img", images, 0, self.mixed_at), self._down("ref_label", labels, 0, self.mixed_at)

    def attend(self, role: str, labels: Tensor) -> Tensor:
        """Keys ("key", of references) or queries ("query", of the wanted label) [N, h * w, c] of labels."""
        return self._down(f"attn_{role}", labels, 0, self.mixed_at).flatten(2).mT

    def finish(self, image_map: Tensor, label_map: Tensor) -> Generated:
        """`Generated` from maps of `encode`, of one reference or mixed ones."""
        image_maps = [self._down("ref_img", image_map, self.mixed_at, self.depth)]
        label_maps = [self._down("ref_label", label_map, self.mixed_at, self.depth)]
        for i in reversed(range(1, self.depth)):  # channels become fewer, the size stays; nobody asks for level 0
            image_maps.append(self.get_submodule(f"ref_img_up_{i}")(image_maps[-1]))
            label_maps.append(self.get_submodule(f"ref_label_up_{i}")(label_maps[-1]))
        by_level = list(zip(reversed(image_maps), reversed(label_maps), strict=True))  # of levels 1, 2, ...
        embedding, spades = [], []
        for i in range(self.generated):
            image, label = by_level[i]
            rows = products(image, label) / (image[0, 0].numel() if self.averaged else 1)
            inner, outer = self.widths[i], self.widths[i + 1]
            made = self._made("spade_e", i, rows)
            made = made[:, : made.shape[1] - (outer - inner)]  # the rows have more biases than the doubling has outputs
            embedding.append(_coefficients(made, (inner, outer, 3, 3)))
            outs = {"0": 2 * outer, "1": 2 * inner, "s": 2 * outer}
            spades.append(
                tuple(_coefficients(self._made(f"spade_{k}", i, rows), (outs[k], inner, 1, 1)) for k in SPADES)
            )
        return Generated(image_maps[0], tuple(embedding), tuple(spades))

    def _down(self, name: str, x: Tensor, start: int, stop: int) -> Tensor:
        """The halvings `start` to `stop` of a branch, before them its first layer if it starts at 0."""
        if not start:
            x = self.get_submodule(f"{name}_first")(x)
        joint = name if name.startswith("attn") else f"{name}_down"
        for i in range(start, stop):
            x = self.get_submodule(f"{joint}_{i}")(x)
        return x

    def _made(self, name: str, level: int, rows: Tensor) -> Tensor:
        batch, count, length = rows.shape
        made: Tensor = self.get_submodule(f"fc_{name}_{level}")(rows.reshape(batch * count, length))
        return made.view(batch, -1)


def mix(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """sum over all positions j of all references of softmax_j(k_j . q_i) v_j: what position i of the wanted label gets.

    queries [B, N, c], keys [B, K * N, c], values [B, K * N, d] -> [B, N, d]. The products are not scaled.
    """
    return F.scaled_dot_product_attention(queries, keys, values, scale=1.0)


def products(image_map: Tensor, label_map: Tensor) -> Tensor:
    """[B, c, c]: each channel of the image summed over the picture with each channel of the label's softmax."""
    share = torch.softmax(label_map, dim=1)
    return image_map.flatten(2) @ share.flatten(2).mT


def _coefficients(made: Tensor, shape: tuple[int, ...]) -> Coefficients:
    """[B, numbers] as weights of this shape, then as many biases as they have outputs."""
    out = shape[0]
    return made[:, :-out].reshape(-1, *shape), made[:, -out:]
