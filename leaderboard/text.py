"""Boards as plain text: for a terminal, where names that someone else chose may neither break a line nor steer it."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Sequence
from typing import Any

from curate.console import print_table
from leaderboard.standings import Board, Cell, decimals

WIDEST = 48  # characters of a name in a table
PAGE_WIDTH = 120  # characters of a line where there is no terminal
NARROWEST = 60


def plain(text: object, widest: int | None = WIDEST) -> str:
    """Text on one line: control, format and direction characters as escapes, cut with an ellipsis beyond `widest`.

    >>> plain("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    text = str(text)
    if widest is not None and len(text) > widest:
        text = text[: widest - 1] + "…"
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c
        for c in text
    )


def value(cell: Cell | None, places: int) -> str:
    """0.713, or NULL."""
    return "NULL" if cell is None or cell.mean is None else f"{cell.mean:.{places}f}"


def interval(cell: Cell | None, places: int) -> str:
    """[0.702, 0.724], or nothing."""
    if cell is None or cell.ci_low is None or cell.ci_high is None:
        return ""
    return f"[{cell.ci_low:.{places}f}, {cell.ci_high:.{places}f}]"


def remark(cell: Cell | None) -> str:
    """What a reader must know beside the value: why it or its interval is NULL, what failed; empty if all is well."""
    if cell is None:
        return "not measured in this run"
    lost = [f"{cell.n_failed} failed"] * bool(cell.n_failed) + [f"{cell.n_missing} missing"] * bool(cell.n_missing)
    failures = f"{' and '.join(lost)} of {cell.n_attempted + cell.n_missing} samples: {cell.failures}" if lost else ""
    if cell.n_failed and cell.penalised is not None:
        left_out = "NULL" if cell.dropped is None else f"{cell.dropped:.4g}"
        failures += f"; {left_out} without failed frames, {cell.penalised:.4g} with their penalty"
    if cell.mean is None:
        return f"no value: {failures or cell.reason}"
    return "; ".join(part for part in (cell.reason, failures) if part)


def print_board(board: Board) -> None:
    """One board to stdout: the columns that have values, in as many tables as the width asks for, why the others have
    none, what to cite."""
    notes: dict[str, int] = {}
    names = [plain(f"{row.model} {row.preset}" if row.kind == "model" else f"({row.model})") for row in board.rows]
    filled = board.filled
    if filled:
        headings = [_heading(board, i) for i in filled]
        columns = [_column(board, i, notes) for i in filled]
        print(title(board))
        for start, end in _side_by_side(names, headings, columns):
            rows = _apart(board, list(zip(names, *columns[start:end], strict=True)))
            print_table(["model", *headings[start:end]], rows)
            print()
        print("rows in parentheses are calibration, not ranked", end="")
        best = any(cell and cell.best for row in board.ranked for cell in row.cells)
        print("; * best of the ranked rows" if best else "")
    else:
        print(f"{title(board)}\n{', '.join(names)}: no metric has a value")
    for note, number in notes.items():
        print(f"({number}) {plain(note, 400)}")
    for reason, labels in _empty(board, filled).items():
        print(f"NULL: {', '.join(labels)}: {plain(reason, 400)}")
    if filled:
        print("cite:")
    for i in filled:
        print(f"  {plain(board.columns[i].signature, 400)}")
    print()


def _side_by_side(
    names: Sequence[str], headings: Sequence[str], columns: Sequence[Sequence[str]]
) -> list[tuple[int, int]]:
    """Which columns fit beside the names, table by table, on a terminal of this width or on a page."""
    room = max(NARROWEST, shutil.get_terminal_size((PAGE_WIDTH, 24)).columns)
    least = max(map(len, ["model", *names]))
    tables: list[tuple[int, int]] = []
    start, used = 0, least
    for i, (heading, cells) in enumerate(zip(headings, columns, strict=True)):
        width = max(map(len, [heading, *cells])) + 2
        if i > start and used + width > room:
            tables.append((start, i))
            start, used = i, least
        used += width
    return [*tables, (start, len(headings))]


def _apart(board: Board, lines: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The board's lines with an empty one between ranked rows and calibration."""
    blank = ("",) * len(lines[0])
    rows: list[tuple[str, ...]] = []
    for group in (board.upper, board.ranked, board.lower):
        rows += [blank] * bool(rows and group) + lines[: len(group)]
        del lines[: len(group)]
    return rows


def _heading(board: Board, i: int) -> str:
    column = board.columns[i]
    unit = f" {plain(column.unit)}" if column.unit else ""
    return f"{plain(column.label)} {column.arrow}{unit}"


def _empty(board: Board, filled: Sequence[int]) -> dict[str, list[str]]:
    """The columns without any value, by the reason."""
    found: dict[str, list[str]] = {}
    for i in sorted(set(range(len(board.columns))) - set(filled)):
        reasons = dict.fromkeys(cell.failures or cell.reason or "" for row in board.rows if (cell := row.cells[i]))
        found.setdefault("; ".join(reasons), []).append(plain(board.columns[i].label))
    return found


def _column(board: Board, i: int, notes: dict[str, int]) -> list[str]:
    """The cells of column `i`, their values, intervals and note numbers aligned; adds to `notes`: text -> number."""
    places = decimals(board, i)
    parts = []
    for row in board.rows:
        cell = row.cells[i]
        mark = "*" if cell and cell.best else " "
        note = remark(cell)
        number = f"({notes.setdefault(note, len(notes) + 1)})" if note else ""
        parts.append((value(cell, places) + mark, interval(cell, places), number))
    first, second, third = (max(len(part[k]) for part in parts) for k in range(3))
    return [f"{a:>{first}} {b:>{second}} {c:<{third}}" for a, b, c in parts]


def title(board: Board) -> str:
    """What a board compares, in one line."""
    parts = [
        f"{plain(board.protocol)} on {plain(board.dataset)}@{plain(board.dataset_fingerprint[:8])}",
        f"{board.n_pairs} pairs" + f" of the {plain(board.split)} split" * bool(board.split),
        *([f"{board.shots} shots"] * (board.shots != 1)),
        *(["failed frames penalised"] * (board.failed_frames == "penalise")),
        f"{board.frames_per_clip} frames each",
        f"{board.size} px",
        f"suite {plain(board.suite)}",
    ]
    return " · ".join(parts + [board.source] * (board.source != "measured"))


def print_published(rows: Sequence[dict[str, Any]]) -> None:
    """Reported numbers to stdout, one line each."""
    header = ["paper", "table", "task", "dataset", "model", "metric", "value", "scale", "note"]
    lines = []
    for row in rows:
        note = "; ".join(part for part in (row["note"], "UNVERIFIED" if row["unverified"] else "") if part)
        fields = [row["paper"], row["paper_table"], row["task"], row["dataset"], row["model"], row["metric"]]
        scale = plain(row["scale"] or "-")
        lines.append([*("-" if f is None else plain(f) for f in fields), f"{row['value']:g}", scale, plain(note, None)])
    print_table(header, lines, title="reported by papers: protocols differ, no ranking")
