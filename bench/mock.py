"""`bench mock`: drive a model with toy pairs, in seconds and without a dataset, and say what is wrong with it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

import baselines
from baselines.interface import Extras, ModelSpec
from bench.baseline_errors import baseline_errors
from bench.drive import EXTRAS
from bench.tasks.base import CAPABILITY
from curate.errors import UserError, unknown

log = logging.getLogger(__name__)

Level = Literal["ok", "warning", "wrong"]
ANY_SIDE = 64  # of the toy pictures of a model that takes any
FRAMES = 4
SLOW_ENCODE_S = 2.0
SAME = 1e-4  # two outputs differ by no more when only the order of sums differs
CLOSE = 2e-3  # as SAME where frames go in other batches: kernels differ
METHODS = {"redirect": ("redirect",), "codec": ("encode_motion", "decode")}  # capability -> what it takes


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and what was seen."""

    level: Level
    what: str
    why: str


class _Stop(Exception):
    """Nothing more can be looked at."""


def mock(name: str, preset: str = "mini", checkpoint: str | None = None, device: str = "cpu") -> list[Finding]:
    """Look at a model by name, or at a class as `package.module:Class`; gives all findings, good and bad.

    `UserError` when there is no such model; whatever the model itself raises is a finding.
    """
    with baseline_errors():
        model = _load(name, preset, checkpoint, device)
    found: list[Finding] = []
    try:
        for finding in _look(model, device):
            found.append(finding)
    except _Stop:
        pass
    return found


def _load(name: str, preset: str, checkpoint: str | None, device: str) -> Any:
    if ":" not in name:
        if name not in baselines.names():
            raise unknown("model", name, baselines.names())
        return baselines.load(name, preset=preset, checkpoint=checkpoint, device=device)
    module, _, attribute = name.partition(":")
    try:
        made = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(f"{name} cannot be loaded: {error}") from error
    return made(preset=preset, checkpoint=checkpoint, device=device)


def _look(model: Any, device: str) -> Iterator[Finding]:
    spec, faults = getattr(model, "spec", None), []
    if not isinstance(spec, ModelSpec):
        yield Finding("wrong", "specification", f"`spec` must be a baselines.interface.ModelSpec, is {_kind(spec)}")
        raise _Stop
    faults = list(_spec_faults(model, spec))
    yield from faults or [Finding("ok", "specification", f"{spec.name}, resolution {spec.resolution or 'any'}")]
    if any(fault.level == "wrong" for fault in faults):
        raise _Stop
    side = spec.resolution or ANY_SIDE
    first, second = (Toy(i, side, spec, device) for i in range(2))
    yield from _calls(model, first, second)


def _spec_faults(model: Any, spec: ModelSpec) -> Iterator[Finding]:
    for field, fits in (("name", bool(spec.name)), ("shots", spec.shots >= 1), ("resolution", spec.resolution != 0)):
        if not fits:
            yield Finding("wrong", "specification", f"{field} is {getattr(spec, field)!r}")
    for need in spec.needs:
        if need not in EXTRAS:
            known = ", ".join(EXTRAS)
            yield Finding("wrong", "needs", f"it needs {need!r} of every frame, and bench gives only: {known}")
    for able in spec.capabilities:
        if able not in {*CAPABILITY.values(), *METHODS}:
            yield Finding("warning", "capabilities", f"{able!r} is no capability that any task asks for")
    for able, methods in METHODS.items():
        lacking = [method for method in methods if not callable(getattr(model, method, None))]
        if able in spec.capabilities and lacking:
            yield Finding("wrong", "capabilities", f"it says that it can do {able!r}, and has no method {lacking[0]}")
        elif able not in spec.capabilities and not lacking:
            yield Finding("warning", "capabilities", f"it has {' and '.join(methods)} but does not declare {able!r}")


