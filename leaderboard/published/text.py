"""Papers' tables, numbers side by side and cards as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import click

from curate.console import print_table
from leaderboard.published.cards import Card
from leaderboard.published.query import SideBySide
from leaderboard.published.tables import Table
from leaderboard.text import plain

UNVERIFIED = "UNVERIFIED"


def print_tables(tables: Sequence[Table]) -> None:
    """Tables with two lines of headings, datasets above metrics, and what is known of their protocol below."""
    for table in tables:
        click.echo(_line(table.title))
        lines = [tuple(map(_line, (*row, *cells))) for row, cells in zip(table.names, table.cells, strict=True)]
        headings = (*table.labels, *(_line(metric) for _, metric in table.columns))
        widths = [max(len(line[i]) for line in (headings, *lines)) for i in range(len(headings))]
        _widen(widths, table)
        _datasets(widths, table)
        first = len(table.labels)
        for line in (headings, tuple("-" * width for width in widths), *lines):
            left = [cell.ljust(width) for cell, width in zip(line[:first], widths, strict=False)]
            right = [cell.rjust(width) for cell, width in zip(line[first:], widths[first:], strict=True)]
            click.echo("  ".join(left + right).rstrip())
        card = table.card
        click.echo(_line(f"{card.title}, {card.venue}, {card.link}"))
        click.echo("evidence: " + ("" if table.verified else f"{UNVERIFIED}, never ranked: ") + _line(card.evidence))
        if table.layout.note:
            click.echo(_line(table.layout.note))
        click.echo()


def _line(text: str) -> str:
    """Text that may be long, and breaks no line and steers no terminal."""
    return plain(text, None)


def _spans(table: Table) -> list[tuple[str, list[int]]]:
    """Dataset -> indices of its columns, those that name a row counted."""
    first = len(table.labels)
    numbered = [(_line(dataset), first + i) for i, (dataset, _) in enumerate(table.columns)]
    return [(dataset, [i for _, i in group]) for dataset, group in groupby(numbered, key=lambda column: column[0])]


def _width(widths: Sequence[int], columns: Sequence[int]) -> int:
    return sum(widths[i] for i in columns) + 2 * (len(columns) - 1)


def _widen(widths: list[int], table: Table) -> None:
    """Make the columns of each dataset wide enough for its name."""
    for dataset, columns in _spans(table):
        widths[columns[0]] += max(0, len(dataset) - _width(widths, columns))


def _datasets(widths: Sequence[int], table: Table) -> None:
    if table.layout.datasets:
        names = [" " * width for width in widths[: len(table.labels)]]
        over = [dataset.ljust(_width(widths, columns)) for dataset, columns in _spans(table)]
        click.echo("  ".join(names + over).rstrip())


def print_side_by_side(found: SideBySide) -> None:
    """Papers' numbers of one model in one metric, and why they cannot be ranked."""
    lines = []
    for row in found.rows:
        usual = f"{row['converted']:.4g} ({row['converted_scale']}, converted)" if row["converted"] is not None else ""
        names = [row["paper_id"], row["paper_table"], row["task"], row["dataset"], row["model"], row["metric"]]
        mark = "" if row["verified"] else UNVERIFIED
        scale = plain(row["scale"] or "-")
        lines.append([*(plain(n or "-") for n in names), f"{row['value']:g}", scale, _line(usual), mark])
    header = ["paper", "table", "task", "dataset", "model", "metric", "value", "scale", "usual scale", ""]
    print_table(header, lines, title="reported by papers, side by side: not ranked")
    for reason in found.reasons:
        click.echo(f"- {_line(reason)}")


def print_cards(cards: Sequence[Card]) -> None:
    """What is known of each paper and its protocol."""
    for card in cards:
        click.echo(_line(f"{card.id}: {card.title}, {card.venue}, {card.link}"))
        tables = ", ".join(table.number or "without number" for table in card.tables)
        for words, known in {"tables": tables, "evidence": card.evidence, **card.known}.items():
            click.echo(_line(f"  {words}: {known}"))
        click.echo()
