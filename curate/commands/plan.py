"""`curate plan`: hours, gigabytes and CPU time of a build, before any byte."""

from __future__ import annotations

from pathlib import Path

import click

from curate.console import print_json


@click.command()
@click.option(
    "--input",
    "source",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of videos, one video, or a list.  [default: TalkingHead-1KH's validation list]",
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/dataset"), help="The dataset to be built.")
@click.option("--min-res", type=int, default=512, show_default=True, help="Least native side of a crop, pixels.")
@click.option("--detector", default="mtcnn", show_default=True, help="Face detector.")
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes.  [default: one per core]")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def plan(source: Path | None, out: Path, min_res: int, detector: str, workers: int | None, as_json: bool) -> None:
    """Say what a build would take: videos, hours, GB, CPU hours. Nothing is downloaded, decoded or written."""
    import os
    from dataclasses import asdict

    from pydantic import ValidationError

    from curate.errors import UserError, unknown
    from curate.perception import detector_names
    from curate.plan import estimate
    from curate.settings import AnalysisSettings, SelectionSettings, Settings
    from curate.units import size

    if detector not in detector_names():
        raise unknown("detector", detector, detector_names())
    try:
        selection = SelectionSettings(min_res=min_res)
    except ValidationError as error:
        raise UserError(f"--min-res {min_res}: {error.errors()[0]['msg']}") from error
    settings = Settings(analysis=AnalysisSettings(detector=detector), selection=selection)
    found = estimate(source, out, settings, workers or os.cpu_count() or 1)
    if as_json:
        print_json(asdict(found))
        return
    small = f", {found.too_small} of them too small for {min_res}" if found.too_small else ""
    bad = f", {found.unreadable} unreadable" if found.unreadable else ""
    tubes = f", {found.tubes} tubes" if found.tubes is not None else ""
    click.echo(f"{found.videos} videos{tubes}{small}{bad} ({found.source})")
    wall = f"with {found.workers} workers"
    for label, value, text in (
        ("asked for", found.hours_asked, _time),
        ("to download", found.hours_to_download, _time),
        ("raw", found.gb_raw, size),
        ("clips", found.gb_clips, size),
        ("CPU", found.cpu_hours, _time),
        (wall, found.wall_hours, _time),
    ):
        more = ", and the time of the download" if label == wall and found.hours_to_download else ""
        click.echo(f"{label:<16}" + ("unknown" if value is None else f"{text(value):>12}{more}"))
    click.echo("estimates, for:")
    for assumption in found.assumptions:
        click.echo(f"  {assumption}")


def _time(value: float) -> str:
    from curate.units import hours

    return hours(3600 * value)
