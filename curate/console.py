"""What the three commands share: groups that suggest names, errors in one line with their exit code, progress bars."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from curate.errors import UserError
from curate.files import DISK_FULL, NO_ACCESS, printable

if TYPE_CHECKING:
    from rich.progress import Progress


class Commands(click.Group):
    """A click group: `UserError` becomes one line on stderr with its exit code; unknown commands get a suggestion."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the sub-command, or fail with the nearest name that exists (exit code 2)."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], self.list_commands(ctx), n=1, cutoff=0.5) if args else []
            if near:
                raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from error
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command; a `UserError` becomes one line and its exit code, a full disk or a closed folder too."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            click.echo(f"error: {printable(str(error))}", err=True)  # it may name what somebody else has named
            ctx.exit(error.exit_code)
        except OSError as error:
            if error.errno in DISK_FULL:
                click.echo("error: the disk is full; free some space and run the same command again to go on", err=True)
                ctx.exit(3)
            if error.filename is None:  # not about a path that was given: a fault of the program
                raise
            if error.errno in NO_ACCESS:
                mend = "change that or name another folder, then run the same command again"
                click.echo(f"error: {error.filename}: {error.strerror}; {mend}", err=True)
                ctx.exit(3)
            click.echo(f"error: {error.filename}: {error.strerror}", err=True)
            ctx.exit(2)


def say(message: str) -> None:
    """One line of progress or explanation, to stderr."""
    click.echo(message, err=True)


def print_json(value: Any) -> None:
    """A result for machines, to stdout."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """A result for people, to stdout: plain aligned columns, numbers to the right and words to the left."""
    cells = [[str(cell) for cell in row] for row in rows]
    numeric = [all(row[i][:1] in "0123456789+-. " for row in cells) for i in range(len(header))]
    widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(header)]

    def line(row: Sequence[str]) -> str:
        columns = zip(row, widths, numeric, strict=True)
        return "  ".join(cell.rjust(n) if right else cell.ljust(n) for cell, n, right in columns).rstrip()

    if title:
        click.echo(title)
    click.echo(line(header))
    click.echo("  ".join("-" * width for width in widths))
    for row in cells:
        click.echo(line(row))


def print_counts(counts: Sequence[tuple[str, str, str, int]]) -> None:
    """Kind, verdict, reason and number of the ledger's items, as a table."""
    print_table(("what", "count", "verdict", "reason"), [(kind, n, verdict, why) for kind, verdict, why, n in counts])


@contextmanager
def progress() -> Iterator[Progress]:
    """A rich progress display on stderr with count, rate and time left; shows nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        yield bar


def milestone(done: int, total: int) -> bool:
    """Whether to say how far it is: at every tenth of the work, where stderr is no terminal and so shows no bar."""
    return not sys.stderr.isatty() and done * 10 // total > (done - 1) * 10 // total
