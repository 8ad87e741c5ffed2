"""Models as the benchmark drives them: `load("fomm")` gives a `Reenactor` (see `baselines.interface`).

One line here per model; an installed package adds its own through the entry point group `talkinghead.models`
(`name = "package.module:Class"`, the class taking preset, checkpoint and device).
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from baselines.interface import Reenactor
    from baselines.network_model import Precision

_REGISTRY = {
    "bilayer": "baselines.bilayer:Bilayer",
    "bilayer-enhanced": "baselines.bilayer_enhanced:BilayerEnhanced",
    "fomm": "baselines.fomm:Fomm",
    "fomm-l": "baselines.fomm_l:FommL",
    "fs-vid2vid": "baselines.fs_vid2vid:FsVid2vid",
    "marionette": "baselines.marionette:Marionette",
    "marionette-lt": "baselines.marionette_lt:MarionetteLT",
    "osfv": "baselines.osfv:Osfv",
    "osfv-direct": "baselines.osfv_direct:OsfvDirect",
    "psp": "baselines.psp:Psp",
    "rar": "baselines.rotate_and_render:RotateAndRender",
    "source-copy": "baselines.calibration:SourceCopy",
    "truth": "baselines.calibration:Truth",
}
ENTRY_POINTS = "talkinghead.models"
PRESETS = ("mini", "paper")


def names() -> list[str]:
    """Names of all models, ours and those of installed packages, sorted."""
    return sorted({*_REGISTRY, *entry_points(group=ENTRY_POINTS).names})


def model_class(name: str) -> Any:
    """The class behind a name; `models.errors.UnknownName` (a ValueError) suggests the nearest names."""
    if name in _REGISTRY:
        module, attribute = _REGISTRY[name].split(":")
        return getattr(import_module(module), attribute)
    for entry in entry_points(group=ENTRY_POINTS, name=name):
        return entry.load()
    from models.errors import UnknownName

    raise UnknownName("model", name, names())


def check_preset(preset: str) -> None:
    """Raise `models.errors.UnknownName` for a preset that no model has."""
    if preset not in PRESETS:
        from models.errors import UnknownName

        raise UnknownName("preset", preset, PRESETS)


def load(
    name: str,
    preset: str = "mini",
    checkpoint: str | Path | None = None,
    device: str = "cpu",
    *,
    precision: Precision = "fp32",
    compiled: bool = False,
    verify: bool = True,
) -> Reenactor:
    """A model ready to be driven.

    `checkpoint` is a file, a folder that `bench train` wrote, or the name of shipped weights; without one the weights
    shipped for `preset` are used. A checkpoint knows its own preset (published files are "paper"), which then counts.
    Published files are taken where their SHA-256 is a known one; `verify=False` takes any.
    `precision` ("fp32", "bf16", "fp16") and `compiled` are explained at `NetworkModel.use`; images stay float32.
    Raises `models.errors.UnknownName`, `baselines.checkpoint.MissingCheckpoint` or `BadCheckpoint`: all ValueErrors.
    """
    check_preset(preset)
    check_device(device)
    if checkpoint is not None and not verify:
        from baselines.checkpoint import Unverified

        checkpoint = Unverified(checkpoint)
    model = model_class(name)(preset=preset, checkpoint=checkpoint, device=device)
    if precision != "fp32" or compiled:
        if not hasattr(model, "use"):
            asked = f"precision {precision}" if precision != "fp32" else "compiled"
            raise ValueError(f"{asked}: {name} has no networks that this could be done to; load it without")
        model.use(precision, compiled)
    loaded: Reenactor = model
    return loaded


def check_device(device: str) -> None:
    """Raise ValueError for a device that torch does not find here."""
    import torch

    usable = ["cpu"]
    if torch.cuda.is_available():
        usable += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if device not in usable:
        raise ValueError(f"device: expected one of {', '.join(usable)}, got {device}")
