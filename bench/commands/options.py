"""Options that several commands share."""

from __future__ import annotations

import click

DATASET = "synthheads-mini"  # bench.datasets.DEFAULT: naming it here loads nothing
DATASET_HELP = "A folder that `curate` wrote, or a name of `bench list datasets`, rendered at first use."
PRECISION = click.option(
    "--precision",
    type=click.Choice(("fp32", "bf16", "fp16")),
    default="fp32",
    show_default=True,
    help="Of the networks.",
)
