"""`bench weights`."""

from __future__ import annotations

from pathlib import Path

import click

from curate.console import Commands, print_json, print_table, say


@click.group(cls=Commands)
def weights() -> None:
    """Published weights: list, fetch, convert, verify."""


@weights.command("list")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def list_(as_json: bool) -> None:
    """List what is known, with size, licence and whether it is here."""
    from bench.weights import listing

    rows = listing()
    if as_json:
        print_json(rows)
    else:
        print_table(list(rows[0]), [list(row.values()) for row in rows])


@weights.command()
@click.argument("name")
@click.option("--accept-licence", is_flag=True, help="Accept a licence that restricts use.")
@click.option("--unverified", is_flag=True, help="Take a file of no known hash; TorchScript is code, and will run.")
@click.option("--keep", is_flag=True, help="Keep the published file beside the converted one.")
def fetch(name: str, **options: bool) -> None:
    """Download, check and convert; prints the file that --checkpoint NAME then means."""
    from bench.weights import fetch

    click.echo(fetch(name, **options))


@weights.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--as", "name", required=True, help="A name of `bench weights list`, or any with --model.")
@click.option("--model", help="Whose weights a file of another name holds.")
@click.option("--unverified", is_flag=True, help="Take a file whose hash is not known, or another.")
def convert(files: tuple[Path, ...], name: str, model: str | None, unverified: bool) -> None:
    """Turn published files that you have into one that --checkpoint NAME means."""
    from bench.weights import convert

    click.echo(convert(files, name, model=model, unverified=unverified))


@weights.command()
@click.argument("names", nargs=-1)
@click.pass_context
def verify(context: click.Context, names: tuple[str, ...]) -> None:
    """Check that fetched weights are as they were made."""
    from bench.weights import verify

    results = verify(names)
    for name, fault in results.items():
        say(f"failed: {name}: {fault}") if fault else click.echo(f"{name}: as it was made")
    context.exit(1 if any(results.values()) else 0)
