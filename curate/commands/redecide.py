"""`curate redecide`: other thresholds, no decoding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from curate.console import print_counts, print_json, say


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--min-res", type=int, default=None, help="Least native side of a crop, pixels.")
@click.option("--min-bitrate", type=int, default=None, help="Least bit rate of a source, bits per second.")
@click.option("--min-seconds", type=float, default=None, help="Least length of a clip.")
@click.option("--min-face-score", type=float, default=None, help="Least mean score of the detector, 0 to 1.")
@click.option("--min-sharpness", type=float, default=None, help="Least sharpness of a face.")
@click.option("--min-brightness", type=float, default=None, help="Least brightness of a face, 0 to 1.")
@click.option("--max-yaw", type=float, default=None, help="Most mean yaw of a clip, degrees.")
@click.option("--max-flat", type=float, default=None, help="Most of the face without texture, 0 to 1: drawings.")
@click.option("--need-sound/--no-need-sound", default=None, help="Drop clips without sound.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def redecide(dataset: Path, dry_run: bool, as_json: bool, **thresholds: Any) -> None:
    """Decide again with other thresholds from the stored scores; nothing is decoded.

    Clips that no longer pass are kept in DATASET/dropped and come back if thresholds are lowered again.
    """
    from dataclasses import asdict

    from curate.errors import UserError
    from curate.redecide import redecide as decide

    changes = {name: value for name, value in thresholds.items() if value is not None}
    if not changes:
        raise UserError("name at least one threshold, such as --min-res 720 (see --help)")
    done = decide(dataset, changes, dry_run=dry_run)
    if as_json:
        print_json(asdict(done))
        return
    if not dry_run:
        print_counts(done.counts)
    would = "would be " if dry_run else ""
    click.echo(f"{done.clips} clips of {done.before}: {len(done.dropped)} {would}dropped, {len(done.back)} {would}back")
    for name in done.dropped:
        say(f"dropped: {name}")
    if done.uncut:
        say(f"{len(done.uncut)} clips pass but were never cut; cut them with: curate build, with the same thresholds")
