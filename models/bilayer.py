"""Fast Bi-layer Neural Synthesis of One-Shot Realistic Head Avatars (Zakharov, Ivakhnenko, Shysheya, Lempitsky; ECCV
2020, arXiv 2008.10174).

A picture is the sum of two layers: low frequencies that are drawn for the pose, and a texture, drawn once for the
person, that is warped to the pose (section 3.1). The embedder sees the person's images and drawn landmarks; the texture
generator makes the texture; the inference generator, whose adaptive layers take their coefficients from the person,
makes low frequencies, warp and segmentation out of 68 landmarks. The background is not predicted: what is shown is
x m - (1 - m), black behind the head. The texture enhancer (section 3.3) corrects the texture by what is wrong in the
source.

Poses are landmarks [N, 68, 2], (x, y) in [-1, 1]. `Person` and `encode`, `drive`, `enhance` take and give images in
[0, 1], the networks' own methods values in [-1, 1]. Texture, layers and their sum are not clamped. Drawn landmarks
("stickmen") are what `baselines.landmark_drawing` draws. K source images of a person count by the mean of what the
encoder makes of them, as in the authors' code; their released weights were trained with one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.bilayer_blocks import SLOPE, Coefficients, Generator, Head, Projector, ResBlock
from models.errors import InputError, check_images, check_shape
from models.layers import doubling_widths
from models.presets import configure

LANDMARKS = 68


@dataclass(frozen=True)
class Config:
    """Sizes; the defaults are those of the published 256 x 256 model. Every field is a switch of `models.create`."""

    image_size: int = 256  # side: the texture generator's maps have this size, whatever is shown
    spectral_norm: bool = True  # of all convolutions and linear layers
    align_corners: bool = False  # of the texture's warp
    eps: float = 1e-7  # of every batch normalisation
    width: int = 64  # channels of embedder and texture generator at full size
    max_width: int = 512
    embedding_size: int = 8  # side of the embeddings
    bottleneck: int = 32  # side to which the texture projector brings them
    input_size: int = 4  # side of the map that generators begin with
    pose_width: int = 256
    pose_blocks: int = 4
    inf_width: int = 32  # of the inference generator: the same part of `width` as of `max_width`
    inf_max_width: int = 256
    enh_width: int = 64
    enh_max_width: int = 128
    enh_halvings: int = 1
    enh_blocks: int = 8
    enh_steps: int = 4  # corrections of a texture
    disc_width: int = 64
    disc_max_width: int = 512
    disc_blocks: int = 6
    disc_output_size: int = 8

    def __post_init__(self) -> None:
        for name in ("embedding_size", "input_size", "disc_output_size"):
            ratio, rest = divmod(self.image_size, getattr(self, name))
            if rest or ratio & (ratio - 1):
                raise ValueError(f"{name}: expected image_size by a power of two, got {getattr(self, name)}")
        share, rest = divmod(self.width, self.inf_width)
        if rest or self.max_width != share * self.inf_max_width or self.bottleneck % share:
            raise ValueError(
                "inf_width, inf_max_width: expected the same part of width and max_width, a divisor of bottleneck, got "
                f"{self.inf_width} of {self.width}, {self.inf_max_width} of {self.max_width} (and {self.bottleneck})"
            )

    def widths(self, width: int, max_width: int) -> list[int]:
        """Channels of a generator from its input to the picture."""
        return doubling_widths(width, max_width, _halvings(self.image_size, self.input_size))[::-1]


PRESETS = {
    "paper": Config(),
    "mini": Config(  # for 128 x 128 images
        image_size=128,
        spectral_norm=False,
        eps=1e-5,
        width=16,
        max_width=64,
        bottleneck=8,
        pose_width=96,
        inf_width=8,
        inf_max_width=32,
        enh_width=8,
        enh_max_width=16,
        enh_blocks=2,
        enh_steps=2,
        disc_width=16,
        disc_max_width=64,
        disc_blocks=5,
    ),
}


def create(preset: str, **switches: Any) -> dict[str, nn.Module]:
    """The six networks of `preset` with fields of `Config` replaced by `switches`; `UnknownName` for other names."""
    config = configure("bilayer", PRESETS, preset, switches)
    networks: dict[str, nn.Module] = {
        "identity_embedder": IdentityEmbedder(config),
        "texture_generator": TextureGenerator(config),
        "keypoints_embedder": KeypointsEmbedder(config),
        "inference_generator": InferenceGenerator(config),
        "texture_enhancer": TextureEnhancer(config),
        "discriminator": Discriminator(config),
    }
    if config.spectral_norm:
        for network in networks.values():
            for layer in list(network.modules()):
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    nn.utils.spectral_norm(layer)
    return networks


@dataclass(frozen=True)
class Person:
    """All that is computed once of a person: the texture [B, 3, H, W] and the inference generator's coefficients."""

    texture: Tensor
    coefficients: list[Coefficients]

    def repeat(self, times: int) -> Person:
        """Each person's `times` times in a row, for as many poses of each."""
        repeated = [(w.repeat_interleave(times, 0), b.repeat_interleave(times, 0)) for w, b in self.coefficients]
        return Person(self.texture.repeat_interleave(times, 0), repeated)


