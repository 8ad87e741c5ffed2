"""The page itself: a folder with index.html, small pictures, and its numbers as JSON. It opens from disk, offline.

Names of files and whatever else comes from outside are untrusted: the template escapes them, the page runs no script.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from curate.errors import UserError
from curate.files import atomic, printable, write_json
from curate.ledger_queries import Contents, Entry, clip_path, read
from curate.report.availability import availability
from curate.report.extremes import Border, Item, borders, weakest
from curate.report.funnel import Funnel, funnel
from curate.report.histograms import histograms
from curate.report.pictures import Pictures, Shown, raw_files
from curate.report.thresholds import Threshold, plausible, selection_settings, thresholds
from curate.stats import summarise
from curate.units import hours, size

PAGE = "index.html"
NUMBERS = "report.json"  # also the mark by which a folder is known as a page of ours
ROWS = 200  # of a table
SHEET = 96  # clips on the contact sheet
BESIDE = 5  # items on either side of a threshold
WEAKEST = 12


@dataclass(frozen=True)
class Tile:
    """A picture with what is said below it."""

    picture: str | None
    entry: Entry
    label: str


def write_report(out: Path, to: Path | None = None, videos: Path | None = None) -> Path:
    """Write the page about dataset `out` into folder `to` (by default OUT/report); gives the page's path.

    With `videos`, the folder that the dataset was built from, dropped items have pictures too. `UserError` where there
    is no ledger, or where `to` holds a page that is not ours.
    """
    to = to or out / "report"
    if (to / PAGE).exists() and not (to / NUMBERS).is_file():
        raise UserError(f"{to} has a {PAGE} that `curate report` did not write; choose another folder with --to")
    contents = read(out)
    raw = raw_files(videos, contents.sources)
    pictures = Pictures(to / "pictures", _shown(out, contents), raw, out / "analysis")
    flow, summary = funnel(contents.items), summarise(out)
    with atomic(to / PAGE) as partial:
        partial.write_text(_render(out, contents, flow, summary, pictures), encoding="utf-8")
    write_json(to / NUMBERS, {"funnel": asdict(flow), "summary": asdict(summary)})
    pictures.remove_others()
    return to / PAGE


def _shown(out: Path, contents: Contents) -> dict[str, Shown]:
    """The clips that are there, by their ids and by the ids of their faces."""
    shown = {
        row["clip_id"]: Shown(path, row["n_frames"], row["sha256"])
        for row in contents.clips
        if (path := clip_path(out, row)).is_file()
    }
    parents = {clip.parent_id: shown[clip.item_id] for clip in reversed(contents.of("clip")) if clip.item_id in shown}
    return {**{parent: clip for parent, clip in parents.items() if parent}, **shown}


def _render(out: Path, contents: Contents, flow: Funnel, summary: Any, pictures: Pictures) -> str:
    selection, stated = selection_settings(out)
    limits = thresholds(selection) if stated else plausible(thresholds(selection), contents.items)
    items = contents.items
    kept = [entry for entry in items if entry.kind == "clip" and entry.kept]
    failed = [entry for entry in items if entry.verdict == "failed"]
    environment = Environment(
        loader=PackageLoader("curate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters.update(hours=hours, number=number, words=words, size=size, brief=brief)
    return environment.get_template("index.html.j2").render(
        name=out.resolve().name,
        flow=flow,
        longest=max((step.seconds for step in flow.steps), default=0.0),
        lost=sum(loss.seconds for loss in flow.losses),
        summary=summary,
        histograms=histograms(items, limits),
        stated=stated,
        kept=len(kept),
        sheet=[Tile(pictures.of(entry), entry, _length(entry)) for entry in spread_out(kept, SHEET)],
        weakest=[_tile(item, limits[item.score], pictures) for item in weakest(items, limits, WEAKEST)],
        borders=[_sides(border, pictures) for border in borders(items, limits, BESIDE)],
        failed=failed,
        errors=summary.error_classes,
        availability=availability(items),
        rows=ROWS,
    )


def spread_out(entries: Sequence[Entry], most: int) -> list[Entry]:
    """At most `most` of some items, evenly over their order, so that every video has its chance.

    >>> spread_out([], 3)
    []
    """
    if len(entries) <= most:
        return list(entries)
    return [entries[i * len(entries) // most] for i in range(most)]


def _sides(border: Border, pictures: Pictures) -> dict[str, Any]:
    sides = (("on the kept side", border.passing), ("on the dropped side", border.failing))
    return {
        "kind": border.kind,
        "score": border.score,
        "threshold": border.threshold,
        "sides": [
            (name, [Tile(pictures.of(i.entry), i.entry, number(i.value, border.threshold.value)) for i in found])
            for name, found in sides
        ],
    }


def _tile(item: Item, threshold: Threshold, pictures: Pictures) -> Tile:
    label = f"{words(item.score)} {number(item.value, threshold.value)}"
    return Tile(pictures.of(item.entry), item.entry, label)


def _length(entry: Entry) -> str:
    return f"{entry.seconds:.1f} s" if entry.seconds is not None else ""


def number(value: float, beside: float | None = None) -> str:
    """A value in three digits, or in as many more as tell it from the number `beside` it.

    >>> number(0.8996, 0.9), number(1234567.0), number(0.5)
    ('0.8996', '1,234,567', '0.5')
    """
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    digits = 3
    while beside is not None and value != beside and digits < 8 and float(f"{value:.{digits}g}") == beside:
        digits += 1
    return f"{value:.{digits}g}"


def brief(name: str) -> str:
    """An id that fits below a picture: its beginning and its end, which tells items of one video apart.

    >>> brief("speakervid__range_full_body_3-95ee1a41/t12")
    'speakervid__ran…-95ee1a41/t12'
    """
    return name if len(name) <= 32 else f"{name[:15]}…{name[-13:]}"


def words(name: str) -> str:
    """A score's name as words.

    >>> words("face_score")
    'face score'
    """
    return re.sub(r"_+", " ", name)


def _visible(value: object) -> object:
    """Texts with control and direction characters as escapes, so that a name cannot reorder what stands beside it."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
