"""Comparisons and reproductions as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import click

from curate.console import print_table
from leaderboard.compare import Comparison, Difference
from leaderboard.reproduction import Match
from leaderboard.text import plain


def print_comparison(found: Comparison) -> None:
    """Differences by metric, tie groups, then what cannot be ranked with the reasons."""
    for signature, group in groupby(found.differences, key=lambda d: d.signature):
        differences = list(group)
        first = differences[0]
        unit = f" in {plain(first.unit)}" if first.unit else ""
        better = "higher" if first.higher_is_better else "lower"
        header = ["a", "b", "mean a", "mean b", "a - b", "95% interval", "p (Holm)", "d", "a better", "verdict"]
        title = f"{plain(first.metric)}{unit}, {better} is better · {plain(signature, 200)}"
        print_table(header, [_line(d) for d in differences], title=title)
        for d in differences:
            for remark in _remarks(d):
                click.echo(f"  {plain(d.a)} and {plain(d.b)}: {plain(remark, 300)}")
        for ties in found.ties:
            if ties.signature == signature:
                groups = [" = ".join(map(plain, group)) for group in ties.groups]
                click.echo(f"best first, = where the data do not tell them apart: {' > '.join(groups)}")
        click.echo()
    for beside in found.side_by_side:
        scale = f" ({plain(beside.scale)})" if beside.scale else ""
        click.echo(
            f"{plain(beside.metric)}{scale}: {beside.value_a:.6g} {plain(beside.a, 100)} | "
            f"{beside.value_b:.6g} {plain(beside.b, 100)}: cannot be ranked"
        )
        for reason in beside.reasons:
            click.echo(f"  - {plain(reason, 300)}")
    if not (found.differences or found.side_by_side):
        click.echo("nothing to compare: they have no metric in common")
    for note in found.notes:
        click.echo(note)


def _line(d: Difference) -> list[str]:
    def number(value: float | None, form: str = ".4g") -> str:
        return "NULL" if value is None else f"{value:{form}}"

    interval = "" if d.ci_low is None or d.ci_high is None else f"[{d.ci_low:+.4g}, {d.ci_high:+.4g}]"
    return [
        plain(d.a),
        plain(d.b),
        number(d.mean_a),
        number(d.mean_b),
        number(d.difference, "+.4g"),
        interval,
        "" if d.p_holm is None else f"{d.p_holm:.2g}",
        "" if d.effect is None else f"{d.effect:+.2f}",
        "" if d.better is None else f"{d.better:.0%}",
        plain(d.verdict),
    ]


def _remarks(d: Difference) -> list[str]:
    """What to know beside a line."""
    found = [d.reason] if d.reason else []
    if d.only_a or d.only_b:
        found.append(f"{d.n_frames} frames of both; {d.only_a} of {plain(d.a)} alone, {d.only_b} of {plain(d.b)} alone")
    return found


def print_matches(found: Sequence[Match]) -> None:
    """Published beside measured, the gap, then what differs, once for those that share it."""
    lines = []
    notes: dict[tuple[str, ...], int] = {}
    for match in found:
        interval = "" if match.ci_low is None else f"[{match.ci_low:.4g}, {match.ci_high:.4g}]"
        mark = ("" if match.verified else " UNVERIFIED") + (" converted" if match.converted else "")
        lines.append(
            [
                plain(f"{match.paper} {match.paper_table or '-'}"),
                plain(match.model),
                plain(match.dataset or "-"),
                plain(match.metric),
                f"{match.published:.4g}{mark}",
                plain(f"{match.measured_model} ({match.measured_metric})"),
                f"{match.measured:.4g} {interval}".rstrip(),
                f"{match.gap:+.4g}",
                "" if match.relative is None else f"{match.relative:+.0%}",
                f"({notes.setdefault(match.reasons, len(notes) + 1)})",
            ]
        )
    if not lines:
        return
    header = [
        "paper, table",
        "model",
        "dataset",
        "metric",
        "published",
        "measured model",
        "measured",
        "gap",
        "",
        "note",
    ]
    print_table(
        header, lines, title="published against measured: a gap is a hint, protocols are not known to be the same"
    )
    for reasons, number in notes.items():
        click.echo(f"({number}) " + "; ".join(plain(reason, 300) for reason in reasons))
