"""`bench mock`."""

from __future__ import annotations

from dataclasses import asdict

import click

from curate.console import print_json


@click.command()
@click.option("--model", required=True, help="A name of `bench list models`, or package.module:Class.")
@click.option("--preset", default="mini", show_default=True, help="Size of the model: mini or paper.")
@click.option("--checkpoint", help="Weights, as for `bench run`.")
@click.option("--device", default="cpu", show_default=True, help="Where the model runs: cpu or cuda.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def mock(context: click.Context, /, model: str, as_json: bool, **options: str) -> None:
    """Check a model on toy pairs, in seconds and without a dataset, and say what is wrong with it."""
    from bench.mock import mock as looked

    found = looked(model, **options)
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        for finding in found:
            click.echo(f"{finding.level:8}{finding.what}: {finding.why}")
    context.exit(1 if any(finding.level == "wrong" for finding in found) else 0)
