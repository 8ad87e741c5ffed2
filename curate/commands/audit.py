"""`curate audit`: repeats and leakage in a list or a dataset, and between two."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from curate.console import print_json, print_table

if TYPE_CHECKING:
    from curate.audit import Side

NAMED = 5  # items of a kind that are named


@click.command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print all that was found as JSON.")
def audit(a: Path, b: Path | None, as_json: bool) -> None:
    """Find repeats and leakage within A, and between A and B.

    A and B are folders of datasets, or lists of any format (`curate lists --help` names them). Looked for: repeated
    rows; clips, videos and files that occur twice; videos and identities in two splits, or in both A and B;
    near-duplicates that a manifest marks; and clips that show one face at one moment, which is no fault by itself.

    Exit code: 0 clean, 1 faults found, 2 wrong use.
    """
    from dataclasses import asdict

    from curate.audit import audit as look

    report = look(a, b)
    if as_json:
        findings = [{**asdict(finding), "count": len(finding.items)} for finding in report.findings]
        print_json({"clean": report.clean, "sides": [asdict(side) for side in report.sides], "findings": findings})
        raise SystemExit(0 if report.clean else 1)
    for letter, side in zip("AB", report.sides, strict=False):
        click.echo(f"{letter}: {side.path}: {_about(side)}")
    if report.findings:
        click.echo()
        rows = [(len(f.items), f.kind, f.where, "fault" if f.fault else "note") for f in report.findings]
        print_table(("count", "what", "where", ""), rows)
    for finding in report.findings:
        click.echo(f"\n{finding.kind}{'' if finding.where == 'A' else ' ' + finding.where}:")
        for item in finding.items[:NAMED]:
            click.echo(f"  {item}")
        if len(finding.items) > NAMED:
            click.echo(f"  ... and {len(finding.items) - NAMED} more (--json lists all)")
    click.echo(f"\n{'clean' if report.clean else 'not clean'}{_unchecked(report.sides)}")
    raise SystemExit(0 if report.clean else 1)


def _about(side: Side) -> str:
    splits = ", ".join(f"{name} {count}" for name, count in side.splits.items())
    return (
        f"{side.format}, {side.clips} clips of {side.videos} videos, {side.identities} identities"
        f"{f', splits {splits}' if splits else ', no splits'}"
    )


def _unchecked(sides: tuple[Side, ...]) -> str:
    """What could not be looked for, because it is not said."""
    out = []
    if any(not side.identities for side in sides):
        out.append("identities (none are named)")
    elif any(side.without_identity for side in sides):
        out.append(f"identities of {sum(side.without_identity for side in sides)} clips (not named)")
    if any(not side.hashed for side in sides):
        out.append("content and near-duplicates (known for datasets only)")
    return f"; not checked: {', '.join(out)}" if out else ""
