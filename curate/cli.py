"""The `curate` command. Each verb is a thin wrapper over one function; bodies import what they need."""

from __future__ import annotations

from pathlib import Path

import click

from curate.console import Commands, print_json, print_table, say


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="talkinghead-bench", prog_name="curate")
def main() -> None:
    """Turn raw videos into square, single-face clips with a manifest, and explain everything that was dropped."""


@main.command()
@click.option(
    "--input", "source", type=click.Path(path_type=Path), required=True, help="Folder of videos, or one video."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out/dataset"), show_default=True, help="The dataset."
)
@click.option(
    "--min-res", type=int, default=512, show_default=True, help="Least native side of a crop, and side written."
)
@click.option(
    "--min-bitrate", type=int, default=0, show_default=True, help="Least bit rate of a source, bits per second."
)
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes.  [default: one per core]")
@click.option("--detector", default="mtcnn", show_default=True, help="Face detector.")
@click.option("--dry-run", is_flag=True, help="Read headers only and say what there is to do.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def build(
    source: Path,
    out: Path,
    min_res: int,
    min_bitrate: int,
    workers: int | None,
    detector: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Cut face clips out of videos. Run it again after a kill: it goes on where it stopped."""
    import os
    from dataclasses import asdict

    from pydantic import ValidationError

    from curate import pipeline
    from curate.errors import UserError, unknown
    from curate.perception import detector_names
    from curate.settings import AnalysisSettings, SelectionSettings, Settings

    try:
        analysis = AnalysisSettings(detector=detector)
        settings = Settings(analysis=analysis, selection=SelectionSettings(min_res=min_res, min_bitrate=min_bitrate))
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"--{str(first['loc'][-1]).replace('_', '-')} {first['input']}: {first['msg']}") from error
    if detector not in detector_names():
        raise unknown("detector", detector, detector_names())
    if dry_run:
        plan = pipeline.plan(source, out, settings)
        if as_json:
            print_json(asdict(plan))
        else:
            click.echo(f"{plan.readable} readable videos, {plan.hours:.2f} h, {plan.gigabytes:.2f} GB")
            click.echo(f"{plan.too_small} have frames below {min_res} and would be dropped")
            for name, reason in plan.unreadable:
                click.echo(f"unreadable: {name}: {reason}")
        return
    report = pipeline.build(source, out, settings, workers=workers or os.cpu_count() or 1)
    if as_json:
        print_json(asdict(report))
    else:
        _print_counts(report.counts)
        if report.done_before == report.videos:
            say(f"nothing to do: all {report.videos} videos were done before")
        click.echo(f"{report.clips} clips, {report.seconds / 60:.1f} minutes: {report.manifest}")
    for name, reason in report.failed:
        say(f"failed: {name}: {reason}")
    raise SystemExit(1 if report.failed else 0)


@main.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def stats(dataset: Path, as_json: bool) -> None:
    """Count a dataset's videos, shots, tracks and clips: kept, doubtful, dropped or failed, and why."""
    from curate.errors import UserError
    from curate.ledger import LEDGER, Ledger

    path = dataset / LEDGER
    if not path.is_file():
        raise UserError(f"{dataset} has no {LEDGER}; make a dataset with: curate build --input VIDEOS --out {dataset}")
    with Ledger(path) as ledger:
        counts = ledger.counts()
    if as_json:
        print_json([dict(zip(("kind", "verdict", "reason", "count"), row, strict=True)) for row in counts])
    else:
        _print_counts(counts)


def _print_counts(counts: list[tuple[str, str, str, int]] | tuple[tuple[str, str, str, int], ...]) -> None:
    print_table(("what", "count", "verdict", "reason"), [(kind, n, verdict, why) for kind, verdict, why, n in counts])
