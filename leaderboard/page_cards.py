"""Cards of models and data: what each is, where its weights and numbers come from, and on which boards it stands."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.errors import UserError
from leaderboard.plots import name_of
from leaderboard.records import RunRecord
from leaderboard.standings import Board, Row

REPORT = ("index.html", "report.json")  # what makes a folder a page of `curate report`
PICTURES = "pictures"


@dataclass(frozen=True)
class Standing:
    """A row of a board that a card leads to."""

    board: int
    row: Row


@dataclass(frozen=True)
class ModelCard:
    """One set of weights. `commands` are how its runs were made, the newest first."""

    name: str
    row: Row
    standings: tuple[Standing, ...]
    made: tuple[tuple[str, str], ...]  # (command, code version and machine) of each run, without repetition

    @property
    def known(self) -> dict[str, str]:
        """What is known of it, as texts."""
        row = self.row
        facts = {
            "paper": row.paper,
            "licence": row.licence,
            "resolution": f"{row.resolution} px" if row.resolution else "",
            "parameters": f"{row.parameters / 1e6:.1f} million" if row.parameters else "",
            "checkpoint": row.checkpoint,
            "weights": f"sha256 {row.weights_sha256}" if row.weights_sha256 else "",
        }
        return {key: text for key, text in facts.items() if text}


@dataclass(frozen=True)
class DataCard:
    """One dataset in one state."""

    name: str
    fingerprint: str
    n_clips: int
    splits: tuple[str, ...]
    persons: int  # the most that any metric speaks of
    boards: tuple[int, ...]


def model_cards(boards: Sequence[Board], records: Mapping[str, RunRecord]) -> list[ModelCard]:
    """One card for each set of weights, by name."""
    found: dict[tuple[str, str, str], list[Standing]] = {}
    for i, board in enumerate(boards):
        for row in board.ranked:
            found.setdefault((row.model, row.preset, row.weights_sha256), []).append(Standing(i, row))
    cards = []
    for _, standings in sorted(found.items()):
        newest = max((standing.row for standing in standings), key=lambda row: (row.created, row.run_id))
        runs = sorted((records[s.row.run_id] for s in standings), key=lambda r: (r.created, r.run_id), reverse=True)
        made = dict.fromkeys((" ".join(run.command), _circumstances(run)) for run in runs)
        cards.append(ModelCard(name_of(newest), newest, tuple(standings), tuple(made)[:12]))
    return cards


def _circumstances(record: RunRecord) -> str:
    """Code version and machine of a run in one line."""
    code = f"code {record.git_sha[:10]}{' with changes' if record.git_dirty else ''}" if record.git_sha else ""
    machine = ", ".join(f"{key} {text}" for key, text in record.machine.items() if isinstance(text, str | int))
    return "; ".join(part for part in (code, machine) if part)


def data_cards(boards: Sequence[Board]) -> list[DataCard]:
    """One card for each state of each dataset, by name."""
    found: dict[tuple[str, str], list[int]] = {}
    for i, board in enumerate(boards):
        found.setdefault((board.dataset, board.dataset_fingerprint), []).append(i)
    cards = []
    for (name, fingerprint), places in sorted(found.items()):
        of = [boards[i] for i in places]
        persons = [cell.n_persons for board in of for row in board.rows for cell in row.cells if cell]
        splits = tuple(dict.fromkeys(board.split for board in of if board.split))
        cards.append(
            DataCard(name, fingerprint, max(b.n_clips for b in of), splits, max(persons, default=0), tuple(places))
        )
    return cards


def copy_curation(reports: Sequence[Path], out: Path) -> dict[str, str]:
    """Copy pages that `curate report` wrote below `out`; gives name -> path relative to it.

    `UserError` for a folder that is no such page.
    """
    links: dict[str, str] = {}
    for number, report in enumerate(reports, start=1):
        if not all((report / name).is_file() for name in REPORT):
            raise UserError(f"{report} is no page about a dataset: make one with `curate report`")
        to = out / f"curation-{number}"
        to.mkdir(parents=True, exist_ok=True)
        for name in REPORT:
            shutil.copyfile(report / name, to / name)
        if (report / PICTURES).is_dir():
            shutil.copytree(report / PICTURES, to / PICTURES, dirs_exist_ok=True)
        name = report.resolve().parent.name if report.name == "report" else report.resolve().name
        links[name if name not in links else f"{name} ({number})"] = f"{to.name}/{REPORT[0]}"
    return links
