"""`curate lists`: what a list of videos or clips holds, and the same list in another format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from curate.console import print_json, say

if TYPE_CHECKING:
    from curate.lists.summary import Spread, Summary
    from curate.lists.tube import VideoList

SHOWN = 6  # frame sizes that are named


class _WithFormats(click.Command):
    """A command whose help ends with the formats of lists."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one line for each format, in columns."""
        from curate.lists import FORMATS

        with formatter.section("Formats"):
            formatter.write_dl(
                [(name, known.about + ("" if known.write else "; read only")) for name, known in FORMATS.items()]
            )


@click.command(cls=_WithFormats)
@click.argument("source", metavar="[LIST]", type=click.Path(path_type=Path), required=False)
@click.option("--format", "kind", help="Format of LIST.  [default: recognised by name and content]")
@click.option("--to", help="Write the list in this format ...")
@click.option("--out", type=click.Path(path_type=Path), help="... to this file (hdtf, vfhq: folder).")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def lists(source: Path | None, kind: str | None, to: str | None, out: Path | None, as_json: bool) -> None:
    """Say what a list of videos or clips holds, or write it in another format.

    Without LIST it is the one that ships, TalkingHead-1KH's validation list. Lists are read whole: a line that cannot
    be understood is named, and nothing is counted or written.

    \b
    curate lists vox-metadata.csv
    curate lists train_video_tubes.txt --to parquet --out tubes.parquet
    """
    from dataclasses import asdict

    from curate.errors import UserError
    from curate.lists import default_list, read, write
    from curate.lists.summary import summarise

    if (to is None) != (out is None):
        raise UserError("--to FORMAT and --out FILE belong together")
    path = source or default_list()
    listing = read(path, kind)
    if to and out:
        if out.resolve() == path.resolve():
            raise UserError(f"--out {out} is the list itself; name another file")
        write(listing, out, to)
        say(f"wrote {len(listing.tubes)} clips of {len(listing.videos)} videos as {to}: {out}{_lost(listing, out, to)}")
    summary = summarise(path, listing)
    if as_json:
        print_json(asdict(summary))
    elif not to:
        _print(summary)


def _lost(listing: VideoList, out: Path, to: str) -> str:
    """What the written list does not say, found by reading it again."""
    from curate.lists import read

    again = read(out, to)
    kept = set(map(repr, again.tubes))
    tubes = sum(repr(tube) not in kept for tube in listing.tubes)
    names = {video.video_id for video in again.videos}
    videos = sum(video.video_id not in names for video in listing.videos)
    lost = [f"all that the list says of {tubes} clips"] if tubes else []
    lost += [f"{videos} videos"] if videos else []
    return f" ({to} has no place for {' and '.join(lost)})" if lost else ""


def _print(summary: Summary) -> None:
    where = "" if summary.with_address == summary.videos else f", {summary.with_address} with an address"
    rows = [
        ("list", summary.path),
        ("format", summary.format),
        ("videos", f"{summary.videos}{where}" + _more(summary.without_clips, "without clips")),
        ("clips", f"{summary.clips}" + _more(summary.repeated_names, "with a name that an earlier one has")),
        ("identities", f"{summary.identities}" if summary.identities else "not named"),
        ("splits", ", ".join(f"{name} {count}" for name, count in summary.splits.items()) or "none"),
    ]
    if summary.seconds:
        rows.append(("length", f"{summary.hours:.2f} h; a clip {_range(summary.seconds, ' s')}"))
    if summary.length:
        rows.append(("length", f"{summary.frames} frames of unknown rate; a clip {_range(summary.length, ' frames')}"))
    if summary.side:
        share = f"{summary.square} square, {summary.side_512} with both sides >= 512"
        rows.append(("boxes", f"shorter side {_range(summary.side, ' px')}; {share}"))
    if summary.frame_sizes:
        sizes = [f"{size}: {count}" for size, count in summary.frame_sizes.items()]
        rest = f", {len(sizes) - SHOWN} more" if len(sizes) > SHOWN else ""
        rows.append(("measured in", ", ".join(sizes[:SHOWN]) + rest))
    rows += [("warning", f"{count} clips: {text}") for text, count in summary.warnings.items()]
    for name, value in rows:
        click.echo(f"{name:<12}{value}")


def _more(count: int, what: str) -> str:
    return f", {count} {what}" if count else ""


def _range(spread: Spread, unit: str) -> str:
    values = (f"{value:.1f}".removesuffix(".0") for value in (spread.least, spread.middle, spread.greatest))
    return f"{' / '.join(values)}{unit} (min / median / max)"
