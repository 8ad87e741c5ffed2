"""What is known of published weights: `checkpoints.toml`, read and checked. Loads no torch.

A *layout* says how a file's content becomes networks: which architecture of `models` with which switches, and where in
the file each network is. A *published checkpoint* is a set of files of one layout, with addresses, hashes and licence.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

FILE = Path(__file__).parent / "checkpoints.toml"
Value = bool | int | float | str


class BadTable(ValueError):
    """`checkpoints.toml` is not as it must be: the message names table and field."""


@dataclass(frozen=True)
class Layout:
    """How published files of one kind are read.

    `networks` gives for each network where it is: the top-level key of its state dict, `key:prefix` where several
    networks share one state dict, or nothing where the file is a state dict itself.
    """

    name: str
    model: str  # in `baselines`
    architecture: str  # in `models`
    networks: Mapping[str, str]
    preset: str = "paper"
    switches: Mapping[str, Value] = field(default_factory=dict)
    optional: tuple[str, ...] = ()  # networks that files of this kind may lack
    state_dict: str = ""  # names and shapes are those of this public list, with which tests compare
    notes: tuple[str, ...] = ()  # what a user of the weights must know: preprocessing, conventions

    @property
    def required(self) -> tuple[str, ...]:
        """The networks that every file of this kind holds."""
        return tuple(part for part in self.networks if part not in self.optional)


@dataclass(frozen=True)
class PublishedFile:
    """One file to get. Unknown: sha256 and bytes empty or 0."""

    name: str
    sha256: str = ""
    bytes: int = 0  # exact
    megabytes: float = 0.0  # about, of 1e6 bytes, where the exact size is not known
    urls: tuple[str, ...] = ()  # answer with the file itself
    pages: tuple[str, ...] = ()  # a person has to click there
    network: str = ""  # the file is this network's state dict; empty: it holds all of the layout

    @property
    def size(self) -> str:
        """For people."""
        if not (self.bytes or self.megabytes):
            return "unknown"
        megabytes = self.bytes / 1e6 or self.megabytes
        about = "" if self.bytes else "about "
        return f"{about}{megabytes / 1e3:.1f} GB" if megabytes >= 1e3 else f"{about}{megabytes:.0f} MB"


@dataclass(frozen=True)
class Published:
    """A published checkpoint."""

    name: str
    layout: Layout
    files: tuple[PublishedFile, ...]
    licence: str
    paper: str
    trained_on: str = "unknown"
    restricted: bool = False  # the licence forbids commercial or other use, so it has to be accepted
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tables:
    """All of `checkpoints.toml`, by name."""

    layouts: Mapping[str, Layout]
    published: Mapping[str, Published]

    def of_model(self, model: str) -> list[Layout]:
        """The layouts that files of a model may have."""
        return [layout for layout in self.layouts.values() if layout.model == model]

    def by_sha256(self, sha256: str) -> tuple[Published, PublishedFile] | None:
        """The file with this content, if it is a pinned one."""
        return next(
            ((entry, file) for entry in self.published.values() for file in entry.files if file.sha256 == sha256), None
        )

    def by_file_name(self, name: str) -> tuple[Published, PublishedFile] | None:
        """The pinned file that has this name, if there is one."""
        return next(
            (
                (entry, file)
                for entry in self.published.values()
                for file in entry.files
                if file.name == name and file.sha256
            ),
            None,
        )


@lru_cache(maxsize=1)
def tables() -> Tables:
    """The tables that ship."""
    return parse(FILE.read_text(encoding="utf-8"))


def parse(text: str) -> Tables:
    """Tables from TOML; `BadTable` names what is missing, unknown or of another type."""
    data = tomllib.loads(text)
    _only("file", data, ("layouts", "checkpoints"))
    layouts = {name: _layout(name, table) for name, table in data.get("layouts", {}).items()}
    published = {name: _published(name, table, layouts) for name, table in data.get("checkpoints", {}).items()}
    return Tables(layouts, published)


T = TypeVar("T")
TYPES: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}


def _build(kind: type[T], where: str, table: Mapping[str, Any], **given: Any) -> T:
    """A dataclass from a table: no unknown field, none missing, each of the type that its default or annotation has."""
    known = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]  # T is a dataclass, which mypy has no bound for
    _only(where, table, known.keys() - given.keys())
    values = dict(given)
    for name, entry in known.items():
        if name in given:
            continue
        if name not in table:
            if entry.default is MISSING and entry.default_factory is MISSING:
                raise BadTable(f"checkpoints.toml: {where}: {name} is missing")
            continue
        value = table[name]
        expected = TYPES.get(str(entry.type))
        if str(entry.type).startswith("tuple"):
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise BadTable(f"checkpoints.toml: {where}: {name}: expected a list of strings, got {value!r}")
            value = tuple(value)
        elif expected is None:
            if not isinstance(value, dict):
                raise BadTable(f"checkpoints.toml: {where}: {name}: expected a table, got {value!r}")
        elif not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
            raise BadTable(f"checkpoints.toml: {where}: {name}: expected {entry.type}, got {value!r}")
        values[name] = value
    return kind(**values)


def _only(where: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    if unknown := sorted(set(table) - set(known)):
        raise BadTable(f"checkpoints.toml: {where}: unknown {', '.join(unknown)} (known: {', '.join(sorted(known))})")


def _layout(name: str, table: Mapping[str, Any]) -> Layout:
    where = f"layouts.{name}"
    layout = _build(Layout, where, table, name=name)
    for part, place in layout.networks.items():
        if not isinstance(place, str):
            raise BadTable(f"checkpoints.toml: {where}: networks.{part}: expected a string, got {place!r}")
    if stray := set(layout.optional) - set(layout.networks):
        raise BadTable(f"checkpoints.toml: {where}: optional: no such network: {', '.join(sorted(stray))}")
    return layout


def _published(name: str, table: Mapping[str, Any], layouts: Mapping[str, Layout]) -> Published:
    where = f"checkpoints.{name}"
    table = dict(table)
    layout, given = table.pop("layout", None), table.pop("files", None)
    if layout not in layouts:
        raise BadTable(f"checkpoints.toml: {where}: layout: expected one of {', '.join(layouts)}, got {layout!r}")
    if not isinstance(given, list) or not given:
        raise BadTable(f"checkpoints.toml: {where}: files: expected at least one [[{where}.files]]")
    files = tuple(_build(PublishedFile, f"{where}.files", file) for file in given)
    for file in files:
        if file.sha256 and not re.fullmatch("[0-9a-f]{64}", file.sha256):
            raise BadTable(f"checkpoints.toml: {where}: {file.name}: sha256: expected 64 hex digits")
        if file.network and file.network not in layouts[layout].networks:
            raise BadTable(f"checkpoints.toml: {where}: {file.name}: network: no such network: {file.network}")
        if not file.urls and not file.pages:
            raise BadTable(f"checkpoints.toml: {where}: {file.name}: neither urls nor pages")
    return _build(Published, where, table, name=name, layout=layouts[layout], files=files)