def encode(networks: Mapping[str, nn.Module], images: Tensor, masks: Tensor, stickmen: Tensor) -> Person:
    """B persons from K images of each [B, K, 3, H, W], head masks [B, K, 1, H, W] and drawn landmarks, in [0, 1]."""
    embeddings = networks["identity_embedder"](images, masks, stickmen)
    coefficients = cast(InferenceGenerator, networks["inference_generator"]).prj_inf(embeddings)
    return Person(networks["texture_generator"](embeddings), coefficients)


def drive(networks: Mapping[str, nn.Module], person: Person, poses: Tensor) -> dict[str, Tensor]:
    """Poses [N, 68, 2] of one person (N of any number) or of N persons.

    Gives prediction [N, 3, H, W], black behind the head and [0, 1] up to the sum of the layers, which is not clamped;
    mask [N, 1, H, W] in [0, 1]; and what `InferenceGenerator.forward` gives.
    """
    check_shape("poses", poses, (None, LANDMARKS, 2))
    if len(person.texture) not in (1, len(poses)):
        raise InputError(f"poses: expected as many as persons ({len(person.texture)}), got {len(poses)}")
    embedded = networks["keypoints_embedder"](poses)
    found: dict[str, Tensor] = networks["inference_generator"](embedded, person.coefficients, person.texture)
    return {**found, "prediction": (found["pred_target_imgs"] + 1) / 2, "mask": found["pred_target_segs"]}


def enhance(networks: Mapping[str, nn.Module], person: Person, images: Tensor, poses: Tensor) -> Person:
    """B persons with textures corrected by their images [B, K, 3, H, W] in [0, 1], of which poses [B, K, 68, 2] are."""
    with torch.no_grad():
        source = drive(networks, person.repeat(images.shape[1]), poses.flatten(0, 1))
    texture = networks["texture_enhancer"](person.texture, source, images, networks["inference_generator"])
    return Person(texture, person.coefficients)


def masked(image: Tensor, mask: Tensor) -> Tensor:
    """x m - (1 - m): values in [-1, 1], black outside the mask."""
    return image * mask - (1 - mask)


