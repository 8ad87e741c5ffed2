"""Few-shot video-to-video synthesis (Wang, Liu, Tao, Liu, Kautz, Catanzaro; NeurIPS 2019, arXiv 1910.12713).

A video of labels (here: drawn landmarks) becomes a video of the person in K reference images, frame after frame. For
each frame the weight generation module makes, from the references, the weights of the label's embedding and of the
SPADE layers of the main branch. A flow network warps a reference, and the frame before, each with an occlusion map;
both warped pictures modulate the last SPADE layers too. The layout is that of the authors' later release, in which one
flow network stands under two names.

Labels are [B, L, H, W] in [0, 1]; images [B, 3, H, W] in [0, 1], seen by the networks in [-1, 1]; K references are
[B, K, ...]. A flow [B, 2, H, W] is the offset (x, y) in pixels from each place to where it looks (`warp`). An occlusion
map [B, 1, H, W] in [0, 1] is the share of what is generated, 0 where the warped picture is good (m of equation 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import InputError, check_images, check_shape
from models.fs_vid2vid_blocks import ConvBlock, Embedder, ResBlock, SpadeResBlock, activated, warp
from models.fs_vid2vid_discriminator import Discriminator
from models.fs_vid2vid_weights import Generated, WeightGenerator, mix
from models.layers import doubling_widths
from models.presets import configure


@dataclass(frozen=True)
class Config:
    """Sizes; the defaults are the published ones, for 512 x 512. Every field is a switch of `models.create`."""

    label_channels: int = 1
    width: int = 32  # channels at full size; they double with each halving
    max_width: int = 1024
    downs: int = 5  # halvings down to where the main branch starts
    generated: int = 4  # levels, the largest first, whose weights are made from the references
    hidden_layers: int = 2  # of the small networks that make them
    averaged: bool = False  # what they are made from are means over the picture, not sums, so that no size is special
    reference_kernel: int = 1  # of the convolutions of references and their labels
    warped_levels: int = 2  # levels, the largest first, that warped pictures modulate
    attention: bool = False  # references are mixed by attention; without it there can be but one
    attention_downs: int = 2  # halvings before they are mixed
    composed: bool = False  # the occlusion maps put the picture together with the warped ones too (equation 2)
    flow_width: int = 32
    flow_downs: int = 3
    flow_blocks: int = 6
    flow_unit: float = 20.0  # pixels that a flow network's 1 stands for
    disc_width: int = 32
    disc_max_width: int = 512
    disc_layers: int = 4
    disc_scales: int = 2


PRESETS = {
    "paper": Config(),
    "mini": Config(  # for 96 x 96 images
        width=8,
        max_width=64,
        downs=4,
        generated=2,
        hidden_layers=1,
        averaged=True,
        reference_kernel=3,
        attention=True,
        composed=True,
        flow_width=8,
        flow_blocks=3,
        flow_unit=4.0,
        disc_width=16,
        disc_max_width=64,
        disc_layers=3,
    ),
}


def create(preset: str, **switches: Any) -> dict[str, nn.Module]:
    """Both networks of `preset` with fields of `Config` replaced by `switches`; `UnknownName` for other names."""
    config = configure("fs-vid2vid", PRESETS, preset, switches)
    channels = 2 * (config.label_channels + 3)
    discriminator = Discriminator(
        channels, config.disc_width, config.disc_max_width, config.disc_layers, config.disc_scales
    )
    return {"net_G": Generator(config), "net_D": discriminator}


class References(NamedTuple):
    """What depends on the references alone: computed once for all frames."""

    images: Tensor  # [B, K, 3, H, W] in [-1, 1]
    labels: Tensor  # [B, K, L, H, W]
    generated: Generated | None  # without attention
    values: Tensor  # with attention [B, K * h * w, 2 c + K]: maps of images and labels, and which reference each is of
    keys: Tensor  # [B, K * h * w, c]; without attention both are empty

    def expand(self, count: int) -> References:
        """Those of one person (B = 1) for `count` frames, without copying."""
        return self._each(lambda tensor: tensor.expand(count, *tensor.shape[1:]))

    def repeat(self, times: int) -> References:
        """Each person's `times` times in a row."""
        return self if times == 1 else self._each(lambda tensor: tensor.repeat_interleave(times, dim=0))

    def _each(self, change: Any) -> References:
        generated = None if self.generated is None else self.generated.each(change)
        images, labels, values, keys = map(change, (self.images, self.labels, self.values, self.keys))
        return References(images, labels, generated, values, keys)


