"""Named sizes of an architecture, and single settings in their place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, ClassVar, Protocol, TypeVar

from models.errors import UnknownName


class Dataclass(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


C = TypeVar("C", bound=Dataclass)


def configure(architecture: str, presets: Mapping[str, C], preset: str, switches: Mapping[str, Any]) -> C:
    """The configuration `presets[preset]` with fields replaced by `switches`; `UnknownName` for names it has not."""
    if preset not in presets:
        raise UnknownName(f"{architecture} preset", preset, presets)
    config = presets[preset]
    known = [field.name for field in fields(config)]
    for name in switches:
        if name not in known:
            raise UnknownName(f"{architecture} switch", name, known)
    return replace(config, **switches)
