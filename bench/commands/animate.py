"""`bench animate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bench.commands.options import PRECISION

FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command()
@click.option("--model", required=True, help="Which model; `bench list models` names them.")
@click.option("--source", type=FILE, required=True, help="Image of the face that is to move.")
@click.option("--driving", type=FILE, required=True, help="Video of the face that moves.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The video to write, .mp4.")
@click.option("--preset", default="mini", show_default=True, help="Size of the model: mini or paper.")
@click.option("--checkpoint", help="Weights: a file, a folder of `bench train` or a shipped name.")
@click.option("--relative", is_flag=True, help="Add the video's motion to the source's own pose.")
@click.option("--best-frame", "best", is_flag=True, help="With --relative: from the frame posed most like the source.")
@click.option("--device", default="cpu", show_default=True, help="Where the model runs: cpu or cuda.")
@PRECISION
def animate(**options: Any) -> None:
    """Move a portrait as the face in a video moves; prints the file, which has no sound.

    Faces should fill their frames as the model's training clips do; `curate build` cuts videos so.
    """
    from bench.animate import Request
    from bench.animate import animate as make

    click.echo(make(Request(**options)))
