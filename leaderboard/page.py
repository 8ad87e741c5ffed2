"""The page that people send each other: a folder with index.html, what it shows, and its numbers as files.

It opens from disk with no network. Everything a run record says is untrusted: templates escape it, a content
security policy allows scripts of the page's folder alone, and pictures are copied under names of our own.

index.html stays below `BUDGET`: boards that do not fit have a file of their own, and what is behind a value is loaded
when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from curate.files import atomic
from leaderboard import export
from leaderboard.media import Media
from leaderboard.page_breakdown import breakdowns
from leaderboard.page_cards import copy_curation, data_cards, model_cards
from leaderboard.page_charts import Chart, angle_charts, rate_charts, speed_charts
from leaderboard.page_data import board_data, column_data, script
from leaderboard.page_players import Player, players, read_records
from leaderboard.page_reported import Group, Reproduced, reported, reported_csv, reproduced
from leaderboard.plots import Plot, names, plots
from leaderboard.records import RunRecord
from leaderboard.standings import Board, Cell, boards, decimals
from leaderboard.store import Store
from leaderboard.text import interval, plain, remark, value

SOURCES = ("measured", "predictions")
BUDGET = 1_300_000  # bytes of index.html
RANKED = 150  # rows of a board on the page, the best first; files hold all
PLOTTED = 40  # of them in plots
CARDS = 150  # of models


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
    left_out: int  # ranked rows that only the files have
    names: tuple[str, ...]  # of the rows, told apart by weights where need be
    places: tuple[int, ...]
    notes: tuple[str, ...]  # footnotes: why values are NULL, what failed
    plots: tuple[Plot, ...]
    speed: tuple[Chart, ...]
    angles: tuple[Chart, ...]
    rates: tuple[Chart, ...]
    players: tuple[Player, ...]
    broken_down: tuple[int, ...]  # columns of which persons, pairs and worst frames can be shown
    papers: tuple[Group, ...]  # what papers report of this task, the same dataset first

    @property
    def id(self) -> str:
        """Its anchor in the page."""
        return f"board-{self.index + 1}"

    def note(self, cell: Cell | None) -> int | None:
        """Number of the cell's footnote."""
        text = remark(cell)
        return self.notes.index(text) + 1 if text else None


def write_page(store: Store, out: Path, curation: Sequence[Path] = ()) -> Page:
    """Write the page of all boards into folder `out` (made when absent); what it shows comes from the store alone.

    `curation`: pages that `curate report` wrote, which are copied beside it and linked.
    """
    media = Media(out / "media")
    whole = [board for source in SOURCES for board in boards(store, source)]
    links = copy_curation(curation, out)
    shown = [_shortened(board) for board in whole]
    records = read_records(store, shown)
    papers = reported(store)
    files: dict[str, str] = {
        "standings.json": export.to_json(whole),
        "standings.csv": export.to_csv(whole),
        "reported.csv": reported_csv(store),
    }
    behind = breakdowns(store, shown)
    sections = []
    for i, board in enumerate(shown):
        columns = tuple(sorted(c for b, c in behind if b == i))
        files[f"data/b{i}.js"] = script(f"b{i}", board_data(board))
        files[f"data/board-{i + 1}.csv"] = export.to_csv([whole[i]])
        for c in columns:
            data = column_data(board, c, behind[i, c], records, media)
            files[f"data/b{i}c{c}.js"] = script(f"b{i}c{c}", data)
        left_out = len(whole[i].ranked) - len(board.ranked)
        sections.append(_section(store, i, board, left_out, columns, records, media, papers))
    files |= _pages(sections, records, links, papers, reproduced(store))
    for name, text in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        with atomic(out / name) as partial:
            partial.write_text(text, encoding="utf-8")
    return Page(out / "index.html", tuple(media.warnings))


def _shortened(board: Board) -> Board:
    """The board with as many ranked rows as the page shows."""
    return replace(board, ranked=board.ranked[:RANKED])


def _section(
    store: Store,
    index: int,
    board: Board,
    left_out: int,
    columns: tuple[int, ...],
    records: Mapping[str, RunRecord],
    media: Media,
    papers: Sequence[Group],
) -> Section:
    of_task = [group for group in papers if group.task.casefold() == board.task.casefold()]
    cells = [cell for row in board.rows for cell in row.cells]
    return Section(
        index=index,
        board=board,
        left_out=left_out,
        names=tuple(names(board)),
        places=tuple(decimals(board, i) for i in range(len(board.columns))),
        notes=tuple(dict.fromkeys(text for cell in cells if (text := remark(cell)))),
        plots=tuple(plots(board, PLOTTED)),
        speed=tuple(speed_charts(board)),
        angles=tuple(angle_charts(store, board, records)),
        rates=tuple(rate_charts(board, records)),
        players=tuple(players(board, records, media)),
        broken_down=columns,
        papers=tuple(sorted(of_task, key=lambda group: group.dataset.casefold() != board.dataset.casefold())),
    )


def _pages(
    sections: Sequence[Section],
    records: Mapping[str, RunRecord],
    curation: Mapping[str, str],
    papers: Sequence[Group],
    again: Reproduced,
) -> dict[str, str]:
    """index.html, files of the boards that do not fit in it, and what both load."""
    environment = Environment(
        loader=PackageLoader("leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.globals.update(value=value, interval=interval)
    whole = [section.board for section in sections]
    models = model_cards(whole, records)
    board_page = environment.get_template("board.html.j2")

    def body(section: Section, home: str) -> Markup:
        return Markup(board_page.render(section=section, home=home))  # noqa: S704 (our own template's, escaped there)

    bodies = [body(section, "") for section in sections]
    facts = {
        "sections": sections,
        "models": models[:CARDS],
        "more_models": len(models[CARDS:]),
        "data": data_cards(whole),
        "curation": curation,
        "reported": papers,
        "reproduced": again,
        "newest": max((row.created for board in whole for row in board.rows), default=None),
    }
    page = environment.get_template("index.html.j2")
    left = BUDGET - len(page.render(**facts, bodies=[None] * len(bodies), only=None).encode())
    inside: list[Markup | None] = []
    files: dict[str, str] = {}
    for section, rendered in zip(sections, bodies, strict=True):
        fits = len(rendered.encode()) <= left
        inside.append(rendered if fits else None)
        if fits:
            left -= len(rendered.encode())
        else:
            files[f"{section.id}.html"] = page.render(**facts, bodies=[body(section, "index.html")], only=section)
    return files | {
        "index.html": page.render(**facts, bodies=inside, only=None),
        "page.css": environment.get_template("page.css").render(),
        "page.js": environment.get_template("page.js").render(),
    }


def _visible(value: object) -> object:
    """Texts with control and direction characters as escapes, so that a name cannot reorder what stands beside it."""
    return plain(value, None) if isinstance(value, str) and not isinstance(value, Markup) else value
