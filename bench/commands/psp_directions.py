"""`bench psp-directions`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--out", type=FILE, required=True, help="The safetensors file to write: the weights and the directions.")
@click.option("--checkpoint", required=True, help="pSp's weights: a file, a training folder, or a name.")
@click.option("--directions", type=FILE, help="A safetensors file that holds the directions.")
@click.option("--dataset", help="Frames to fit to, for an encoder that does not frontalise: a folder or a name.")
@click.option("--samples", type=click.IntRange(8), default=2000, show_default=True, help="Else: pictures to draw.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the pictures.")
@click.option("--device", default="cpu", show_default=True, help="Where to compute: cpu or cuda.")
@click.option("--unverified", is_flag=True, help="Take a published file whose hash is not known here.")
def psp_directions(out: Path, **options: Any) -> None:
    """Put latent directions of yaw, pitch and roll beside pSp's weights, so that it can turn heads; prints the file.

    They are fitted to pictures that the decoder draws, whose poses the builtin network sees, unless a file or a
    dataset is named.
    """
    from bench.psp_directions import add_directions

    click.echo(add_directions(out, **options))
