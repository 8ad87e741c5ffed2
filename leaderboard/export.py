"""Boards as data: nested for JSON, flat for CSV and Markdown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from leaderboard.standings import Board, decimals
from leaderboard.text import interval, plain, remark, value

_BOARD_FIELDS = (
    "source",
    "task",
    "protocol",
    "dataset",
    "dataset_fingerprint",
    "suite",
    "split",
    "shots",
    "n_pairs",
    "size",
)
_RUN_FIELDS = ("model", "preset", "kind", "weights_sha256", "run_id")
_SCORE_FIELDS = (
    "mean",
    "ci_low",
    "ci_high",
    "n_attempted",
    "n_ok",
    "n_failed",
    "n_missing",
    "n_persons",
    "reason",
    "best",
)
FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # with which spreadsheets begin them


def nested(board: Board) -> dict[str, Any]:
    """A board as JSON values: its question, its columns, and its rows with `cells` in the order of the columns."""

    def rows() -> list[dict[str, Any]]:
        made = []
        for row in board.rows:
            fields = asdict(row)
            del fields["folder"]  # says something of this machine and nothing of the run
            made.append(fields | {"created": row.created.isoformat() + "Z", "ranked": row in board.ranked})
        return made

    question = {name: getattr(board, name) for name in Board.__dataclass_fields__}
    for name in ("upper", "ranked", "lower"):
        del question[name]
    return question | {"columns": [asdict(column) for column in board.columns], "rows": rows()}


def flat(boards: Sequence[Board]) -> list[dict[str, Any]]:
    """One dict per score, all with the same keys; no dict for a metric that a run does not have."""
    return [
        {name: getattr(board, name) for name in _BOARD_FIELDS}
        | {name: getattr(row, name) for name in _RUN_FIELDS}
        | {"metric": column.metric, "unit": column.unit, "higher_is_better": column.higher_is_better}
        | {name: getattr(cell, name) for name in _SCORE_FIELDS}
        | {"signature": column.signature}
        for board in boards
        for row in board.rows
        for column, cell in zip(board.columns, row.cells, strict=True)
        if cell is not None
    ]


def to_json(boards: Sequence[Board]) -> str:
    """The boards nested."""
    return json.dumps([nested(board) for board in boards], indent=1, ensure_ascii=False) + "\n"


def to_csv(boards: Sequence[Board]) -> str:
    """One line per score; NULL is an empty field, its reason stands in the column `reason`."""
    rows = flat(boards)
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys() if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _inert(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def _inert(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula, with an apostrophe before it; anything else as it is."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def to_markdown(boards: Sequence[Board]) -> str:
    """One table per board, the best in bold, NULL and failures with their reasons below, signatures to cite last."""
    return "\n".join(_markdown(board) for board in boards)


def _markdown(board: Board) -> str:
    lines = [
        f"## {_escape(board.protocol)} on {_escape(board.dataset)} ({board.source}, suite {_escape(board.suite)})",
        "",
    ]
    lines.append("| model | " + " | ".join(f"{_escape(c.label)} {c.arrow}" for c in board.columns) + " |")
    lines.append("|---|" + "---:|" * len(board.columns))
    notes: dict[str, int] = {}
    for row in board.rows:
        cells = []
        for i, cell in enumerate(row.cells):
            places = decimals(board, i)
            text = value(cell, places)
            text = f"**{text}**" if cell and cell.best else text
            note = remark(cell)
            mark = f" ({notes.setdefault(note, len(notes) + 1)})" if note else ""
            cells.append(f"{text} {interval(cell, places)}".rstrip() + mark)
        name = f"{_escape(row.model)} {_escape(row.preset)}" if row.kind == "model" else f"*{_escape(row.model)}*"
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", *(f"({number}) {_escape(note)}  " for note, number in notes.items())]
    lines += [f"- `{plain(column.signature, None).replace('`', '')}`" for column in board.columns]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    """Text that Markdown and the HTML inside it show as it is."""
    text = plain(" ".join(text.split()), None).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{c}" if c in "\\`*_[]|~#!" else c for c in text)


FORMATS: dict[str, Callable[[Sequence[Board]], str]] = {"csv": to_csv, "json": to_json, "markdown": to_markdown}
