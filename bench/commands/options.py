"""Options that several commands share."""

from __future__ import annotations

import click

PRECISION = click.option(
    "--precision",
    type=click.Choice(("fp32", "bf16", "fp16")),
    default="fp32",
    show_default=True,
    help="Of the networks.",
)
