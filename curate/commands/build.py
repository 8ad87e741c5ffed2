"""`curate build`: videos in, clips and a manifest out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curate.console import print_counts, print_json, say

if TYPE_CHECKING:
    from curate.download.options import Options
    from curate.lists.tube import VideoList
    from curate.settings import Settings

FILE = click.Path(path_type=Path)
CROPS = ("default", "fomm", "liveportrait", "talkinghead1kh")
GIGABYTE = 1_000_000_000


@click.command()
@click.option(
    "--input",
    "source",
    type=FILE,
    default=None,
    help="Folder of videos, one video, or a list (TalkingHead-1KH, vox-metadata.csv, ...; see `curate lists`).  "
    "[default: TalkingHead-1KH's validation list]",
)
@click.option("--list-format", default=None, help="Format of the list.  [default: recognised]")
@click.option("--videos", type=FILE, default=None, help="Take a list's videos from here; download the rest.")
@click.option("--out", type=FILE, default=Path("out/dataset"), show_default=True, help="The dataset.")
@click.option("--min-res", type=int, default=512, show_default=True, help="Least native side of a crop, pixels.")
@click.option(
    "--min-bitrate", type=int, default=0, show_default=True, help="Least bit rate of a source, bits per second."
)
@click.option(
    "--size", default=None, help="Side written, pixels, or `native`.  [default: --min-res; of a list: native]"
)
@click.option("--crop", type=click.Choice(CROPS), default="default", show_default=True, help="Framing of found faces.")
@click.option(
    "--box-policy",
    type=click.Choice(("shift", "drop", "pad", "clamp")),
    default="shift",
    show_default=True,
    help="Where a crop would leave the frame: move it, drop it, fill with black, shrink it.",
)
@click.option(
    "--box-motion",
    type=click.Choice(("fixed", "smooth")),
    default="fixed",
    show_default=True,
    help="One box for a clip, or one that follows the face.",
)
@click.option("--crf", type=click.IntRange(0, 51), default=16, show_default=True, help="x264's quality.")
@click.option("--x264-preset", default="medium", show_default=True, help="x264's preset.")
@click.option("--min-sharpness", type=float, default=None, help="Least sharpness of a face; `curate report` shows it.")
@click.option("--min-brightness", type=float, default=None, help="Least brightness of a face, 0 to 1.")
@click.option("--max-yaw", type=float, default=None, help="Most mean yaw of a clip, degrees.")
@click.option("--need-sound", is_flag=True, help="Drop clips without sound.")
@click.option("--splits", default=None, help="Draw splits by person, such as train=8,val=1,test=1.  [default: none]")
@click.option("--identifier", default=None, help="Identity network: who is who, and no clip with two people in turn.")
@click.option("--detector", default="mtcnn", show_default=True, help="Face detector.")
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes.  [default: one per core]")
@click.option(
    "--engine", type=click.Choice(("local", "ray")), default="local", show_default=True, help="Where they run."
)
@click.option("--license", "licence", default=None, help="Download only videos under this licence, such as cc-by.")
@click.option("--cookies", type=FILE, default=None, help="Cookies of a signed-in browser, Netscape format.")
@click.option("--keep-raw", is_flag=True, help="Keep downloaded videos after use.")
@click.option("--offline", is_flag=True, help="Download nothing.")
@click.option("--retry-failed", is_flag=True, help="Try again to download what failed for good.")
@click.option("--disk-budget", type=float, default=20.0, show_default=True, help="GB of downloaded videos at one time.")
@click.option("--dry-run", is_flag=True, help="Say what there is to do, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def build(source: Path | None, out: Path, as_json: bool, dry_run: bool, **options: Any) -> None:
    """Cut face clips out of videos. Run it again after a kill: it goes on where it stopped."""
    import os
    from dataclasses import asdict

    from curate import pipeline
    from curate.lists.tube import VideoList

    wanted = _wanted(source, options["list_format"])
    settings = _settings(options, listed=isinstance(wanted, VideoList) and bool(wanted.tubes))
    if dry_run and not isinstance(wanted, Path):
        click.echo(f"{len(wanted.videos)} videos, {len(wanted.tubes)} tubes; `curate plan` says what they would cost")
        return
    if dry_run and isinstance(wanted, Path):
        plan = pipeline.plan(wanted, out, settings)
        if as_json:
            print_json(asdict(plan))
            return
        click.echo(f"{plan.readable} readable videos, {plan.hours:.2f} h, {plan.gigabytes:.2f} GB")
        click.echo(f"{plan.too_small} have frames below {options['min_res']} and would be dropped")
        for name, reason in plan.unreadable:
            click.echo(f"unreadable: {name}: {reason}")
        return
    report = pipeline.build(
        wanted,
        out,
        settings,
        workers=options["workers"] or os.cpu_count() or 1,
        engine=options["engine"],
        videos=options["videos"],
        download=_download(options),
    )
    if as_json:
        print_json(asdict(report))
    else:
        print_counts(report.counts)
        if report.done_before == report.videos:
            say(f"nothing to do: all {report.videos} videos were done before")
        else:
            speed = report.hours_in / max(report.wall_s, 1e-9) * 3600
            say(f"{report.hours_in:.2f} h of video in {report.wall_s:.0f} s: {speed:.1f} hours per hour")
        click.echo(f"{report.clips} clips, {report.seconds / 60:.1f} minutes: {report.manifest}")
    for name, reason in report.failed:
        say(f"failed: {name}: {reason}")
    raise SystemExit(1 if report.failed else 0)


def _wanted(source: Path | None, list_format: str | None) -> Path | VideoList:
    """A folder or file of videos as its path, everything else as the list that it is."""
    from curate import lists
    from curate.lists import formats
    from curate.sources import SUFFIXES

    if source is None:
        return _distinct(formats.read(lists.default_list(), list_format))
    if list_format is None and (not source.exists() or source.suffix.lower() in SUFFIXES):
        return source
    if list_format is None and source.is_dir() and formats.detect(source) is None:
        return source
    return _distinct(formats.read(source, list_format))


def _distinct(listing: VideoList) -> VideoList:
    """The list without the lines that it repeats."""
    from curate.lists import distinct

    once, left_out = distinct(listing)
    if left_out:
        say(f"{left_out} lines of the list repeat others and are left out")
    return once


def _settings(options: dict[str, Any], *, listed: bool) -> Settings:
    from pydantic import ValidationError

    from curate.errors import UserError, unknown
    from curate.perception import detector_names, network_names
    from curate.settings import AnalysisSettings, DatasetSettings, SelectionSettings, Settings

    names = ["min_res", "min_bitrate", "crop", "box_policy", "box_motion", "crf", "x264_preset"]
    names += ["min_sharpness", "min_brightness", "max_yaw", "need_sound"]
    size = options["size"] or ("native" if listed else None)
    try:
        selection = SelectionSettings(
            **{name: options[name] for name in names}, size=int(size) if size and size.isdigit() else size
        )
        analysis = AnalysisSettings(detector=options["detector"], identifier=options["identifier"])
        dataset = DatasetSettings(splits=options["splits"] and _shares(options["splits"]))
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise UserError(f"--{option} {first['input']}: {first['msg']}") from error
    if options["detector"] not in detector_names():
        raise unknown("detector", options["detector"], detector_names())
    if options["identifier"] not in (None, *network_names("identity")):
        raise unknown("identity network", options["identifier"], network_names("identity"))
    return Settings(analysis=analysis, selection=selection, dataset=dataset)


def _shares(text: str) -> dict[str, float]:
    from curate.errors import UserError

    try:
        pairs = [part.split("=") for part in text.split(",")]
        return {name.strip(): float(share) for name, share in pairs}
    except ValueError as error:
        raise UserError(f"--splits {text}: names and weights are expected, such as train=8,val=1,test=1") from error


def _download(options: dict[str, Any]) -> Options:
    from curate.download.options import Options

    return Options(
        min_res=options["min_res"],
        min_bitrate=options["min_bitrate"],
        license=options["licence"],
        cookies=options["cookies"],
        offline=options["offline"],
        retry_permanent=options["retry_failed"],
        keep_raw=options["keep_raw"],
        raw_bytes=round(options["disk_budget"] * GIGABYTE),
    )
