"""The command `bench`: each sub-command is a thin wrapper over one function of this package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from bench.commands.animate import animate
from bench.commands.landmarks import train_landmark_transformer
from bench.commands.mock import mock
from bench.commands.options import DATASET, DATASET_HELP
from bench.commands.protocols import protocols
from bench.commands.psp_directions import psp_directions
from bench.commands.score import score
from bench.commands.speed import speed
from bench.commands.suite import suite
from bench.commands.weights import weights
from curate.console import Commands, print_json, print_table, say

FOLDER = click.Path(path_type=Path, file_okay=False)
KINDS = ("models", "tasks", "metrics", "evaluators", "datasets")
JSON = click.option("--json", "as_json", is_flag=True, help="For machines.")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="talkinghead-bench", prog_name="bench")
def main() -> None:
    """Measure talking-head models: tasks x metrics on curated clips, each run a record."""
    # torch's threads spin while they wait; on a machine that others use too, spinning for less time is two to
    # three times as fast, and alone it costs nothing (docs/performance.md). Read when torch is loaded, which is later.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")


@main.command()
@click.option("--task", required=True, help="What to measure; `bench list tasks` names them.")
@click.option("--model", required=True, help="What to measure it of; `bench list models` names them.")
@click.option("--protocol", help="A name of `bench protocols list`, or a TOML file.  [default: the task's own]")
@click.option("--dataset", default=DATASET, show_default=True, help=DATASET_HELP)
@click.option("--checkpoint", help="Weights: a file, a folder of `bench train`, a shipped or fetched name.")
@click.option("--unverified", is_flag=True, help="Take a published file whose hash is not known.")
@click.option("--preset", default="mini", show_default=True, help="Size of the model: mini or paper.")
@click.option(
    "--suite", help="Networks that metrics use; see `bench list evaluators`.  [default: builtin, which ships]"
)
@click.option("--limit", type=click.IntRange(1), help="Take only the first so many pairs.")
@click.option("--shots", type=click.IntRange(1), help="Source images that models are given.  [default: the task's]")
@click.option("--variants", is_flag=True, help="Also score what papers print under the same names.")
@click.option("--out", type=FOLDER, default=Path("runs"), show_default=True, help="Where run folders go.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the pairs and of what is random in a model.")
@click.option("--device", default="cpu", show_default=True, help="Where the model runs: cpu or cuda.")
@JSON
@click.pass_context
def run(context: click.Context, /, as_json: bool, out: Path, **options: Any) -> None:
    """Measure a model, and the calibration rows beside it."""
    from bench.runner import Request, measure
    from bench.table import board
    from leaderboard.export import nested
    from leaderboard.text import print_board

    results = measure(Request(out=str(out), **options))
    folders = [result.folder for result in results]
    table = board(folders)
    if as_json:
        print_json({"runs": [str(folder) for folder in folders], "board": nested(table)})
    else:
        print_board(table)
        for folder in folders:
            click.echo(folder)
    failures = {f"{result.folder.name}: {pair}": why for result in results for pair, why in result.failures.items()}
    for pair, why in failures.items():
        say(f"failed: {pair}: {why}")
    context.exit(1 if failures else 0)


@main.command()
@click.option("--model", required=True, help="What to train.")
@click.option("--preset", default="mini", show_default=True, help="Size of the model: mini or paper.")
@click.option("--dataset", default=DATASET, show_default=True, help=DATASET_HELP)
@click.option("--out", type=FOLDER, required=True, help="Where the checkpoint, the log and the state go.")
@click.option("--recipe", help="A recipe's name or TOML file.  [default: that of model and preset]")
@click.option("--steps", type=click.IntRange(1), help="How long.  [default: the recipe's]")
@click.option("--batch", type=click.IntRange(1), help="Rows of a step, in each process.  [default: the recipe's]")
@click.option("--accumulate", type=click.IntRange(1), default=1, show_default=True, help="Compute a batch in N parts.")
@click.option("--start", help="Weights that training starts from: a file, a folder of `bench train`, a name.")
@click.option("--resume", is_flag=True, help="Go on with the run in OUT.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the first weights and the order of frames.")
@click.option("--device", default="cpu", show_default=True, help="Where to train: cpu or cuda.")
@click.option("--precision", type=click.Choice(("fp32", "bf16", "fp16")), help="[default: the recipe's]")
@click.option("--compile", "compiled", is_flag=True, help="Compile the networks first; pays off in long runs.")
@click.option("--workers", type=click.IntRange(0), help="Processes that read frames.  [default: as many as needed]")
@click.option("--wandb", is_flag=True, help="Log to wandb too; it must be installed.")
@click.option("--dry-run", is_flag=True, help="Say what would be done and how long a step takes.")
def train(model: str, dataset: str, out: Path, dry_run: bool, **options: Any) -> None:
    """Train a model on all but the test split; prints the path for --checkpoint.

    In several processes: torchrun --nproc-per-node N --no-python bench train ...
    """
    from baselines.training import Options
    from bench.training import describe, train_with_progress

    if dry_run:
        for key, value in describe(model, dataset, Options(**options)).items():
            click.echo(f"{key}: {value}")
        return
    click.echo(train_with_progress(model, dataset, out, Options(**options)))


@main.command()
@click.option(
    "--out", type=FOLDER, default=Path("out/evaluators"), show_default=True, help="Where files and frames go."
)
@click.option("--only", type=click.Choice(("head", "face", "identity", "features")), help="Train just this network.")
@click.option(
    "--quick", is_flag=True, help="A minute's run that shows that everything works; the networks are useless."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the first weights and of all that is drawn.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes, one thread each.")
@click.option("--device", default="cpu", show_default=True, help="Where to train: cpu or cuda.")
def train_evaluators(out: Path, only: str | None, **options: Any) -> None:
    """Train the networks of the builtin suite on rendered heads; prints their files.

    Needs about 5 GB in OUT for rendered frames. The same seed gives the same files on a CPU, whatever the workers. A
    network whose file and card are in OUT is left as it is.
    """
    from bench.evaluators.training.command import NAMES, train_evaluators

    for path in train_evaluators(out, NAMES if only is None else (only,), **options):
        click.echo(path)


@main.command()
@click.option("--out", type=FOLDER, default=Path("out/demo"), show_default=True, help="Where everything goes.")
def demo(out: Path) -> None:
    """See everything work, from videos to a page.

    Renders videos of people who do not exist and curates them, renders a dataset, trains a small model on it, runs both
    tasks on people that the model has not seen, and shows the leaderboard. A second call uses again what is there.
    """
    from bench.demo import run_demo
    from leaderboard.text import print_board

    result = run_demo(out)
    for table in result.boards:
        print_board(table)
    click.echo(result.page)


@main.command("list")
@click.argument("kind", type=click.Choice(KINDS))
@JSON
def list_(kind: str, as_json: bool) -> None:
    """List what there is to name."""
    from bench import catalogue

    rows = catalogue.listing(kind)
    if as_json:
        print_json(rows)
    else:
        print_table(list(rows[0]), [list(row.values()) for row in rows])


@main.command()
@click.argument("name")
@JSON
def show(name: str, as_json: bool) -> None:
    """Say what is known of a model, task, metric, evaluator or suite."""
    from bench import catalogue

    facts = catalogue.facts(name)
    if as_json:
        print_json(facts)
    else:
        for key, value in facts.items():
            click.echo(f"{key}: {value}")


main.add_command(animate)
main.add_command(mock)
main.add_command(protocols)
main.add_command(psp_directions)
main.add_command(score)
main.add_command(speed)
main.add_command(suite)
main.add_command(train_landmark_transformer)
main.add_command(weights)
