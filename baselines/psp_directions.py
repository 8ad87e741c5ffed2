"""Latent directions of head pose for pSp's weights: where they come from, and how they get beside the weights.

In W+ a head's angles are taken to be linear in its styles (as the hyperplanes of InterFaceGAN are: Shen, Gu, Tang,
Zhou; CVPR 2020, arXiv 1907.10786). From styles whose poses are known `models.psp.PoseDirections.fit` finds one
direction for each angle. Styles that show poses are the decoder's own, of random z, or those of an encoder that does
not frontalise; a frontaliser's all face the camera. Or a file says what the directions are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from baselines.checkpoint import PUBLISHED, BadCheckpoint, Unverified, find, read, save_state
from baselines.psp import Psp
from models.psp import PoseDirections

TRUNCATION = 0.7  # of w about its mean, as pictures are sampled (StyleGAN's psi)
BATCH = 8

Poses = Callable[[Tensor], Tensor]
"""Images [N, 3, H, W] in [0, 1] -> yaw, pitch, roll [N, 3] in degrees, NaN where no face is seen."""


def from_samples(model: Psp, poses: Poses, count: int, seed: int = 0) -> PoseDirections:
    """Directions from so many pictures that the decoder draws of random z, whose poses an estimator sees.

    The encoder's styles are taken to face the camera, so nothing is read off them.
    """
    generator = torch.Generator().manual_seed(seed)
    average = model.psp.average.latent_avg

    def drawn() -> Iterator[tuple[Tensor, Tensor]]:
        for first in range(0, count, BATCH):
            z = torch.randn(min(BATCH, count - first), average.shape[1], generator=generator).to(model.device)
            styles = average + TRUNCATION * (model.psp.decoder.style(z)[:, None] - average)
            yield styles, poses(model.psp.decode(styles).cpu())

    directions = _fitted(drawn())
    directions.readout.zero_()
    directions.rest.zero_()
    return directions


def from_frames(model: Psp, frames: Iterator[tuple[Tensor, Tensor]]) -> PoseDirections:
    """Directions from images [N, 3, R, R] at known angles [N, 3], for an encoder that does not frontalise: a source's
    own pose is read off its styles."""
    return _fitted((model.psp.encode(images.to(model.device)), angles) for images, angles in frames)


@torch.no_grad()
def _fitted(known: Iterator[tuple[Tensor, Tensor]]) -> PoseDirections:
    styles, angles = (torch.cat([part.cpu() for part in parts]) for parts in zip(*known, strict=True))
    seen = angles.isfinite().all(dim=1)
    directions = PoseDirections(*styles.shape[1:])
    directions.fit(styles[seen].float(), angles[seen].float())
    return directions


def from_file(path: Path, model: Psp) -> PoseDirections:
    """Directions of a safetensors file: `directions` [3, L, D] or [3, D] (the same in every layer), what 10 degrees of
    yaw, pitch and roll add to the styles; and, for an encoder that does not frontalise, `readout` [3, L, D] and `rest`
    [3] (see `models.psp.PoseDirections`)."""
    try:
        given = load_file(path)
    except (SafetensorError, OSError) as error:
        raise BadCheckpoint(f"{path} is no readable safetensors file: {error}") from error
    made = PoseDirections(*model.psp.average.latent_avg.shape)
    wanted = {name: tensor.shape for name, tensor in made.state_dict().items()}
    for name, tensor in given.items():
        wide = tensor[:, None].expand(-1, made.directions.shape[1], -1) if tensor.dim() == 2 else tensor
        if name not in wanted or wide.shape != wanted[name]:
            known = ", ".join(f"{key} {list(shape)}" for key, shape in wanted.items())
            raise BadCheckpoint(f"{path}: {name} {list(tensor.shape)} is none of {known}")
        given[name] = wide.float()
    if "directions" not in given:
        raise BadCheckpoint(f"{path} has no tensor named directions")
    zeros = {name: torch.zeros(shape) for name, shape in wanted.items()}
    made.load_state_dict({**zeros, **given})
    return made


def write(path: Path, checkpoint: str | Path, directions: PoseDirections) -> None:
    """The weights with directions beside them, as a safetensors file that `load("psp", checkpoint=path)` takes."""
    found = read(find("psp", "mini", checkpoint), "psp", verify=not isinstance(checkpoint, Unverified))
    about = {key: str(value) for key, value in found.details.items() if key in (*PUBLISHED, "steps")}
    about |= {"model": found.model, "architecture": "psp", "preset": found.preset}
    about["switches"] = json.dumps(found.switches)
    save_state(path, {**found.state, "directions": directions.state_dict()}, about)