class Previous(NamedTuple):
    """The frame before: all that generation remembers."""

    label: Tensor  # [B, L, H, W]
    image: Tensor  # [B, 3, H, W] in [0, 1]


class Generator(nn.Module):
    """Weight generation, flows and the main branch."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths = doubling_widths(config.width, config.max_width, config.downs)
        self.multiple = 2 ** max(config.downs, config.flow_downs)
        self.weight_generator = WeightGenerator(
            config.label_channels,
            widths,
            generated=config.generated,
            kernel=config.reference_kernel,
            hidden_layers=config.hidden_layers,
            averaged=config.averaged,
            attention_downs=config.attention_downs if config.attention else None,
        )
        wide = [*widths, widths[-1]]
        for i in range(config.downs + 1):
            maps = 3 if i < config.warped_levels else 1
            block = SpadeResBlock(wide[i + 1], wide[i], widths[i], maps=maps, generated=i < config.generated)
            setattr(self, f"up_{i}", block)
        self.conv_img = ConvBlock(widths[0], 3, active=False, spectral=False)
        self.flow_network_ref = FlowNetwork(config)
        self.ref_image_embedding = Embedder(4, widths, unet=True)
        self.flow_network_temp = self.flow_network_ref  # the same, which state dicts hold twice
        self.prev_image_embedding = Embedder(4, widths, unet=True)

    def forward(
        self, label: Tensor, ref_labels: Tensor, ref_images: Tensor, previous: Previous | None = None
    ) -> dict[str, Any]:
        """Label [B, L, H, W], references [B, K, L, H, W] and [B, K, 3, H, W]; gives what `drive` gives."""
        return self.drive(label, self.encode_references(ref_labels, ref_images), previous)

    def encode_references(self, labels: Tensor, images: Tensor) -> References:
        """Labels [B, K, L, H, W] and images [B, K, 3, H, W] in [0, 1], H and W multiples of `multiple`."""
        channels = self.config.label_channels
        check_shape("ref_images", images, (None, None, 3, None, None))
        check_shape("ref_labels", labels, (*images.shape[:2], channels, *images.shape[3:]))
        check_images("ref_images", images.flatten(0, 1), multiple=self.multiple)
        check_images("ref_labels", labels.flatten(0, 1), channels=channels, multiple=self.multiple)
        batch, shots = images.shape[:2]
        if shots > 1 and not self.config.attention:
            raise InputError(f"ref_images: expected one reference, as there is no attention over more, got {shots}")
        images = images * 2 - 1
        image_map, label_map = self.weight_generator.encode(images.flatten(0, 1), labels.flatten(0, 1))
        if not self.config.attention:
            nothing = images.new_empty(batch, 0)
            return References(images, labels, self.weight_generator.finish(image_map, label_map), nothing, nothing)
        number = torch.eye(shots).to(image_map)[:, None].expand(batch, -1, image_map[0, 0].numel(), -1)
        both = torch.cat([image_map, label_map], dim=1).flatten(2).mT
        values = torch.cat([both.reshape(*number.shape[:3], -1), number], dim=-1).flatten(1, 2)
        keys = self.weight_generator.attend("key", labels.flatten(0, 1))
        return References(images, labels, None, values, keys.reshape(batch, -1, keys.shape[2]))

    def drive(self, label: Tensor, references: References, previous: Previous | None = None) -> dict[str, Any]:
        """One frame for each label [B, L, H, W], each with its own of B references.

        Gives `prediction` [B, 3, H, W] in [0, 1], `pre_tanh`, what of the main branch goes through tanh, and lists for
        (reference, frame before), the latter None without one: `fake_flow_maps`, `fake_occlusion_masks` and
        `warped_images`, in [0, 1]; `chosen_reference` [B], which one was warped; and what was encoded.
        """
        self._check(label, references, previous)
        generated, chosen = self._chosen(label, references)
        place = (torch.arange(len(label), device=label.device), chosen)
        image, ref_label = references.images[place], references.labels[place]
        maps = self.weight_generator.label_embedding(label, generated.embedding)
        sides: list[_Side | None] = [
            self._warped(self.flow_network_ref, self.ref_image_embedding, label, ref_label, image)
        ]
        if previous is None:
            sides.append(None)
        else:
            before = previous.image * 2 - 1
            sides.append(self._warped(self.flow_network_temp, self.prev_image_embedding, label, previous.label, before))
        embedded = [None if side is None else side.maps for side in sides]
        x = generated.start
        for i in reversed(range(self.config.downs + 1)):
            modulating = [maps[i]]
            if i < self.config.warped_levels:
                modulating += [None if side is None else side[i] for side in embedded]
            made = [generated.spades[i]] if i < self.config.generated else []
            x = self.get_submodule(f"up_{i}")(x, modulating, *made)
            if i:
                x = F.interpolate(x, scale_factor=2.0)
        before_tanh = self.conv_img(activated(x))
        picture = before_tanh.tanh()
        if self.config.composed:
            for side in filter(None, reversed(sides)):  # the reference last, so that errors do not add up over frames
                picture = side.occlusion * picture + (1 - side.occlusion) * side.image
        return {
            "prediction": (picture + 1) / 2,
            "pre_tanh": before_tanh,
            "fake_flow_maps": [None if side is None else side.flow for side in sides],
            "fake_occlusion_masks": [None if side is None else side.occlusion for side in sides],
            "warped_images": [None if side is None else (side.image + 1) / 2 for side in sides],
            "chosen_reference": chosen,
            "encoded_reference": generated.start,
            "encoded_label": maps,
        }

    def _chosen(self, label: Tensor, references: References) -> tuple[Generated, Tensor]:
        """Weights, and the number [B] of the reference that is warped: the one that is attended to most."""
        if references.generated is not None:
            return references.generated, torch.zeros(len(label), dtype=torch.long, device=label.device)
        shots = references.images.shape[1]
        mixed = mix(self.weight_generator.attend("query", label), references.keys, references.values)
        shares = mixed[..., -shots:].mean(1)
        height, width = (size // 2**self.config.attention_downs for size in label.shape[2:])
        image_map, label_map = mixed[..., :-shots].mT.reshape(len(label), -1, height, width).chunk(2, dim=1)
        return self.weight_generator.finish(image_map, label_map), shares.argmax(dim=1)

    def _warped(self, network: nn.Module, embedding: nn.Module, label: Tensor, other: Tensor, image: Tensor) -> _Side:
        flow, occlusion = network(torch.cat([label, other, image], dim=1))
        warped = warp(image, flow)
        return _Side(flow, occlusion, warped, embedding(torch.cat([warped, occlusion], dim=1)))

    def _check(self, label: Tensor, references: References, previous: Previous | None) -> None:
        check_images("label", label, channels=self.config.label_channels, multiple=self.multiple)
        if len(label) != len(references.images) or label.shape[2:] != references.images.shape[3:]:
            count, *_, height, width = references.images.shape
            raise InputError(
                f"label: expected as many and as large as the references ({count} of {height} x {width}), "
                f"got {len(label)} of {label.shape[2]} x {label.shape[3]}"
            )
        if previous is not None:
            check_shape("previous.label", previous.label, tuple(label.shape))
            check_shape("previous.image", previous.image, (len(label), 3, *label.shape[2:]))


class _Side(NamedTuple):
    """A picture that was warped to the frame."""

    flow: Tensor
    occlusion: Tensor
    image: Tensor  # in [-1, 1]
    maps: list[Tensor]  # of picture and occlusion


class FlowNetwork(nn.Module):
    """W and M of equation 2: from both labels and the other image, the flow to it and the occlusion map."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.unit = config.flow_unit
        widths = [config.flow_width * 2**i for i in range(config.flow_downs + 1)]
        first = ConvBlock(2 * config.label_channels + 3, widths[0], norm=True)
        self.down_flow = nn.Sequential(first, *(ConvBlock(a, b, stride=2, norm=True) for a, b in pairwise(widths)))
        self.res_flow = nn.Sequential(*(ResBlock(widths[-1]) for _ in range(config.flow_blocks)))
        ups: list[nn.Module] = []
        for a, b in pairwise(reversed(widths)):
            ups += [nn.Upsample(scale_factor=2), ConvBlock(a, b, norm=True)]
        self.up_flow = nn.Sequential(*ups)
        self.conv_flow = nn.Sequential(ConvBlock(widths[0], 2, active=False, spectral=False))
        self.conv_mask = nn.Sequential(ConvBlock(widths[0], 1, active=False, spectral=False), nn.Sigmoid())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Label, other label and other image [B, 2 L + 3, H, W] -> flow [B, 2, H, W] in pixels, occlusion map."""
        x = self.up_flow(self.res_flow(self.down_flow(x)))
        return self.unit * self.conv_flow(x), self.conv_mask(x)