class IdentityEmbedder(nn.Module):
    """A person's masked images and drawn landmarks to one small map for each block of the texture generator."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.size = config.image_size
        self.net = _Embedder(config)

    def forward(self, source_imgs: Tensor, source_segs: Tensor, source_stickmen: Tensor) -> list[Tensor]:
        """Images [B, K, 3, H, W], masks [B, K, 1, H, W], drawn landmarks [B, K, 3, H, W], all in [0, 1].

        Gives `source_idt_embeds`: [B, C_i, s, s] for each block i.
        """
        check_shape("source_imgs", source_imgs, (None, None, 3, self.size, self.size))
        batch, shots = source_imgs.shape[:2]
        check_shape("source_segs", source_segs, (batch, shots, 1, self.size, self.size))
        check_shape("source_stickmen", source_stickmen, (batch, shots, 3, self.size, self.size))
        check_images("source_imgs", source_imgs.flatten(0, 1))
        check_images("source_segs", source_segs.flatten(0, 1), channels=1)
        check_images("source_stickmen", source_stickmen.flatten(0, 1))
        images = masked(2 * source_imgs - 1, source_segs)
        embeddings: list[Tensor] = self.net(torch.cat([images, 2 * source_stickmen - 1], dim=2))
        return embeddings


class _Embedder(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        halvings = _halvings(config.image_size, config.embedding_size)
        down = doubling_widths(config.width, config.max_width, halvings)
        self.enc = nn.Sequential(
            nn.Conv2d(6, down[0], 3, padding=1), *(ResBlock(a, b, resize="down") for a, b in pairwise(down))
        )
        widths = [down[-1], *config.widths(config.width, config.max_width)[1:]]
        self.dec_blocks = nn.ModuleList(ResBlock(a, b) for a, b in pairwise(widths))

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Masked images and drawn landmarks [B, K, 6, H, W] in [-1, 1] -> embeddings, means over K."""
        batch, shots = inputs.shape[:2]
        x = self.enc(inputs.flatten(0, 1)).unflatten(0, (batch, shots)).mean(1)
        *blocks, last = (cast(ResBlock, block) for block in self.dec_blocks)
        embeddings = []
        for block in blocks:
            x, features = block.with_features(x)
            embeddings.append(features)
        return [*embeddings, last.first_half(x, iter(()))]  # nothing asks for what its second half makes


class TextureGenerator(nn.Module):
    """A learned map, grown by adaptive residual blocks with spatial normalisation, to the person's texture."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = config.widths(config.width, config.max_width)
        self.gen_tex_input = nn.Parameter(torch.randn(1, widths[0], config.input_size, config.input_size))
        heads = [Head(widths[-1], 3, nn.Tanh())]
        self.gen_tex = Generator(widths, heads, norm="spatial", resize="up", eps=config.eps, size=config.input_size)
        self.prj_tex = Projector(widths, widths, spatial=True, bottleneck=config.bottleneck)

    def forward(self, source_idt_embeds: list[Tensor]) -> Tensor:
        """`pred_tex_hf_rgbs` [B, 3, H, W] in [-1, 1]."""
        batch = len(source_idt_embeds[0])
        (texture,) = self.gen_tex(self.gen_tex_input.expand(batch, -1, -1, -1), self.prj_tex(source_idt_embeds))
        return cast(Tensor, texture)


class KeypointsEmbedder(nn.Module):
    """Landmarks to the map that the inference generator begins with."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.net = _PoseEmbedder(config)

    def forward(self, target_poses: Tensor) -> Tensor:
        """[N, 68, 2] in [-1, 1] -> `target_pose_embeds` [N, C, s, s]."""
        embedded: Tensor = self.net(target_poses.flatten(1))
        return embedded


