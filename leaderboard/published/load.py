"""Papers' files into the store: one CSV of numbers and one card each, all made anew when any file has changed."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb

from curate.errors import UserError
from curate.files import sha256_file
from leaderboard.published.cards import Card, read_card
from leaderboard.published.metrics import convert

FOLDER = Path(__file__).parent
VERIFIED = ("transcription", "stored page")  # evidence of numbers that somebody has read in the paper
FIELDS = ("paper", "year", "table", "task", "dataset", "model", "metric", "value", "scale", "evidence", "note")


def fingerprints(folder: Path = FOLDER) -> dict[str, str]:
    """Name -> SHA-256 of all files that decide what is loaded."""
    return {path.name: sha256_file(path) for path in sorted(folder.iterdir()) if path.suffix in (".csv", ".toml")}


def load(connection: duckdb.DuckDBPyConnection, folder: Path = FOLDER) -> None:
    """Replace what the store has of papers by the files of a folder; to be called inside a transaction."""
    connection.execute("DELETE FROM published; DELETE FROM papers; DELETE FROM published_files")
    for path in sorted(folder.glob("*.csv")):
        card = read_card(path.with_suffix(".toml"))
        rows = read_rows(path, card)
        connection.execute(
            "INSERT INTO papers VALUES (?, ?, ?, ?, ?, ?)",
            [card.id, card.title, card.year, card.venue, card.link, json.dumps(asdict(card))],
        )
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(
            f"INSERT INTO published ({', '.join(rows[0])}) VALUES ({marks})",  # noqa: S608  # names of our own
            [list(row.values()) for row in rows],
        )
    connection.executemany("INSERT INTO published_files VALUES (?, ?)", [*map(list, fingerprints(folder).items())])


def read_rows(path: Path, card: Card) -> list[dict[str, Any]]:
    """The numbers of a paper's CSV as rows of the table `published`; each must have its cell in a table of the card."""
    with path.open(newline="", encoding="utf-8") as handle:
        lines = list(csv.DictReader(handle))
    rows = []
    for ordinal, line in enumerate(lines, 1):
        if tuple(line) != FIELDS:
            raise UserError(f"{path}: line {ordinal + 1} has other columns than {', '.join(FIELDS)}")
        layout = card.layout(line["table"])
        for name, known in (("model", layout.models), ("metric", layout.metrics), ("dataset", layout.datasets)):
            if line[name] not in (known or ("",)):
                raise UserError(f"{path}: the card's table {line['table']!r} has no {name} {line[name]!r}")
        value = float(line["value"])
        converted, scale = convert(line["metric"], value, line["scale"])
        rows.append(
            {
                "paper_id": card.id,
                "ordinal": ordinal,
                "paper": line["paper"],
                "year": int(line["year"]),
                "paper_table": line["table"] or None,
                "task": line["task"],
                "dataset": line["dataset"] or None,
                "model": line["model"],
                "metric": line["metric"],
                "value": value,
                "scale": line["scale"] or None,
                "converted": converted,
                "converted_scale": scale,
                "evidence": line["evidence"],
                "verified": line["evidence"] in VERIFIED,
                "note": line["note"] or None,
            }
        )
    if not rows:
        raise UserError(f"{path} has no numbers")
    return rows
