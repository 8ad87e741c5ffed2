"""The page that people send each other: a folder with index.html, the frames it shows, and its numbers as files.

It opens from disk with no network. Everything a run record says is untrusted: templates escape it, a content
security policy allows the page's own script alone, and frames are copied under names of our own.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from curate.files import atomic
from leaderboard import export
from leaderboard.media import Media, Strip, strips
from leaderboard.plots import Plot, plots
from leaderboard.standings import Board, Cell, boards, decimals
from leaderboard.store import Store
from leaderboard.text import interval, plain, remark, value

SOURCES = ("measured", "predictions")


@dataclass(frozen=True)
class Page:
    """What was written, and what had to be left out."""

    path: Path
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A board as the page shows it."""

    index: int
    board: Board
    places: tuple[int, ...]
    notes: tuple[str, ...]  # footnotes: why values are NULL, what failed
    plots: tuple[Plot, ...]
    strips: tuple[Strip, ...]

    @property
    def id(self) -> str:
        """Its anchor in the page."""
        return f"board-{self.index + 1}"

    def note(self, cell: Cell | None) -> int | None:
        """Number of the cell's footnote."""
        text = remark(cell)
        return self.notes.index(text) + 1 if text else None


def write_page(store: Store, out: Path) -> Page:
    """Write the page of all boards into folder `out` (made when absent); what it shows comes from the store alone."""
    media = Media(out / "media")
    found = [board for source in SOURCES for board in boards(store, source)]
    sections = [_section(store, i, board, media) for i, board in enumerate(found)]
    files = {
        "standings.json": export.to_json(found),
        "standings.csv": export.to_csv(found),
        "index.html": _render(sections),
    }
    for name, text in files.items():
        with atomic(out / name) as partial:
            partial.write_text(text, encoding="utf-8")
    return Page(out / "index.html", tuple(media.warnings))


def _section(store: Store, index: int, board: Board, media: Media) -> Section:
    cells = [cell for row in board.rows for cell in row.cells]
    return Section(
        index=index,
        board=board,
        places=tuple(decimals(board, i) for i in range(len(board.columns))),
        notes=tuple(dict.fromkeys(text for cell in cells if (text := remark(cell)))),
        plots=tuple(plots(board)),
        strips=tuple(strips(store, board, media)),
    )


def _render(sections: list[Section]) -> str:
    environment = Environment(
        loader=PackageLoader("leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.globals.update(value=value, interval=interval)
    script = environment.get_template("page.js").render()
    rows = [row for section in sections for row in section.board.rows]
    return environment.get_template("index.html.j2").render(
        sections=sections,
        models=len({row.model for row in rows if row.kind == "model"}),
        newest=max((row.created for row in rows), default=None),
        cards=[_escaped(_cards(section)) for section in sections],
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _visible(value: object) -> object:
    """Texts with control and direction characters as escapes, so that a name cannot reorder what stands beside it."""
    return plain(value, None) if isinstance(value, str) and not isinstance(value, Markup) else value


def _escaped(tree: Any) -> Any:
    """`_visible` for every text in nested dicts and lists."""
    if isinstance(tree, dict):
        return {key: _escaped(item) for key, item in tree.items()}
    return [_escaped(item) for item in tree] if isinstance(tree, list) else _visible(tree)


def _cards(section: Section) -> dict[str, Any]:
    """What the page's script needs to show the card of a value: texts only, in the order of rows and columns."""
    board = section.board
    return {
        "columns": [
            {"label": c.label, "unit": c.unit, "description": c.description, "signature": c.signature}
            for c in board.columns
        ],
        "rows": [
            {
                "model": row.model,
                "preset": row.preset,
                "kind": row.kind,
                "run": row.run_id,
                "created": row.created.isoformat(sep=" ", timespec="minutes") + " UTC",
                "weights": row.weights_sha256,
                "licence": row.licence,
                "paper": row.paper,
                "cells": [
                    cell
                    and {
                        "value": value(cell, places),
                        "interval": interval(cell, places),
                        "ok": cell.n_ok,
                        "persons": cell.n_persons or "",
                        "remark": remark(cell),
                    }
                    for cell, places in zip(row.cells, section.places, strict=True)
                ],
            }
            for row in board.rows
        ],
    }
