"""`bench score`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bench.commands.options import DATASET, DATASET_HELP
from curate.console import print_json, say


@click.command()
@click.option("--predictions", required=True, type=click.Path(path_type=Path), help="Folder of the frames or videos.")
@click.option("--task", required=True, help="What they were made for; `bench list tasks` names them.")
@click.option("--protocol", help="A name of `bench protocols list`, or a TOML file.  [default: the task's own]")
@click.option("--name", required=True, help="What tables call them.")
@click.option("--dataset", default=DATASET, show_default=True, help=DATASET_HELP)
@click.option("--suite", help="Networks that metrics use.  [default: builtin, which ships]")
@click.option("--limit", type=click.IntRange(1), help="Take only the first so many pairs.")
@click.option("--shots", type=click.IntRange(1), help="Source images that were given.  [default: the task's]")
@click.option("--variants", is_flag=True, help="Also score what papers print under the same names.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="For run folders."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the pairs.")
@click.option("--dry-run", is_flag=True, help="Say what matches, what is missing and what is extra; score nothing.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def score(
    context: click.Context, /, predictions: Path, out: Path, dry_run: bool, as_json: bool, **options: Any
) -> None:
    """Measure frames that you made elsewhere.

    PREDICTIONS holds <pair id>/<frame number>.png or <pair id>.mp4; with --dry-run you see which names are expected.
    """
    from bench.predictions import Survey
    from bench.score import ScoreRequest
    from bench.score import score as measured
    from bench.table import board
    from leaderboard.export import nested
    from leaderboard.text import print_board

    def tell(found: Survey) -> None:
        for line in found.lines():
            say(line)

    request = ScoreRequest(str(predictions), out=str(out), **options)
    found, results = measured(request, tell, dry_run=dry_run)
    folders = [result.folder for result in results]
    if as_json:
        of_board = {"runs": [str(folder) for folder in folders], "board": nested(board(folders))} if folders else {}
        print_json({"found": found.facts()} | of_board)
    elif folders:
        print_board(board(folders))
        for folder in folders:
            click.echo(folder)
    failures = {f"{result.folder.name}: {pair}": why for result in results for pair, why in result.failures.items()}
    for pair, why in failures.items():
        say(f"failed: {pair}: {why}")
    context.exit(0 if found.whole and not failures else 1)