class _PoseEmbedder(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.side = config.input_size
        channels = config.widths(config.inf_width, config.inf_max_width)[0]
        sizes = [2 * LANDMARKS, *[config.pose_width] * (config.pose_blocks - 1), channels * self.side**2]
        layers: list[nn.Module] = []
        for a, b in pairwise(sizes):
            layers += [nn.Linear(a, b), nn.LeakyReLU(SLOPE, inplace=True)]
        self.mlp = nn.Sequential(*layers[:-1])

    def forward(self, inputs: Tensor) -> Tensor:
        """[N, 136], x and y in turn -> [N, C, s, s]."""
        embedded: Tensor = self.mlp(inputs)
        return embedded.view(len(inputs), -1, self.side, self.side)


class InferenceGenerator(nn.Module):
    """Section 3.1: out of a pose the low-frequency layer, the warp of the texture, and the segmentation."""

    identity_grid: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.align_corners = config.align_corners
        widths = config.widths(config.inf_width, config.inf_max_width)
        heads = [Head(widths[-1], 2, nn.Tanh()), Head(widths[-1], 3, nn.Tanh()), Head(widths[-1], 1)]
        self.gen_inf = Generator(
            widths, heads, norm="adaptive", resize="late up", eps=config.eps, size=config.input_size
        )
        embedding_widths = config.widths(config.width, config.max_width)
        self.prj_inf = Projector(widths, embedding_widths, spatial=False, bottleneck=config.bottleneck)
        centres = (2 * torch.arange(config.image_size) + 1) / config.image_size - 1
        self.register_buffer(
            "identity_grid", torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1)[None]
        )

    def forward(
        self, target_pose_embeds: Tensor, coefficients: list[Coefficients], pred_tex_hf_rgbs: Tensor
    ) -> dict[str, Tensor]:
        """Pose embeddings [N, C, s, s], coefficients (`prj_inf`) and texture of one person or of N.

        Gives, named as in the authors' code, pred_target_delta_uvs [N, 2, H, W] and pred_target_uvs [N, H, W, 2], where
        in the texture each pixel comes from; the layers pred_target_delta_lf_rgbs and pred_target_delta_hf_rgbs
        [N, 3, H, W]; pred_target_segs_logits and pred_target_segs [N, 1, H, W]; and pred_target_imgs [N, 3, H, W], the
        layers' sum behind the mask, through which no gradient reaches the segmentation.
        """
        offsets, low, logits = self.gen_inf(target_pose_embeds, coefficients)
        uvs = self.identity_grid + offsets.permute(0, 2, 3, 1)
        mask = logits.sigmoid()
        high = self.warp(pred_tex_hf_rgbs, uvs)
        return {
            "pred_target_delta_uvs": offsets,
            "pred_target_uvs": uvs,
            "pred_target_delta_lf_rgbs": low,
            "pred_target_delta_hf_rgbs": high,
            "pred_target_segs_logits": logits,
            "pred_target_segs": mask,
            "pred_target_imgs": masked(low + high, mask.detach()),
        }

    def warp(self, texture: Tensor, uvs: Tensor) -> Tensor:
        """A texture [1 or N, 3, H, W] looked up at uvs [N, H, W, 2]; zeros beyond its border."""
        return F.grid_sample(texture.expand(len(uvs), -1, -1, -1), uvs, align_corners=self.align_corners)


class TextureEnhancer(nn.Module):
    """Section 3.3: learned steps, each from the texture and the gradient of the error that it makes in the source."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.steps = config.enh_steps
        self.net = _Enhancer(config)

    def forward(
        self, texture: Tensor, source: Mapping[str, Tensor], images: Tensor, generator: InferenceGenerator
    ) -> Tensor:
        """The texture [B, 3, H, W], corrected by source images [B, K, 3, H, W] in [0, 1].

        `source` is what `InferenceGenerator.forward` gives for the sources' own poses, B * K; it is taken as it is.
        """
        shots = images.shape[1]
        mask, low, uvs = (source[f"pred_target_{name}"].detach() for name in ("segs", "delta_lf_rgbs", "uvs"))
        wanted = masked(2 * images.flatten(0, 1) - 1, mask)
        for _ in range(self.steps):
            repeated = texture.repeat_interleave(shots, 0)
            gradient = self._gradient(repeated, uvs, low, mask, wanted, generator)
            inputs = torch.cat([repeated, gradient], dim=1)
            texture = texture + self.net(inputs.view(-1, shots, *inputs.shape[1:])).tanh()
        return texture

    @staticmethod
    def _gradient(
        texture: Tensor, uvs: Tensor, low: Tensor, mask: Tensor, wanted: Tensor, generator: InferenceGenerator
    ) -> Tensor:
        """Of half the squared error of the source's picture with respect to the texture."""
        with torch.inference_mode(False), torch.enable_grad():
            free = texture.detach().clone().requires_grad_()
            shown = masked(low.clone() + generator.warp(free, uvs.clone()), mask.clone())
            (gradient,) = torch.autograd.grad((shown - wanted.clone()).square().sum() / 2, free)
        return gradient


