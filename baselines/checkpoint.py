"""Weights files: ours (safetensors that know their model and preset) and published ones, by path or by name."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import nn

import models
from baselines.published import Layout, tables
from baselines.torch_file import BadCheckpoint as BadCheckpoint  # of every weights file
from baselines.torch_file import State, differences, left_out, read_content, recognise, shapes, told

WEIGHTS = Path(__file__).parent / "weights"
CHECKPOINT = "checkpoint.safetensors"


class MissingCheckpoint(ValueError):
    """No such weights; the message names the file and the command that makes it."""


class Unverified(str):
    """A path of a published file whose content is taken though no hash of it is known here.

    `baselines.load(..., verify=False)` makes one; adapters pass what they are given on as it is.
    """


@dataclass(frozen=True)
class Checkpoint:
    """A file's content: tensors by network and name, and what the file says of itself."""

    path: Path
    sha256: str
    model: str
    preset: str
    switches: dict[str, Any]
    state: dict[str, State] = field(repr=False)
    details: dict[str, Any] = field(default_factory=dict)
    architecture: str = ""  # in `models`, where that has another name than the model
    layout: Layout | None = None  # of a published file: where its networks were, and notes for its users


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
    about = {"model": model, "preset": preset, "steps": str(steps), "switches": json.dumps(dict(switches or {}))}
    save_state(path, {part: network.state_dict() for part, network in networks.items()}, about, half=half)


def save_state(path: Path, state: Mapping[str, State], about: Mapping[str, str], *, half: bool = False) -> None:
    """As `save`, of tensors by network and name; `about` is what the file says of itself."""
    metadata, tensors, places = dict(about), {}, set()
    for part, network in state.items():
        for name, tensor in network.items():
            kept = (tensor.half() if half and tensor.is_floating_point() else tensor).cpu().contiguous()
            if kept.data_ptr() in places:  # a tensor with two names, which the format has no way to share
                kept = kept.clone()
            places.add(kept.data_ptr())
            tensors[f"{part}.{name}"] = kept
    content = serialise(tensors, metadata)
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = metadata  # the library writes it in random order; here equal weights give equal bytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write_whole(path, len(text).to_bytes(8, "little") + text + content[8 + length :])


def find(model: str, preset: str, checkpoint: str | Path | None) -> Path:
    """The file meant by `checkpoint`: a file, a training folder, a shipped or fetched name, or None for the shipped
    preset."""
    wanted = Path(checkpoint if checkpoint is not None else f"{model}-{preset}")
    shipped = WEIGHTS / f"{wanted.name}.safetensors"
    candidates = [wanted / CHECKPOINT, wanted] if checkpoint is not None else []
    if wanted.name == str(wanted):
        candidates += [shipped, *(folder / shipped.name for folder in fetched_folders())]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    if checkpoint is not None and str(wanted) in tables().published:
        raise MissingCheckpoint(f"the weights {wanted} are not here yet: get them with: bench weights fetch {wanted}")
    published = [entry.name for entry in tables().published.values() if entry.layout.model == model]
    others = f"; or take published ones (bench weights list): {', '.join(published)}" if published else ""
    raise MissingCheckpoint(
        f"no weights for {model}, preset {preset}: {shipped.name if checkpoint is None else wanted} does not exist; "
        f"make them with: bench train --model {model} --preset {preset} --dataset DIR --out DIR{others}"
    )


def fetched_folders() -> list[Path]:
    """Where fetched weights may be: the folders of all weights that do not ship."""
    from curate.perception.weights import folders

    try:
        return folders()
    except ImportError:  # on a machine with nothing but torch, where nothing was fetched
        return []


def read(path: Path, model: str, *, verify: bool = True) -> Checkpoint:
    """Read a checkpoint of `model`. Never runs code from the file; `BadCheckpoint` says what is wrong with it.

    A published file must have a hash that `checkpoints.toml` pins, unless `verify` is False.
    """
    if path.suffix == ".safetensors":
        return _read_ours(path, _sha256(path), model)
    return read_published([path], model, verify=verify)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_ours(path: Path, sha256: str, model: str) -> Checkpoint:
    state: dict[str, State] = {}
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            for key in list(file.keys()):
                part, _, name = key.partition(".")
                state.setdefault(part, {})[name] = file.get_tensor(key)
        found, preset, switches, steps = (about.get(key) for key in ("model", "preset", "switches", "steps"))
        details: dict[str, Any] = {key: about[key] for key in PUBLISHED if key in about} or {"steps": int(steps or 0)}
        decoded = dict(json.loads(switches or "{}"))
    except (SafetensorError, ValueError, TypeError, OSError) as error:
        raise BadCheckpoint(f"{path} is no readable safetensors file: {error}") from error
    architecture = about.get("architecture", "")
    if found is None or preset is None or model not in (found, architecture):
        raise BadCheckpoint(f"{path}: its metadata says model {found!r}, preset {preset!r}; expected model {model!r}")
    layout = tables().layouts.get(about.get("layout", ""))
    return Checkpoint(path, sha256, found, preset, decoded, state, details, architecture, layout)


