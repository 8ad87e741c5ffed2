"""`bench psp-directions`: what the fit of latent directions takes from this package, poses and frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

import baselines
from baselines import psp_directions
from baselines.checkpoint import Unverified
from baselines.psp import Psp
from baselines.psp_directions import Poses
from bench.baseline_errors import baseline_errors
from bench.datasets import open_dataset
from bench.evaluators.suite import Observation, open_suite
from curate import video
from curate.dataset import Dataset
from curate.errors import UserError

EVERY = 4  # frames of a clip are much alike
SIDE = 256  # at which the pose network looks for faces


def add_directions(
    out: Path,
    checkpoint: str,
    directions: Path | None,
    dataset: str | None,
    samples: int,
    seed: int,
    device: str,
    unverified: bool,
) -> Path:
    """Write pSp's weights with directions of a file, or fitted to a dataset or to samples; `UserError`."""
    if directions is not None and dataset is not None:
        raise UserError("--directions and --dataset exclude each other")
    taken = Unverified(checkpoint) if unverified else checkpoint
    with baseline_errors():
        model = cast(Psp, baselines.load("psp", checkpoint=taken, device=device))
        if directions is not None:
            found = psp_directions.from_file(directions, model)
        elif dataset is not None:
            found = psp_directions.from_frames(
                model, _frames(open_dataset(dataset), model.resolution, pose_estimator())
            )
        else:
            found = psp_directions.from_samples(model, pose_estimator(), samples, seed)
        psp_directions.write(out, taken, found)
    return out


def pose_estimator() -> Poses:
    """The builtin network's angles of images [N, 3, H, W]."""
    suite = open_suite()

    def poses(images: Tensor) -> Tensor:
        frames = (images.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).cpu().numpy()
        return torch.from_numpy(Observation(suite, video.resize(frames, SIDE)).pose.copy())

    return poses


def _frames(dataset: Dataset, side: int, poses: Poses) -> Iterator[tuple[Tensor, Tensor]]:
    """Every fourth frame of the clips that are no test clips, at the side that the model wants, and its angles."""
    for clip in dataset.clips:
        if clip.split != "test":
            frames = dataset.frames(clip, list(range(0, clip.n_frames, EVERY)), side)
            images = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
            yield images, poses(images)
