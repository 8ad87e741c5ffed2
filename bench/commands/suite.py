"""`bench suite`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from curate.console import print_json, print_table, say

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("preset", type=click.Choice(("mini", "paper")))
@click.option("--dataset", default="synthheads", show_default=True, help="A folder that `curate` wrote, or a name.")
@click.option("--model", "models", multiple=True, help="Only this; can be repeated.  [default: all with weights]")
@click.option("--task", "tasks", multiple=True, help="Only this; can be repeated.  [default: all]")
@click.option("--limit", type=click.IntRange(1), help="Take only the first so many pairs of each task.")
@click.option("--out", type=FOLDER, default=Path("suite"), show_default=True, help="Where runs and leaderboard go.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the pairs and of what is random in a model.")
@click.option("--device", default="cpu", show_default=True, help="Where models run: cpu or cuda.")
@click.option("--dry-run", is_flag=True, help="Say who takes part in which task, and measure nothing.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def suite(context: click.Context, /, dry_run: bool, as_json: bool, out: Path, **options: Any) -> None:
    """Measure every model on every task that it can do; each task is one pass for all of them.

    What was measured before is used again, so a suite that was killed goes on.
    """
    from bench.protocols import of_task
    from bench.suite import SuiteRequest, entries, run_suite
    from leaderboard.export import nested
    from leaderboard.text import print_board

    request = SuiteRequest(out=str(out), **options)
    if dry_run:
        told = [
            {"task": of_task(entry.task).id, "models": ", ".join(entry.models), "left out": _reasons(entry.left_out)}
            for entry in entries(request)
        ]
        if as_json:
            print_json(told)
        else:
            print_table(["task", "models", "left out"], [list(row.values()) for row in told])
        return
    result = run_suite(request)
    if as_json:
        runs = [str(folder) for folder in result.folders]
        print_json({"runs": runs, "boards": [nested(board) for board in result.boards]})
    else:
        for board in result.boards:
            print_board(board)
        click.echo(result.leaderboard)
    for pair, why in result.failures.items():
        say(f"failed: {pair}: {why}")
    context.exit(1 if result.failures else 0)


def _reasons(left_out: dict[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in left_out.items())
