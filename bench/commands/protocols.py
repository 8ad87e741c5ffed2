"""`bench protocols`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bench.commands.options import DATASET, DATASET_HELP
from curate.console import Commands, print_json, print_table, say

JSON = click.option("--json", "as_json", is_flag=True, help="For machines.")


@click.group(cls=Commands)
def protocols() -> None:
    """Which frames are compared: protocols with a version, and their lists of pairs."""


@protocols.command("list")
@JSON
def list_(as_json: bool) -> None:
    """List the protocols that ship."""
    from bench.protocols import shipped

    rows = [
        {
            "protocol": one.id,
            "task": one.file.task,
            "pairs": one.file.pairs.file if one.file.pairs else "drawn by the task",
            "gaps": len(one.file.gaps),
            "description": one.file.description,
        }
        for one in shipped().values()
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(list(rows[0]), [list(row.values()) for row in rows])


@protocols.command()
@click.argument("name")
@JSON
def show(name: str, as_json: bool) -> None:
    """Say what a protocol decides and what its paper leaves open."""
    from bench.protocols import facts, get

    found = facts(get(name))
    if as_json:
        print_json(found)
        return
    for key, value in found.items():
        for line in value if isinstance(value, list) else [value]:
            click.echo(f"{key}: {line}")


@protocols.command()
@click.argument("names", nargs=-1)
@click.pass_context
def verify(context: click.Context, names: tuple[str, ...]) -> None:
    """Check that protocols are what was pinned and their lists have the right hashes; all that ship unless named."""
    from bench.protocols import get, shipped
    from bench.protocols import verify as fault

    found = [get(name) for name in names] or list(shipped().values())
    faults = {one.id: why for one in found if (why := fault(one))}
    for one in found:
        click.echo(f"{one.id}: {faults.get(one.id, 'as it should be')}")
    context.exit(1 if faults else 0)


@protocols.command()
@click.option("--name", required=True, help="Of the protocol and its files.")
@click.option("--task", required=True, help="What the pairs are for.")
@click.option("--dataset", default=DATASET, show_default=True, help=DATASET_HELP)
@click.option("--people", type=click.Choice(("same", "other")), required=True, help="One clip, or two persons' clips.")
@click.option("--of", type=click.Choice(("clips", "frames")), default="clips", show_default=True, help="What of them.")
@click.option("--pairs", "n", type=click.IntRange(1), default=100, show_default=True, help="How many.")
@click.option("--shots", type=click.IntRange(1), default=1, show_default=True, help="Source images of each pair.")
@click.option(
    "--failed-frames",
    type=click.Choice(("drop", "penalise")),
    default="penalise",
    show_default=True,
    help="How the ranking takes them.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(), help="Folder for the files.  [default: here]")
def make(name: str, task: str, dataset: str, failed_frames: Any, out: Path, **options: Any) -> None:
    """Draw a new list of pairs and write a protocol for `bench run --protocol`; prints its path."""
    from bench.datasets import open_dataset
    from bench.plan import to_measure_on
    from bench.protocol_maker import Draw
    from bench.protocol_maker import make as made

    opened = open_dataset(dataset)
    clips, _ = to_measure_on(opened)
    path = made(name, task, clips, Draw(**options), out, failed_frames, f"{opened.name}@{opened.fingerprint[:8]}")
    say(f"use it with: bench run --task {task} --protocol {path} --dataset {dataset} --model NAME")
    click.echo(path)
