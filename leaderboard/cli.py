"""The command `leaderboard`: each sub-command is a thin wrapper over one function of this package."""

from __future__ import annotations

from pathlib import Path

import click

from curate.console import Commands, print_json, print_table, say
from leaderboard import DEFAULT_FILE

FILE = click.Path(path_type=Path, dir_okay=False)
FORMATS = ("csv", "json", "markdown", "latex", "parquet", "every-eval-ever", "hugging-face")
SOURCES = ("measured", "predictions", "all", "reported")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--db", type=FILE, default=DEFAULT_FILE, show_default=True, help="The leaderboard's file.")
@click.version_option(package_name="talkinghead-bench", prog_name="leaderboard")
@click.pass_context
def main(context: click.Context, db: Path) -> None:
    """Compare models: run records in; tables, pages and exports out."""
    context.obj = db


@main.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.pass_context
def ingest(context: click.Context, runs: tuple[Path, ...]) -> None:
    """Take in run folders, folders of run folders, or packed runs; what is there already stays as it is."""
    from leaderboard.ingest import ingest as take_in
    from leaderboard.store import Store
    from leaderboard.submission import unpack
    from leaderboard.text import plain

    submissions = context.obj.resolve().with_suffix(".submissions")  # folders of their own for packed runs
    folders = [unpack(run, submissions) if run.is_file() else run for run in runs]
    with Store(context.obj) as store:
        report = take_in(store, folders)
    for reason in report.refused.values():
        say(f"refused: {plain(reason, 600)}")
    click.echo(f"{len(report.added)} added, {len(report.known)} already there, {len(report.refused)} refused")
    if report.refused:
        context.exit(1)


@main.command()
@click.option("--source", type=click.Choice(SOURCES), default="measured", show_default=True, help="Whose numbers.")
@click.option("--task", help="Only this task, or protocol such as cross-id@1.")
@click.option("--dataset", help="Only this dataset.")
@click.option("--metric", help="Only this metric.")
@click.option("--model", "models", multiple=True, help="Only this model among the ranked; can be repeated.")
@click.option("--sort", help="Sort by this metric, the best first.  [default: the first column]")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def show(
    context: click.Context,
    source: str,
    task: str | None,
    dataset: str | None,
    metric: str | None,
    models: tuple[str, ...],
    sort: str | None,
    as_json: bool,
) -> None:
    """Print the standings: value [95% interval], best marked, calibration rows apart, signatures to cite."""
    from curate.errors import UserError
    from leaderboard import export, text
    from leaderboard.standings import Filters, arranged, boards, published
    from leaderboard.store import Store

    if source == "reported" and (models or sort):
        raise UserError("--model and --sort are of ranked rows; for papers: leaderboard published --model NAME")
    filters = Filters(task, dataset, metric)
    with Store(context.obj, read_only=True) as store:
        reported = published(store, filters) if source == "reported" else []
        found = boards(store, source, filters) if source != "reported" else []
    found = arranged(found, sort, models) if sort or models else found
    if not (found or reported):
        say(f"nothing to show: {context.obj} has no {source} scores that match")
    if as_json:
        print_json(reported if source == "reported" else [export.nested(board) for board in found])
        return
    if reported:
        text.print_published(reported)
    for board in found:
        text.print_board(board)


@main.command()
@click.option("--paper", help="A paper, by id or the start of one; without it and --metric: all papers.")
@click.option("--table", "number", help="Only this table of the paper.")
@click.option("--model", help="One model as several papers report it, with --metric.")
@click.option("--metric", help="The metric to set side by side, with --model.")
@click.option("--dataset", help="Only this dataset, with --model and --metric.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def published(
    context: click.Context,
    paper: str | None,
    number: str | None,
    model: str | None,
    metric: str | None,
    dataset: str | None,
    as_json: bool,
) -> None:
    """Print papers' tables as they stand in the papers, or one model's numbers of several papers side by side."""
    from dataclasses import asdict

    from leaderboard import published as papers
    from leaderboard.published import text
    from leaderboard.store import open_or_empty

    if (model is None) != (metric is None) or (dataset and not metric) or (number is not None and paper is None):
        raise click.UsageError("--model and --metric go together, --dataset with them, --table with --paper")
    with open_or_empty(context.obj) as store:
        if model and metric:
            found = papers.side_by_side(store, model=model, metric=metric, dataset=dataset)
            print_json(asdict(found)) if as_json else text.print_side_by_side(found)
        elif paper:
            tables = papers.tables(store, paper, number)
            print_json([asdict(table) for table in tables]) if as_json else text.print_tables(tables)
        else:
            cards = papers.cards(store)
            print_json([asdict(card) for card in cards]) if as_json else text.print_cards(cards)


@main.command()
@click.argument("names", metavar="A B ...", nargs=-1, required=True)
@click.option("--task", help="Where models share several questions: this task, or protocol.")
@click.option("--dataset", help="Where models share several questions: this dataset.")
@click.option("--metric", help="Only this metric.")
@click.option("--resamples", type=click.IntRange(100, 1_000_000), default=10_000, show_default=True, help="Bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def compare(
    context: click.Context,
    names: tuple[str, ...],
    task: str | None,
    dataset: str | None,
    metric: str | None,
    resamples: int,
    as_json: bool,
) -> None:
    """Compare runs, models or papers: paired differences with intervals, ties, or why they cannot be compared."""
    from dataclasses import asdict

    from leaderboard.compare import compare as put_together
    from leaderboard.compare_text import print_comparison
    from leaderboard.store import open_or_empty

    with open_or_empty(context.obj) as store:
        found = put_together(store, *names, task=task, dataset=dataset, metric=metric, resamples=resamples)
    print_json(asdict(found)) if as_json else print_comparison(found)


