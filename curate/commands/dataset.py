"""Verbs about a finished dataset: stats, report, verify, export, purge."""

from __future__ import annotations

from pathlib import Path

import click

from curate.console import print_json, print_table, say

_FORMATS = ("webdataset", "huggingface", "fomm", "talkinghead1kh")


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def stats(dataset: Path, as_json: bool) -> None:
    """Count a dataset's videos, shots, tracks and clips, kept or not and why; hours, sizes, speed, kinds of errors."""
    from dataclasses import asdict

    from curate.stats import summarise
    from curate.units import hours, size

    summary = summarise(dataset)
    if as_json:
        print_json(asdict(summary))
        return
    print_table(
        ("what", "count", "length", "verdict", "reason"),
        [(g.kind, g.count, hours(g.seconds) if g.seconds else "-", g.verdict, g.reason) for g in summary.counts],
    )
    click.echo(f"\nin    {hours(3600 * summary.hours_in):>10} {size(summary.gb_in):>10}")
    click.echo(f"kept  {hours(3600 * summary.hours_kept):>10} {size(summary.gb_kept):>10}")
    if summary.hours_per_work_hour is not None:
        per_cpu = summary.hours_per_cpu_hour
        cpu = f", {per_cpu:.2f} h a CPU hour" if per_cpu is not None else ""
        work = hours(3600 * summary.work_hours)
        click.echo(f"work  {work:>10}: {summary.hours_per_work_hour:.2f} h of video an hour{cpu}")
    for name, count in summary.error_classes.items():
        click.echo(f"failed: {name}: {count}")


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--to", type=click.Path(path_type=Path), default=None, help="Folder to write.  [default: DATASET/report]")
@click.option(
    "--videos",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=None,
    help="Folder that the dataset was built from: what was dropped has pictures too.",
)
def report(dataset: Path, to: Path | None, videos: Path | None) -> None:
    """Write a page about a dataset: where the hours went, the clips, the borderline cases; prints its path."""
    from curate.report.page import write_report

    click.echo(write_report(dataset, to, videos))


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify(dataset: Path, as_json: bool) -> None:
    """Check every clip's hash, frames and size, both manifests and the ledger. Exit code 1 if anything is wrong."""
    from dataclasses import asdict

    from curate.units import size
    from curate.verify import verify as check

    result = check(dataset)
    if as_json:
        print_json(asdict(result))
    else:
        for fault in result.faults:
            click.echo(f"{fault.item}: {fault.what}; mend: {fault.mend}")
        found = f"{len(result.faults)} faults" if result.faults else "all is well"
        click.echo(f"{result.clips} clips, {size(result.gigabytes)}: {found}")
    raise SystemExit(1 if result.faults else 0)


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(_FORMATS), required=True, help="Layout to write.")
@click.option(
    "--to", type=click.Path(path_type=Path), required=True, help="Folder to write: new, or an earlier export."
)
@click.option(
    "--shard-mb", type=click.IntRange(1), default=512, show_default=True, help="webdataset: megabytes of a tar file."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def export(dataset: Path, kind: str, to: Path, shard_mb: int, as_json: bool) -> None:
    """Write a dataset in another layout, with hard links where possible. Run again it writes only what is missing."""
    from dataclasses import asdict

    from curate.export.run import export as write

    done = write(dataset, kind, to, shard_mb=shard_mb)
    if as_json:
        print_json(asdict(done))
        return
    if not done.written:
        say("nothing to do: all files were there")
    click.echo(f"{done.clips} clips in {done.files} files, {done.written} written: {done.to}")


@click.command(context_settings={"ignore_unknown_options": True})  # a YouTube id may begin with a dash
@click.argument("dataset", type=click.Path(path_type=Path))
@click.argument("ids", nargs=-1, required=True)
@click.option("--reason", default="", help="Why; it is kept beside the date.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def purge(dataset: Path, ids: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Remove videos or clips from a dataset for good: files, rows, analysis. No later build makes them again."""
    from dataclasses import asdict

    from curate.purge import purge as remove

    done = remove(dataset, ids, reason)
    if as_json:
        print_json(asdict(done))
        return
    for stone in done.tombstones:
        click.echo(f"purged {'video' if stone.is_video else 'clip'} {stone.id}")
    click.echo(f"{len(done.files)} files removed, {done.clips_left} clips left")
    say("copies elsewhere are not known: write exports again, delete input files yourself")
