"""Cards of papers: a TOML file beside a paper's numbers says what it is, what is known of its protocol, what is not
stated, what nobody has looked up, and how its tables are laid out.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from curate.errors import UserError

ASPECTS = {  # what a protocol says, in the words that a comparison uses
    "crop": "crop",
    "resolution": "size",
    "pairs": "pairs",
    "frames": "frames",
    "shots": "source images",
    "l1": "scale of L1",
    "psnr": "how PSNR is averaged and of which range",
    "ssim": "which SSIM",
    "networks": "networks behind the metrics",
    "score": "how a score is made",
    "dataset": "dataset",
}
NOT_STATED = "not stated in the paper"
UNREAD = "not looked up in the paper"


@dataclass(frozen=True)
class Layout:
    """How a table stands in its paper. `rows`: what names a row, such as model, or note and model."""

    number: str  # "": not known
    caption: str
    rows: tuple[str, ...]
    models: tuple[str, ...]
    datasets: tuple[str, ...]  # (): the paper names none
    metrics: tuple[str, ...]
    as_written: tuple[str, ...] = ()  # metrics whose numbers have no common number of decimals
    note: str = ""
    protocol: dict[str, str] = field(default_factory=dict)  # what differs from the card's
    not_stated: tuple[str, ...] = ()


@dataclass(frozen=True)
class Card:
    """A paper, as far as it is known here."""

    id: str  # name of its files: osfv-2021
    title: str
    year: int
    venue: str
    link: str
    model: str  # the model that it introduces, "": none
    evidence: str  # how its numbers came here
    protocol: dict[str, str]  # aspect -> what is known of it
    not_stated: tuple[str, ...]  # aspects that the paper is silent about
    unread: tuple[str, ...]  # aspects that nobody has looked up in the paper
    tables: tuple[Layout, ...]

    def layout(self, number: str | None) -> Layout:
        """The layout of a table by its number; None or "": of the one whose number is not known."""
        for table in self.tables:
            if table.number == (number or ""):
                return table
        raise UserError(f"{self.id} has no table {number!r}: it has {', '.join(t.number or '-' for t in self.tables)}")

    def says(self, aspect: str, number: str | None = None) -> str:
        """What the paper says of an aspect of the protocol of its table, or that it does not, or that nobody knows."""
        layout = self.layout(number)
        if aspect in layout.protocol or aspect in self.protocol:
            return layout.protocol.get(aspect) or self.protocol[aspect]
        return NOT_STATED if aspect in self.not_stated + layout.not_stated else UNREAD

    @property
    def known(self) -> dict[str, str]:
        """Aspect in words -> what is known of it, silence and gaps included, for a reader of the card."""
        silent = dict.fromkeys(self.not_stated, NOT_STATED) | dict.fromkeys(self.unread, UNREAD)
        return {words: (self.protocol | silent)[key] for key, words in ASPECTS.items() if key in self.protocol | silent}


def read_card(path: Path) -> Card:
    """The card in a TOML file; `UserError` names what is missing or not known."""
    return parse(path.stem, tomllib.loads(path.read_text(encoding="utf-8")), str(path))


def parse(paper_id: str, card: dict[str, Any], where: str) -> Card:
    """A card from its parsed TOML or JSON."""
    card = {"id": paper_id} | card
    _check(where, Card, card)
    for table in card["tables"]:
        _check(where, Layout, table)
    said = [*card["protocol"], *card["not_stated"], *card["unread"]]
    of_tables = [key for table in card["tables"] for key in (*table.get("protocol", {}), *table.get("not_stated", ()))]
    if strange := sorted({*said, *of_tables} - set(ASPECTS)):
        raise UserError(f"{where}: {strange[0]!r} is no aspect of a protocol: {', '.join(ASPECTS)}")
    if twice := sorted(key for key in said if said.count(key) > 1):
        raise UserError(f"{where}: {twice[0]!r} is said to be both known and not")
    tables = tuple(Layout(**_tuples(table)) for table in card["tables"])
    return Card(**_tuples(card) | {"tables": tables})


def _check(where: str, kind: type[Card] | type[Layout], given: dict[str, Any]) -> None:
    """Raise UserError for a field that is missing or that no card has."""
    known = {f.name for f in fields(kind)}
    needed = known - {"as_written", "note"} - ({"protocol", "not_stated"} if kind is Layout else set())
    if lacking := sorted(needed - set(given)):
        raise UserError(f"{where} does not say {lacking[0]!r}")
    if strange := sorted(set(given) - known):
        raise UserError(f"{where} says {strange[0]!r}, which no card has")


def _tuples(given: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
