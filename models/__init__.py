"""Networks of the benchmarked models, torch only: one architecture, one file, which reads like its paper.

    networks = models.create("fomm", preset="paper")     # {"generator": ..., "kp_detector": ..., "discriminator": ...}

Images are float32 [B, 3, H, W] RGB in [0, 1] at every public boundary.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

_REGISTRY = {
    "bilayer": "models.bilayer:create",
    "fomm": "models.fomm:create",
    "fomm-l": "models.fomm_l:create",
    "fs-vid2vid": "models.fs_vid2vid:create",
    "hopenet": "models.hopenet:create",
    "ir-se50": "models.ir_se:create",
    "landmark-transformer": "models.landmark_transformer:create",
    "marionette": "models.marionette:create",
    "osfv": "models.osfv:create",
    "osfv-community": "models.osfv_community:create",
    "osfv-direct": "models.osfv:create_direct",
    "psp": "models.psp:create",
    "rar": "models.rotate_and_render:create",
    "syncnet": "models.syncnet:create",
}


def names() -> list[str]:
    """Names of all architectures, sorted."""
    return sorted(_REGISTRY)


def create(name: str, preset: str = "paper", **switches: Any) -> dict[str, nn.Module]:
    """Fresh networks of an architecture, keyed as in its published checkpoint.

    `preset` is "paper" (published sizes) or "mini" (trains on a CPU in minutes); `switches` replace single settings,
    e.g. `align_corners=False`. Raises `models.errors.UnknownName` (a ValueError) that names the nearest known name.
    """
    if name not in _REGISTRY:
        from models.errors import UnknownName

        raise UnknownName("architecture", name, _REGISTRY)
    module, function = _REGISTRY[name].split(":")
    networks: dict[str, nn.Module] = getattr(import_module(module), function)(preset, **switches)
    return networks