@main.command()
@click.option("--model", help="Only this model.")
@click.option("--dataset", help="Only this dataset.")
@click.option("--paper", help="Only this paper, by id.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def reproduction(
    context: click.Context, model: str | None, dataset: str | None, paper: str | None, as_json: bool
) -> None:
    """Print published against measured numbers of the same model and dataset, the gap, and what differs."""
    from dataclasses import asdict

    from leaderboard.compare_text import print_matches
    from leaderboard.reproduction import reproduction as matches
    from leaderboard.store import open_or_empty

    with open_or_empty(context.obj) as store:
        found = matches(store, model=model, dataset=dataset, paper=paper)
    if not found:
        say("nothing to show: no measured run has the model, task, dataset and metric of a published number")
    print_json([asdict(match) for match in found]) if as_json else print_matches(found)


@main.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the page.")
@click.option(
    "--curation",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A page that `curate report` wrote, to copy beside this one and link; may be given again.",
)
@click.pass_context
def report(context: click.Context, out: Path, curation: tuple[Path, ...]) -> None:
    """Write a page of tables, intervals and frames that opens from disk, without a network."""
    from leaderboard.page import write_page
    from leaderboard.store import Store

    with Store(context.obj, read_only=True) as store:
        page = write_page(store, out, curation)
    for warning in page.warnings:
        say(f"warning: {warning}")
    click.echo(page.path)


@main.command()
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="Form of the output.")
@click.option("--source", type=click.Choice(SOURCES[:2]), default="measured", show_default=True, help="Whose numbers.")
@click.option("--task", help="Only this task, or protocol such as cross-id@1.")
@click.option("--dataset", help="Only this dataset.")
@click.option("--metric", help="Only this metric.")
@click.option("--out", type=FILE, help="Write to this file instead of stdout.")
@click.pass_context
def export(
    context: click.Context,
    form: str,
    source: str,
    task: str | None,
    dataset: str | None,
    metric: str | None,
    out: Path | None,
) -> None:
    """Write standings: csv, json, markdown, latex (booktabs), parquet, Every Eval Ever, Hugging Face eval results."""
    from curate.files import atomic
    from leaderboard import export as plain_forms
    from leaderboard import export_formats
    from leaderboard.standings import Filters, boards
    from leaderboard.store import Store

    forms = plain_forms.FORMATS | {
        "latex": export_formats.to_latex,
        "every-eval-ever": export_formats.to_every_eval_ever,
        "hugging-face": export_formats.to_hugging_face,
    }
    with Store(context.obj, read_only=True) as store:
        found = boards(store, source, Filters(task, dataset, metric))
    content = export_formats.to_parquet(found) if form == "parquet" else forms[form](found).encode()
    if out is None:
        click.echo(content, nl=False)
        return
    with atomic(out) as partial:
        partial.write_bytes(content)
    click.echo(out)


@main.command()
@click.argument("runs", metavar="[RUN...]", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.pass_context
def rebuild(context: click.Context, runs: tuple[Path, ...]) -> None:
    """Make the file anew from run folders, or from those its runs came from; no run that it has may be lost."""
    from leaderboard.rebuild import rebuild as make_anew
    from leaderboard.text import plain

    made = make_anew(context.obj, runs)
    for reason in made.refused.values():
        say(f"refused: {plain(reason, 600)}")
    click.echo(f"{made.runs} runs")
    if made.refused:
        context.exit(1)


@main.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", type=FILE, required=True, help="The file to write, such as run.zip.")
def submit(run: Path, out: Path) -> None:
    """Pack a run folder (record, samples, previews, hashes) into one file that another board can ingest."""
    from leaderboard.submission import pack

    click.echo(f"{out}: {pack(run, out)} files")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to answer on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port; 0: a free one.")
@click.pass_context
def serve(context: click.Context, host: str, port: int) -> None:
    """Show the page to others on a shared machine, read-only, until interrupted."""
    from tempfile import TemporaryDirectory

    from leaderboard.page import write_page
    from leaderboard.serve import server
    from leaderboard.store import Store

    with TemporaryDirectory() as folder:
        with Store(context.obj, read_only=True) as store:
            write_page(store, Path(folder))
        with server(Path(folder), host, port) as answering:
            click.echo(f"http://{host}:{answering.server_address[1]}/")
            try:
                answering.serve_forever()
            except KeyboardInterrupt:
                say("stopped")


@main.command()
@click.argument("query")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def sql(context: click.Context, query: str, as_json: bool) -> None:
    """Run a query that can neither change the file nor reach another; tables: `SHOW TABLES`."""
    from leaderboard.store import Store
    from leaderboard.text import plain

    with Store(context.obj, read_only=True) as store:
        names, rows = store.query(query)
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        print_table([plain(n) for n in names], [["NULL" if v is None else plain(v, 200) for v in row] for row in rows])
