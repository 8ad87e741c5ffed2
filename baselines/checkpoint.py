"""Weights files: ours (safetensors that know their model and preset) and published ones (.pth, .pth.tar)."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor, nn

import models

WEIGHTS = Path(__file__).parent / "weights"
CHECKPOINT = "checkpoint.safetensors"
PUBLISHED = {  # SHA-256 of files that were looked at, and their names
    "6792d6810d7f46e3c5c487a1cfec916b96fad8912c3c6cc81baa1fc300c820d3": "vox-adv-cpk.pth.tar",
}


class BadCheckpoint(ValueError):
    """A file that is no checkpoint, or not one of the model that was asked for."""


class MissingCheckpoint(ValueError):
    """No such weights; the message names the file and the command that makes it."""


@dataclass(frozen=True)
class Checkpoint:
    """A file's content: tensors by network and name, and what the file says of itself."""

    path: Path
    sha256: str
    model: str
    preset: str
    switches: dict[str, Any]
    state: dict[str, dict[str, Tensor]] = field(repr=False)
    details: dict[str, Any] = field(default_factory=dict)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name beside `path`, then rename it: `path` is always whole or as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def save(
    path: Path,
    networks: Mapping[str, nn.Module],
    *,
    model: str,
    preset: str,
    steps: int,
    switches: Mapping[str, Any] | None = None,
    half: bool = False,
) -> None:
    """Write networks to a safetensors file, atomically: keys `network.name`; `half` stores floats as float16."""
    tensors = {}
    for part, network in networks.items():
        for name, tensor in network.state_dict().items():
            kept = tensor.half() if half and tensor.is_floating_point() else tensor
            tensors[f"{part}.{name}"] = kept.cpu().contiguous()
    metadata = {"model": model, "preset": preset, "steps": str(steps), "switches": json.dumps(dict(switches or {}))}
    content = serialise(tensors, metadata)
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = metadata  # the library writes it in random order; here equal weights give equal bytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write_whole(path, len(text).to_bytes(8, "little") + text + content[8 + length :])


def find(model: str, preset: str, checkpoint: str | Path | None) -> Path:
    """The file meant by `checkpoint`: a file, a training folder, a shipped name, or None for the shipped preset."""
    wanted = Path(checkpoint if checkpoint is not None else f"{model}-{preset}")
    shipped = WEIGHTS / f"{wanted.name}.safetensors"
    candidates = [wanted / CHECKPOINT, wanted] if checkpoint is not None else []
    if wanted.name == str(wanted):
        candidates.append(shipped)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise MissingCheckpoint(
        f"no weights for {model}, preset {preset}: {shipped.name if checkpoint is None else wanted} does not exist; "
        f"make them with: bench train --model {model} --preset {preset} --dataset DIR --out DIR"
    )


def read(path: Path, model: str) -> Checkpoint:
    """Read a checkpoint of `model`. Never runs code from the file; `BadCheckpoint` says what is wrong with it."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if path.suffix == ".safetensors":
        return _read_ours(path, sha256, model)
    return _read_published(path, sha256, model)


def _read_ours(path: Path, sha256: str, model: str) -> Checkpoint:
    state: dict[str, dict[str, Tensor]] = {}
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            for key in list(file.keys()):
                part, _, name = key.partition(".")
                state.setdefault(part, {})[name] = file.get_tensor(key)
        found, preset, switches, steps = (about.get(key) for key in ("model", "preset", "switches", "steps"))
        details = {"steps": int(steps or 0)}
        decoded = dict(json.loads(switches or "{}"))
    except (SafetensorError, ValueError, TypeError, OSError) as error:
        raise BadCheckpoint(f"{path} is no readable safetensors file: {error}") from error
    if found != model or preset is None:
        raise BadCheckpoint(f"{path}: its metadata says model {found!r}, preset {preset!r}; expected model {model!r}")
    return Checkpoint(path, sha256, model, preset, decoded, state, details)


def _read_published(path: Path, sha256: str, model: str) -> Checkpoint:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError) as error:
        # torch's own message advises to load without safety: it is not passed on
        raise BadCheckpoint(
            f"{path} is no checkpoint: neither safetensors nor a torch file that holds tensors and plain values alone"
        ) from error
    if not isinstance(content, dict):
        raise BadCheckpoint(f"{path}: expected a dict of networks, got {type(content).__name__}")
    state = {
        part: {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
        for part, tensors in content.items()
        if isinstance(tensors, dict) and all(isinstance(tensor, Tensor) for tensor in tensors.values())
    }
    return Checkpoint(path, sha256, model, "paper", {}, state, {"published": PUBLISHED.get(sha256, "unknown")})


def fill(networks: Mapping[str, nn.Module], checkpoint: Checkpoint) -> None:
    """Put a checkpoint's tensors into networks; `BadCheckpoint` lists missing and unexpected keys and wrong shapes."""
    for part, network in networks.items():
        if part not in checkpoint.state:
            found = ", ".join(sorted(checkpoint.state)) or "none"
            raise BadCheckpoint(f"{checkpoint.path} has no network {part!r} (found: {found})")
        given, wanted = checkpoint.state[part], network.state_dict()
        faults = {
            "missing": [name for name in wanted if name not in given],
            "unexpected": [name for name in given if name not in wanted],
            "of another shape": [
                f"{name} ({list(given[name].shape)}, expected {list(tensor.shape)})"
                for name, tensor in wanted.items()
                if name in given and given[name].shape != tensor.shape
            ],
        }
        if any(faults.values()):
            told = "; ".join(f"{len(keys)} {fault}: {_some(keys)}" for fault, keys in faults.items() if keys)
            raise BadCheckpoint(
                f"{checkpoint.path} does not fit {checkpoint.model} ({checkpoint.preset}), {part}: {told}"
            )
        network.load_state_dict(given)


def _some(keys: Sequence[str]) -> str:
    return ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")


def load_networks(
    model: str, preset: str, checkpoint: str | Path | None, device: str, parts: Sequence[str]
) -> tuple[dict[str, nn.Module], Checkpoint]:
    """The named networks of an architecture of `models`, filled, in eval mode, frozen; and their checkpoint."""
    found = read(find(model, preset, checkpoint), model)
    every = models.create(model, found.preset, **found.switches)
    networks = {part: every[part] for part in parts}
    fill(networks, found)
    for network in networks.values():
        network.to(device).eval().requires_grad_(False)
    return networks, found