class Toy:
    """A pair that is no face, at a model's size: a disc on a shaded ground that moves, with extras that fit it."""

    def __init__(self, seed: int, side: int, spec: ModelSpec, device: str) -> None:
        self.source = _pictures(seed, spec.shots, side).to(device)
        self.driving = _pictures(seed + 7, FRAMES, side).to(device)
        self.extras = [_extras(spec, len(images), side, device) for images in (self.source, self.driving)]

    def part(self, i: int) -> tuple[Tensor, Extras]:
        """One driving frame and its extras."""
        return self.driving[i : i + 1], {name: value[i : i + 1] for name, value in self.extras[1].items()}


def _pictures(seed: int, count: int, side: int) -> Tensor:
    y, x = torch.meshgrid(*(torch.linspace(0, 1, side),) * 2, indexing="ij")
    frames = []
    for i in range(count):
        away = (x - 0.45 - 0.02 * i - 0.03 * (seed % 3)) ** 2 + (y - 0.5 + 0.01 * i) ** 2
        disc = torch.sigmoid((0.06 - away) * 200)
        ground = torch.stack([0.2 + 0.5 * x, 0.3 + 0.4 * y, torch.full_like(x, 0.2 + 0.05 * (seed % 5))])
        colour = torch.tensor([0.9, 0.4 + 0.1 * (seed % 4), 0.3]).reshape(3, 1, 1)
        frames.append((ground * (1 - disc) + colour * disc) * (1 - 0.1 * i / max(count - 1, 1)))
    return torch.stack(frames)


def _extras(spec: ModelSpec, count: int, side: int, device: str) -> Extras:
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    radius = np.linspace(0.3, 0.1, 68)
    points = np.stack([0.5 + radius * np.cos(angle), 0.5 + radius * np.sin(angle)], axis=1) * side
    landmarks = torch.from_numpy(np.stack([points + 0.01 * side * i for i in range(count)])).float()
    mask = (_pictures(0, count, side)[:, :1] > 0.6).float()
    every = {"landmarks68": landmarks, "mask": mask}
    return {name: every[name].to(device) for name in spec.needs}


def _calls(model: Any, first: Toy, second: Toy) -> Iterator[Finding]:
    with torch.inference_mode():
        start = time.perf_counter()
        source = _call("encode_source", model.spec, lambda: model.encode_source(first.source, first.extras[0]))
        if isinstance(source, Finding):
            yield source
            raise _Stop
        seconds = time.perf_counter() - start
        slow = seconds > SLOW_ENCODE_S
        yield Finding("warning" if slow else "ok", "encode_source", f"{seconds:.2f} s" + " is slow" * slow)
        if not model.spec.follows:
            yield from _capabilities(model, source, first)
            return
        kept = first.driving.clone()
        output = _call("reenact", model.spec, lambda: _driven(model, source, first))
        faults = [output] if isinstance(output, Finding) else list(_output_faults(output, first.driving))
        yield from faults or [Finding("ok", "frames", f"{list(output.shape)}, float32, in [0, 1]")]
        if any(fault.level == "wrong" for fault in faults):
            raise _Stop
        if not torch.equal(kept, first.driving):
            yield Finding("wrong", "inputs", "reenact changes the driving frames that it is given")
        yield _compared(
            "determinism",
            "the same call with the same seed gives other frames: what is random must come from torch's generators",
            output,
            _call("reenact", model.spec, lambda: _driven(model, source, first)),
            SAME,
        )
        yield _compared(
            "batches",
            "frames change when they are driven one by one: only a model of sequences may do so",
            output,
            _call("reenact", model.spec, lambda: _one_by_one(model, source, first)),
            CLOSE,
            "warning",
        )
        yield _compared(
            "state between pairs",
            "another source that was encoded meanwhile changes the frames: keep all that belongs to a source in Source",
            output,
            _call("encode_source and reenact", model.spec, lambda: _after(model, source, first, second)),
            SAME,
        )
        yield from _capabilities(model, source, first)


def _driven(model: Any, source: Any, toy: Toy) -> Tensor:
    torch.manual_seed(0)
    frames: Tensor = model.reenact(source, toy.driving, toy.extras[1])
    return frames


def _one_by_one(model: Any, source: Any, toy: Toy) -> Tensor:
    frames = []
    for i in range(FRAMES):
        torch.manual_seed(0)
        frames.append(model.reenact(source, *toy.part(i)))
    return torch.cat(frames)