class _Enhancer(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = doubling_widths(config.enh_width, config.enh_max_width, config.enh_halvings)
        self.joined = config.enh_halvings + config.enh_blocks  # the block after which a mean over images is taken
        self.blocks = nn.Sequential(
            nn.Conv2d(6, widths[0], 3, padding=1),
            *(ResBlock(a, b, resize="down") for a, b in pairwise(widths)),
            *(ResBlock(widths[-1], widths[-1]) for _ in range(config.enh_blocks)),
            *(ResBlock(a, b, resize="up") for a, b in pairwise(widths[::-1])),
            nn.Identity(),  # the place of a normalisation, which the published model has none of
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Conv2d(widths[0], 3, 3, padding=1),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Texture and its gradient by each of K images [B, K, 6, H, W] -> [B, 3, H, W] before tanh."""
        x = inputs.flatten(0, 1)
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number == self.joined:
                x = x.view(*inputs.shape[:2], *x.shape[1:]).mean(1)
        return x


class Discriminator(nn.Module):
    """Residual halvings over the picture and its drawn landmarks; scores patches."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.net = _Discriminator(config)

    def forward(self, images: Tensor, stickmen: Tensor) -> tuple[list[Tensor], Tensor]:
        """[N, 3, H, W] and drawn landmarks in [0, 1]: features of every block, scores [N, 1, h, w] (real ones high)."""
        found: tuple[list[Tensor], Tensor] = self.net(2 * torch.cat([images, stickmen], dim=1) - 1)
        return found


class _Discriminator(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        halvings = _halvings(config.image_size, config.disc_output_size)
        widths = doubling_widths(config.disc_width, config.disc_max_width, halvings)
        self.first_conv = nn.Conv2d(6, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(
            [ResBlock(a, b, resize="down", norms=("batch", "batch"), eps=config.eps) for a, b in pairwise(widths)]
            + [
                ResBlock(widths[-1], widths[-1], norms=("batch", "batch"), eps=config.eps)
                for _ in range(config.disc_blocks - halvings)
            ]
        )
        self.final_block = nn.Sequential(nn.BatchNorm2d(widths[-1], eps=config.eps), nn.LeakyReLU(SLOPE, inplace=True))
        self.linear = nn.Conv2d(widths[-1], 1, 1)

    def forward(self, inputs: Tensor) -> tuple[list[Tensor], Tensor]:
        """[N, 6, H, W] in [-1, 1]."""
        x = self.first_conv(inputs)
        features = []
        for block in self.blocks:
            x, seen = cast(ResBlock, block).with_features(x)
            features.append(seen)
        return features, self.linear(self.final_block(x))


def remove_spectral_norm(networks: Mapping[str, nn.Module]) -> None:
    """Put the normalised weights in place of the normalisation: the same networks, quicker, not to train on."""
    for network in networks.values():
        for layer in list(network.modules()):
            if isinstance(layer, nn.Conv2d | nn.Linear) and hasattr(layer, "weight_orig"):
                nn.utils.remove_spectral_norm(layer)


def fold_spectral_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A network's state dict with spectral norm as one without: W / (u^T W v) for each weight_orig, weight_u, weight_v.

    One without it is given back as it is, so that networks made with `spectral_norm=False` load both.
    """
    folded = {}
    for name, tensor in state.items():
        stem, _, kind = name.rpartition("weight_")
        if kind == "orig":
            matrix = tensor.flatten(1)
            folded[f"{stem}weight"] = tensor / (state[f"{stem}weight_u"] @ matrix @ state[f"{stem}weight_v"])
        elif kind not in ("u", "v") or not stem:
            folded[name] = tensor
    return folded


def _halvings(size: int, smallest: int) -> int:
    return (size // smallest).bit_length() - 1
