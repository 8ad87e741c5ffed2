"""The files of the builtin networks: safetensors with a card beside each, which says how it came to be and its hash."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from baselines import checkpoint
from bench.baseline_errors import baseline_errors
from curate.errors import MissingPrerequisite, UserError
from curate.files import sha256_file, sha256_text, write_json
from curate.perception.interface import NetworkInfo
from models.evaluators import FaceNet, FeatureNet, HeadNet, IdentityNet

WEIGHTS = Path(__file__).parent / "weights"
LICENCE = "MIT"
VERSION = "1"  # of the architectures and of what is fed to them; goes into the file as its preset
LARGEST = 3_000_000  # bytes of a file

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "head": HeadNet,
    "face": FaceNet,
    "identity": IdentityNet,
    "features": FeatureNet,
}


def network_name(name: str) -> str:
    """Name in suites and run records: `builtin-face` and so on."""
    return f"builtin-{name}"


def remedy(name: str) -> str:
    """The command that makes a network's file again."""
    return f"bench train-evaluators --only {name} --out DIR"


def save(folder: Path, name: str, network: nn.Module, steps: int) -> Path:
    """Write a network's file with its numbers as float16; equal networks give equal bytes."""
    path = folder / f"{name}.safetensors"
    model = network_name(name)
    checkpoint.save(path, {name: network}, model=model, preset=VERSION, steps=steps, half=True)
    if (size := path.stat().st_size) > LARGEST:
        raise UserError(f"{path} has {size} bytes; a shipped evaluator has at most {LARGEST}")
    return path


def write_card(folder: Path, name: str, card: dict[str, Any]) -> Path:
    """Write a network's card, with the hash of its file, beside that file."""
    path = folder / f"{name}.json"
    write_json(path, {**card, "network": network_name(name), "sha256": sha256_file(folder / f"{name}.safetensors")})
    return path


def read_card(folder: Path, name: str) -> dict[str, Any]:
    """A network's card; `MissingPrerequisite` or `UserError` names the file and the mend."""
    path = folder / f"{name}.json"
    if not path.is_file():
        raise MissingPrerequisite(f"{path} is missing: install the package again, or run: {remedy(name)}")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UserError(f"{path} is no readable card ({error}): run: {remedy(name)}") from error
    if not isinstance(card, dict) or not isinstance(card.get("sha256"), str):
        raise UserError(f"{path} is no card: it has no sha256; run: {remedy(name)}")
    return card


def load(name: str, folder: Path = WEIGHTS) -> tuple[nn.Module, NetworkInfo]:
    """A network ready for use (frozen, batch normalisation folded), and what a record keeps of it; errors of `read`."""
    network, info = read(name, folder)
    fold(network.eval().requires_grad_(False))
    return network, info


def read(name: str, folder: Path = WEIGHTS) -> tuple[nn.Module, NetworkInfo]:
    """A network as it was trained, and what a record keeps of it.

    Raises `MissingPrerequisite` where a file is absent, `UserError` where it is not the one that its card describes.
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown builtin network {name!r} (known: {', '.join(NETWORKS)})")
    card, path = read_card(folder, name), folder / f"{name}.safetensors"
    if not path.is_file():
        raise MissingPrerequisite(f"{path} is missing: install the package again, or run: {remedy(name)}")
    actual = sha256_file(path)
    if actual != card["sha256"]:
        raise UserError(
            f"{path} is not the file that its card describes: its sha256 is {actual}, not {card['sha256']}; "
            f"install the package again, or run: {remedy(name)}"
        )
    network = NETWORKS[name]()
    with baseline_errors():
        found = checkpoint.read(path, network_name(name))
        if found.preset != VERSION:
            raise UserError(f"{path} is of version {found.preset}, not {VERSION}: run: {remedy(name)}")
        checkpoint.fill({name: network}, found)
    return network, NetworkInfo(network_name(name), actual, LICENCE)


def joined(first: NetworkInfo, second: NetworkInfo) -> NetworkInfo:
    """What a record keeps of a network that sees what another one points out: the hash is over both files' hashes."""
    return NetworkInfo(second.name, sha256_text(first.sha256 + second.sha256), second.licence)


def fold(network: nn.Module) -> None:
    """Fold each batch normalisation that follows a convolution into it, in place: fewer steps, the same function."""
    for part in network.modules():
        if isinstance(part, nn.Sequential):
            for i in range(len(part) - 1):
                first, second = part[i], part[i + 1]
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    part[i], part[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
