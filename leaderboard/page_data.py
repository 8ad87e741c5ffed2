"""What the page loads when it is asked for more: small scripts beside it, because a page opened from disk may load
scripts and no other data.

Each calls `arrive(name, data)`; the data are texts and numbers that the page shows as text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leaderboard.media import Media
from leaderboard.page_breakdown import Breakdown, Group, WorstFrame
from leaderboard.plots import names
from leaderboard.records import RunRecord
from leaderboard.standings import Board, Row, decimals
from leaderboard.text import interval, plain, remark, value


def script(name: str, data: Any) -> str:
    """The file's text."""
    text = json.dumps(visible(data), ensure_ascii=True, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'arrive("{name}",{text});\n'


def visible(tree: Any) -> Any:
    """Every text in nested dicts and lists with control and direction characters as escapes, so that a name cannot
    reorder what stands beside it."""
    if isinstance(tree, dict):
        return {key: visible(item) for key, item in tree.items()}
    if isinstance(tree, list | tuple):
        return [visible(item) for item in tree]
    return plain(tree, None) if isinstance(tree, str) else tree


def board_data(board: Board) -> dict[str, Any]:
    """The cards of a board's values, in the order of its columns and rows."""
    places = [decimals(board, i) for i in range(len(board.columns))]
    return {
        "columns": [
            {"label": c.label, "unit": c.unit, "description": c.description, "signature": c.signature}
            for c in board.columns
        ],
        "rows": [
            {
                "name": name,
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
                        "value": value(cell, places[i]),
                        "interval": interval(cell, places[i]),
                        "ok": cell.n_ok,
                        "persons": cell.n_persons or "",
                        "remark": remark(cell),
                    }
                    for i, cell in enumerate(row.cells)
                ],
            }
            for row, name in zip(board.rows, names(board), strict=True)
        ],
    }


def column_data(
    board: Board, column: int, found: Breakdown, records: Mapping[str, RunRecord], media: Media
) -> dict[str, Any]:
    """Persons, pairs and worst frames of one column; a person or pair has [mean, n, lost] for each row or null."""
    digits = decimals(board, column) + 1
    persons = {group.name: i for i, group in enumerate(found.persons)}
    return {
        "digits": digits - 1,
        "higher": board.columns[column].higher_is_better,
        "persons": [[group.name, _cells(group, digits)] for group in found.persons],
        "pairs": [[group.name, persons.get(group.person, -1), _cells(group, digits)] for group in found.pairs],
        "n_persons": found.n_persons,
        "n_pairs": found.n_pairs,
        "worst": [
            [line, [_worst(board.rows[line], frame, records, media, digits) for frame in frames]]
            for line, frames in sorted(found.worst.items())
        ],
    }


def _cells(group: Group, digits: int) -> list[list[float | int | None] | None]:
    return [cell and [_short(cell[0], digits), cell[1], cell[2]] for cell in group.cells]


def _short(number: float | None, digits: int) -> float | None:
    return None if number is None or not math.isfinite(number) else round(number, digits)


def _worst(row: Row, frame: WorstFrame, records: Mapping[str, RunRecord], media: Media, digits: int) -> dict[str, Any]:
    """One worst frame with the pictures that the run has stored of it."""
    shown: dict[str, str] = {}
    record, folder = records[row.run_id], Path(row.folder)
    still = next((s for s in record.stills if (s.pair_id, s.frame) == (frame.pair_id, frame.frame)), None)
    if still is not None:
        shown = {"source": still.source, "driving": still.driving, "output": still.output, "truth": still.truth}
    else:
        for preview in record.previews:
            if preview.pair_id == frame.pair_id and frame.frame in preview.frames[: len(preview.output)]:
                i = preview.frames.index(frame.frame)
                driving = preview.driving[i] if i < len(preview.driving) else ""
                shown = {"source": preview.source, "driving": driving, "output": preview.output[i]}
    pictures = {side: path for side, name in shown.items() if name and (path := media.add(folder, name))}
    return {"pair": frame.pair_id, "frame": frame.frame, "value": _short(frame.value, digits)} | pictures