def read_published(
    paths: Sequence[Path], model: str, *, layout: Layout | None = None, parts: Sequence[str] = (), verify: bool = True
) -> Checkpoint:
    """Read files of a published checkpoint of `model`, as `read` does.

    `layout`: what they are; None: the pinned one or, of files that nobody pinned, the one of the model's that fits.
    `parts`: for each file the network whose state dict it is, or "" (the default) where it holds more.
    """
    hashes = [_sha256(path) for path in paths]
    known = [tables().by_sha256(sha256) for sha256 in hashes]
    if verify:
        for path, sha256, pinned in zip(paths, hashes, known, strict=True):
            _check_pinned(path, sha256, pinned is not None)
    layouts = [layout] if layout is not None else [entry.layout for entry, _ in filter(None, known)]
    layouts = layouts or layouts_of(model)
    for candidate in layouts:
        if model not in (candidate.model, candidate.architecture):
            raise BadCheckpoint(f"{_names(paths)} is of model {candidate.model}, not {model}")
    contents = [(part, read_content(path)) for path, part in zip(paths, parts or [""] * len(paths), strict=True)]
    nearest, state = recognise(contents, layouts)
    if nearest.count:
        many = f" (the nearest of {len(layouts)} layouts)" if len(layouts) > 1 else ""
        others = [other for other in tables().layouts.values() if other not in layouts]
        fits = [found.layout for found, _ in [recognise(contents, others)] if not found.count] if others else []
        hint = f"; it is a checkpoint of {fits[0].model} ({fits[0].name})" if fits else ""
        raise BadCheckpoint(f"{_names(paths)} does not fit {nearest.layout.name}{many}: {nearest}{hint}")
    found = nearest.layout
    names = sorted({entry.name for entry, _ in filter(None, known)})
    details: dict[str, Any] = {"published": ", ".join(names) or "unknown", "source_sha256": ", ".join(hashes)}
    details["layout"] = found.name
    if ignored := sorted({key for _, content in contents for key in left_out(content, found)}):
        details["ignored"] = ", ".join(ignored)
    switches = dict(found.switches)
    return Checkpoint(
        paths[0], hashes[0], found.model, found.preset, switches, state, details, found.architecture, found
    )


PUBLISHED = ("published", "source_sha256", "layout", "licence")
"""What a converted file's metadata say of the published one."""


def layouts_of(model: str) -> list[Layout]:
    """The layouts that a file of `model` may have: the published ones, and that of its own architecture."""
    candidates = tables().of_model(model)
    if model in models.names() and not any(layout.architecture == model for layout in candidates):
        with torch.random.fork_rng():
            parts = models.create(model, "paper")
        candidates.append(Layout(model, model, model, {part: part for part in parts}))
    return candidates


def _check_pinned(path: Path, sha256: str, pinned: bool) -> None:
    if pinned:
        return
    if named := tables().by_file_name(path.name):
        raise BadCheckpoint(
            f"{path} is not the published {named[0].name}: its sha256 is {sha256}, not {named[1].sha256}; "
            f"get it again, or take it as it is: {TAKE}"
        )
    raise BadCheckpoint(f"{path}: no file with its sha256 ({sha256}) is known here; if you trust it: {TAKE}")


TAKE = "bench run --unverified, baselines.load(..., verify=False), or once and for all: bench weights convert"


def _names(paths: Sequence[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{paths[0].parent} ({', '.join(path.name for path in paths)})"


def fill(networks: Mapping[str, nn.Module], checkpoint: Checkpoint) -> None:
    """Put a checkpoint's tensors into networks; `BadCheckpoint` lists missing and unexpected keys and wrong shapes."""
    for part, network in networks.items():
        if part not in checkpoint.state:
            found = ", ".join(sorted(checkpoint.state)) or "none"
            raise BadCheckpoint(f"{checkpoint.path} has no network {part!r} (found: {found})")
        given = checkpoint.state[part]
        if faults := told(*differences(given, shapes(network))):
            raise BadCheckpoint(
                f"{checkpoint.path} does not fit {checkpoint.model} ({checkpoint.preset}), {part}: {faults}"
            )
        network.load_state_dict(given, strict=False)  # what may be missing are counters


def load_networks(
    model: str,
    preset: str,
    checkpoint: str | Path | None,
    device: str,
    parts: Sequence[str],
    optional: Sequence[str] = (),
) -> tuple[dict[str, nn.Module], Checkpoint]:
    """The named networks of the architecture that the checkpoint holds, filled, in eval mode, frozen; and the
    checkpoint. `model`: a model, or an architecture of `models`. `optional`: parts that are left out where the
    checkpoint lacks them."""
    found = read(find(model, preset, checkpoint), model, verify=not isinstance(checkpoint, Unverified))
    architecture = found.architecture or model
    parts = [*parts, *(part for part in optional if part in found.state)]
    every = models.create(architecture, found.preset, **found.switches)
    if lacking := [part for part in parts if part not in every]:
        raise BadCheckpoint(f"{found.path}: architecture {architecture} has no network {', '.join(lacking)}")
    networks = {part: every[part] for part in parts}
    fill(networks, found)
    for network in networks.values():
        network.to(device).eval().requires_grad_(False)
    return networks, found
