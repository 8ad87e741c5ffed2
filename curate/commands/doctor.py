"""`curate doctor`: what is there, what is missing, and what mends it."""

from __future__ import annotations

from pathlib import Path

import click

from curate.console import print_json, print_table


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out/dataset"), show_default=True, help="Folder to build in."
)
@click.option("--detector", default="mtcnn", show_default=True, help="Face detector that is to work.")
@click.option("--cookies", type=click.Path(path_type=Path), default=None, help="Cookies file that downloads will use.")
@click.option("--network", is_flag=True, help="Also look whether videos can be downloaded: asks one small file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def doctor(out: Path, detector: str, cookies: Path | None, network: bool, as_json: bool) -> None:
    """Look for everything that curation needs, and say how to mend what is missing.

    Exit code: 0 all there (notes are about parts that not every build uses), 3 something needed is missing.
    """
    from dataclasses import asdict

    from curate.doctor import examine

    checks = list(examine(out, detector=detector, cookies=cookies, network=network))
    missing = [check for check in checks if check.state == "missing"]
    if as_json:
        print_json({"ready": not missing, "checks": [asdict(check) for check in checks]})
    else:
        print_table(("what", "state", "found"), [(check.name, check.state, check.found) for check in checks])
        for check in checks:
            if check.mend and check.state != "ok":
                click.echo(f"{check.state}: {check.name}: {check.mend}")
        click.echo(f"{len(missing)} needed things are missing" if missing else "ready")
    raise SystemExit(3 if missing else 0)
