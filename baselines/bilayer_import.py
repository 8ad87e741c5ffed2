"""The authors' released bi-layer weights as a checkpoint of this project.

They are one file for each network, `{epoch}_{network}.pth`, a bare state dict with spectral norm. Here they are joined
in one file, with the norms folded into the weights: the same function, as the authors' own inference does it.

    python -m baselines.bilayer_import RUN/checkpoints OUT/checkpoint.safetensors
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Sequence
from pathlib import Path

import torch

import models
from baselines.bilayer import Bilayer
from baselines.checkpoint import BadCheckpoint, Checkpoint, fill, save
from models.bilayer import fold_spectral_norm

SWITCHES = {"spectral_norm": False}


def import_published(folder: Path, out: Path, preset: str = "paper") -> Path:
    """Join the newest epoch's networks in `folder` into `out`; gives `out`. Raises `BadCheckpoint`, naming the file."""
    networks = models.create("bilayer", preset, **SWITCHES)
    networks = {part: networks[part] for part in Bilayer.parts}
    epochs = {path: path.stem.partition("_")[0] for path in folder.glob("*_*.pth")}
    newest = max((int(epoch) for epoch in epochs.values() if epoch.isdigit()), default=None)
    if newest is None:
        raise BadCheckpoint(f"{folder} has no files like 2225_{Bilayer.parts[0]}.pth")
    for part, network in networks.items():
        path = folder / f"{newest}_{part}.pth"
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            folded = fold_spectral_norm(state)
        except (OSError, pickle.UnpicklingError, RuntimeError, EOFError, KeyError, AttributeError) as error:
            raise BadCheckpoint(f"{path} is no state dict of one network: {type(error).__name__}") from error
        fill({part: network}, Checkpoint(path, "", "bilayer", preset, dict(SWITCHES), {part: folded}))
    save(out, networks, model="bilayer", preset=preset, steps=0, switches=SWITCHES)
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """The command above."""
    parser = argparse.ArgumentParser(description="Join the authors' bi-layer weights into one checkpoint.")
    parser.add_argument("folder", type=Path, help="where the files {epoch}_{network}.pth are")
    parser.add_argument("out", type=Path, help="the checkpoint to write, a .safetensors file")
    given = parser.parse_args(arguments)
    try:
        print(import_published(given.folder, given.out))
    except BadCheckpoint as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
