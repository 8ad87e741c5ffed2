"""Published weights files (.pth, .pth.tar, .pt, .pkl): read without running anything, unwrapped, and recognised.

What such files hold differs: the networks at the top or in a `state_dict`, names that begin with `module.` (several
processes), running averages beside the weights, optimisers, counters. What is no network is left out and reported.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import models
from baselines.published import Layout

State = dict[str, Tensor]
Shapes = dict[str, torch.Size]
NESTS = ("state_dict", "model_state_dict", "model")  # keys under which some trainers put everything
COUNTER = (
    "num_batches_tracked"  # of batch normalisation: files of before torch 0.4.1 lack it, and nothing here reads it
)
AVERAGE = "averaged_model."
SHOWN = 3


class BadCheckpoint(ValueError):
    """A file that is no checkpoint, or not one of the model that was asked for."""


def read_content(path: Path) -> dict[str, Any]:
    """The dict in a torch file, tensors on the CPU and read as they are needed; `BadCheckpoint` for anything else.

    Only tensors and plain values are taken (`weights_only`): a file that holds more is refused, and nothing of it runs.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError, TypeError, AttributeError) as error:
        # torch's own message advises to load without safety: it is not passed on
        raise BadCheckpoint(
            f"{path} is no checkpoint: neither safetensors nor a torch file that holds tensors and plain values alone"
        ) from error
    if not isinstance(content, dict):
        raise BadCheckpoint(f"{path}: expected a dict of networks, got {type(content).__name__}")
    return content


@dataclass(frozen=True)
class Misfit:
    """How a file's networks differ from a layout's: keys as `network.name`."""

    layout: Layout
    absent: tuple[str, ...]  # whole networks
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]

    @property
    def count(self) -> int:
        """0: the file fits."""
        return len(self.missing) + len(self.unexpected) + len(self.reshaped)

    def __str__(self) -> str:
        absent = f"no network {', '.join(map(repr, self.absent))}; " if self.absent else ""
        return absent + told(self.missing, self.unexpected, self.reshaped)


def told(missing: Sequence[str], unexpected: Sequence[str], reshaped: Sequence[str]) -> str:
    """How many names are wrong in which way, and the first of them; empty if none is."""
    faults = {"missing": missing, "unexpected": unexpected, "of another shape": reshaped}
    return "; ".join(
        f"{len(names)} {fault}: {', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''}"
        for fault, names in faults.items()
        if names
    )


def shapes(network: nn.Module) -> Shapes:
    """The shape of every tensor of a network, by name."""
    return {name: tensor.shape for name, tensor in network.state_dict().items()}


def differences(given: Mapping[str, Tensor], wanted: Shapes) -> tuple[list[str], ...]:
    """Names that are missing, unexpected, and of another shape; counters may be missing."""
    return (
        [name for name in wanted if name not in given and not name.endswith(COUNTER)],
        [name for name in given if name not in wanted],
        [
            f"{name} ({list(given[name].shape)}, expected {list(shape)})"
            for name, shape in wanted.items()
            if name in given and given[name].shape != shape
        ],
    )


def wanted(layout: Layout) -> dict[str, Shapes]:
    """Names and shapes of the networks of a layout's architecture.

    They are made in memory for that: torch's meta device would save it, but takes ten times as long to get going.
    """
    with torch.random.fork_rng():
        networks = models.create(layout.architecture, layout.preset, **dict(layout.switches))
    return {part: shapes(network) for part, network in networks.items()}


def misfit(state: Mapping[str, State], layout: Layout) -> Misfit:
    """Compare networks with a layout; those that files of the layout may lack count only where they are there."""
    networks = wanted(layout)
    found: tuple[list[str], ...] = ([], [], [])
    for part in layout.networks:
        if part in layout.required or part in state:
            for keys, more in zip(found, differences(state.get(part, {}), networks[part]), strict=True):
                keys += [f"{part}.{key}" for key in more]
    absent = tuple(part for part in layout.required if part not in state)
    return Misfit(layout, absent, *(tuple(keys) for keys in found))


def unwrapped(state: Mapping[str, Tensor]) -> State:
    """A state dict without the prefixes of wrappers; of weights and their running average, the average."""
    state = dict(state)
    while state:
        if any(name.startswith(AVERAGE) for name in state):
            state = {name.removeprefix(AVERAGE): tensor for name, tensor in state.items() if name.startswith(AVERAGE)}
        elif all(name.startswith("module.") for name in state):
            state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
        else:
            break
    return state


def is_state(value: Any) -> bool:
    """Whether this is a state dict: names and tensors."""
    return isinstance(value, Mapping) and bool(value) and all(isinstance(item, Tensor) for item in value.values())


def networks_in(content: Mapping[str, Any], layout: Layout, only: str = "") -> dict[str, State]:
    """The networks of a layout that are in a file's content; `only`: the file is that network's state dict."""
    if only:
        return {only: unwrapped(content)} if is_state(content) else {}
    state: dict[str, State] = {}
    for part, place in layout.networks.items():
        key, _, prefix = place.partition(":")
        value: Any = content
        if key:
            value = content.get(key)
            for nest in NESTS:
                if value is None and isinstance(content.get(nest), Mapping):
                    value = content[nest].get(key)
        elif not is_state(content):
            value = next((content[nest] for nest in NESTS if is_state(content.get(nest))), None)
        if isinstance(value, Tensor):
            value = {key: value}
        if not is_state(value):
            continue
        taken = unwrapped(value)
        if prefix:
            taken = {name.removeprefix(prefix): tensor for name, tensor in taken.items() if name.startswith(prefix)}
        if taken:
            state[part] = taken
    return state


def recognise(contents: Sequence[tuple[str, dict[str, Any]]], layouts: Sequence[Layout]) -> tuple[Misfit, Any]:
    """The layout that files fit, or the nearest: how they differ from it, and the networks as that layout sees them.

    `contents`: each file's content, and the network that the file is the state dict of ("" where it holds more).
    """
    tried = []
    for layout in layouts:
        if layout.architecture not in models.names():
            continue
        state: dict[str, State] = {}
        for only, content in contents:
            if not only or only in layout.networks:
                state |= networks_in(content, layout, only)
        found = misfit(state, layout)
        tried.append((found, state))
        if not found.count:
            break
    if not tried:
        known = ", ".join(sorted({layout.architecture for layout in layouts})) or "none"
        raise BadCheckpoint(f"no architecture here reads such a file (needed: {known})")
    return min(tried, key=lambda pair: (len(pair[0].absent), pair[0].count))


def left_out(content: Mapping[str, Any], layout: Layout) -> list[str]:
    """Top-level keys of a file that are none of the layout's networks: optimisers, counters, options."""
    used = {place.partition(":")[0] for place in layout.networks.values()} | set(NESTS)
    return [] if is_state(content) else sorted(str(key) for key in content if key not in used)
