"""How metrics and tasks are found: one file in their package each, or an entry point of an installed package."""

from __future__ import annotations

import pkgutil
from collections.abc import Container
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Protocol, TypeVar

from curate.errors import UserError, unknown


class Named(Protocol):
    """What can be found by its id."""

    @property
    def id(self) -> str:
        """What commands and records call it."""
        ...


Found = TypeVar("Found", bound=Named)


@cache
def modules(package: str) -> tuple[ModuleType, ...]:
    """The modules of a package, imported, in the order of their names."""
    found = pkgutil.iter_modules(import_module(package).__path__)
    return tuple(import_module(f"{package}.{info.name}") for info in found)


def own(package: str, attribute: str, kind: type[Found]) -> dict[str, Found]:
    """What the modules of `package` define as `attribute`, one or a tuple, by its id; a module without it is a
    helper."""
    values = [getattr(module, attribute, ()) for module in modules(package)]
    every = [one for value in values for one in (value if isinstance(value, tuple) else (value,))]
    return {value.id: value for value in every if isinstance(value, kind)}


def outside(group: str) -> dict[str, EntryPoint]:
    """Entry points of a group by name, not yet imported."""
    return {point.name: point for point in entry_points(group=group)}


def load(package: str, attribute: str, group: str, kind: type[Found]) -> dict[str, Found]:
    """Everything of one kind by id: ours and what installed packages add.

    `UserError` names the entry point that cannot be imported, is no `kind`, or takes an id that exists.
    """
    found = own(package, attribute, kind)
    return found | installed(group, kind, found)


def installed(group: str, kind: type[Found], known: Container[str]) -> dict[str, Found]:
    """What installed packages add, by id; errors as of `load`."""
    found: dict[str, Found] = {}
    for name, point in outside(group).items():
        where = f"entry point {name!r} of {group} ({point.value})"
        try:
            value = point.load()
        except (ImportError, AttributeError) as error:
            raise UserError(f"{where} cannot be loaded: {error}; mend or uninstall its package") from error
        if not isinstance(value, kind):
            raise UserError(f"{where} must be a {kind.__module__}.{kind.__name__}, and is a {type(value).__name__}")
        if value.id in known or value.id in found:
            raise UserError(f"{where} has the id {value.id!r}, which exists already")
        found[value.id] = value
    return found


def pick(kind: str, name: str, found: dict[str, Found]) -> Found:
    """`found[name]`, or an error that suggests the nearest name."""
    if name not in found:
        raise unknown(kind, name, found)
    return found[name]