def _after(model: Any, source: Any, first: Toy, second: Toy) -> Tensor:
    other = model.encode_source(second.source, second.extras[0])
    _driven(model, other, second)
    return _driven(model, source, first)


def _capabilities(model: Any, source: Any, toy: Toy) -> Iterator[Finding]:
    able = model.spec.capabilities
    if "relative" in able:
        moved = _call(
            "reenact with relative_to",
            model.spec,
            lambda: model.reenact(source, toy.driving, toy.extras[1], relative_to=toy.driving[:1]),
        )
        faults = [moved] if isinstance(moved, Finding) else list(_output_faults(moved, toy.driving))
        yield from faults or [Finding("ok", "capability relative", "it takes relative_to")]
    if "redirect" in able:
        angles = [torch.linspace(-20, 20, FRAMES, device=toy.driving.device) for _ in range(3)]
        turned = _call("redirect", model.spec, lambda: model.redirect(source, *angles))
        faults = [turned] if isinstance(turned, Finding) else list(_output_faults(turned, toy.driving))
        yield from faults or [Finding("ok", "capability redirect", "it takes angles")]


def _call(what: str, spec: ModelSpec, call: Callable[[], Any]) -> Any:
    """The result, or a finding in words."""
    try:
        return call()
    except Exception as error:  # a model is anybody's code
        log.debug("%s failed", what, exc_info=True)
        first = (str(error).strip() or "no message").splitlines()[0]
        why = f"{what} raised {type(error).__name__}: {first}"
        named = [name for name in EXTRAS if isinstance(error, KeyError) and name in str(error)]
        if named and named[0] not in spec.needs:
            why += f"; it must declare it: needs=({named[0]!r},)"
        return Finding("wrong", what, why)


def _output_faults(output: Any, driving: Tensor) -> Iterator[Finding]:
    if not isinstance(output, Tensor):
        yield Finding("wrong", "frames", f"it gives {_kind(output)} and must give a tensor")
        return
    if output.dim() == 4 and output.shape[:2] == driving.shape[:2] and output.shape != driving.shape:
        sides, asked = list(output.shape[2:]), list(driving.shape[2:])
        yield Finding("wrong", "output size", f"frames of {sides} pixels for driving frames of {asked}")
    elif output.shape != driving.shape:
        channels = output.dim() == 4 and output.shape[-1] == 3
        hint = "; channels come second" if channels else ""
        yield Finding("wrong", "shape", f"{list(output.shape)} for driving frames {list(driving.shape)}{hint}")
    if output.dtype != torch.float32:
        yield Finding("wrong", "dtype", f"frames are {output.dtype}, and must be torch.float32")
    if output.device != driving.device:
        yield Finding("wrong", "device", f"frames are on {output.device}, the driving frames on {driving.device}")
    if not output.is_floating_point():
        return
    if not bool(output.isfinite().all()):
        yield Finding("wrong", "values", "frames hold NaN or infinity")
        return
    low, high = float(output.min()), float(output.max())
    if low < -0.5 or high > 1.5:
        hint = "[-1, 1]" if low >= -1.01 and high <= 1.01 else "[0, 255]" if low >= 0 else "something else"
        yield Finding("wrong", "range", f"values reach from {low:.3g} to {high:.3g}, as of {hint}: [0, 1] is expected")
    elif low < 0 or high > 1:
        yield Finding("warning", "range", f"values reach from {low:.3g} to {high:.3g} and are cut to [0, 1]")


def _compared(what: str, why: str, before: Tensor, after: Any, most: float, level: Level = "wrong") -> Finding:
    if isinstance(after, Finding):
        return after
    if not isinstance(after, Tensor) or after.shape != before.shape:
        shape = list(after.shape) if isinstance(after, Tensor) else _kind(after)
        return Finding("wrong", what, f"another call gives {shape} in the place of {list(before.shape)}")
    apart = float((after - before).abs().max())
    if apart > most:
        return Finding(level, what, f"{why} (by up to {apart:.3g})")
    return Finding("ok", what, "no difference" if apart == 0 else f"a difference of at most {apart:.1g}")


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
