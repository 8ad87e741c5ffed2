"""`bench speed`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bench.commands.options import PRECISION
from curate.console import print_json


@click.command()
@click.option("--model", required=True, help="What to measure; `bench list models` names them.")
@click.option("--preset", default="mini", show_default=True, help="Size of the model: mini or paper.")
@click.option("--checkpoint", help="Weights, as for `bench run`; where there are none, random ones serve.")
@click.option("--device", default="cpu", show_default=True, help="Where the model runs: cpu or cuda.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Driving frames at once.")
@PRECISION
@click.option("--compiled", is_flag=True, help="Compile the networks first, which takes minutes.")
@click.option("--repeats", type=click.IntRange(1), default=10, show_default=True, help="Calls that are timed.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the record to this JSON file too.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def speed(as_json: bool, out: Path | None, **options: Any) -> None:
    """Say how long a model takes for a driving frame, with the source encoded beforehand, and what it needs."""
    from bench.speed import Request
    from bench.speed import speed as measured
    from curate.files import write_json

    found = measured(Request(**options))
    if out is not None:
        write_json(out, found)
    if as_json:
        print_json(found)
        return
    frame, source, machine = found["ms_per_frame"], found["ms_encode_source"], found["machine"]
    gmac = "not counted" if found["gmac_per_frame"] is None else f"{found['gmac_per_frame']:g}"
    of_source = "not counted" if found["gmac_source"] is None else f"{found['gmac_source']:g}"
    lines = {
        "model": f"{found['model']}, {found['preset']}, {found['resolution']} x {found['resolution']}",
        "weights": found["weights"],
        "ms per driving frame": f"{frame['median']:g} ({frame['min']:g} to {frame['max']:g}, {found['repeats']} calls)",
        "frames per second": f"{found['frames_per_second']:g}",
        "ms to encode a source": f"{source['median']:g} ({source['min']:g} to {source['max']:g})",
        "peak memory, MB": f"{found['peak_memory_mb']:g}",
        "GMAC per driving frame": gmac,
        "GMAC of a source": of_source,
        "parameters": f"{found['parameters']:,}",
        "batch, precision": f"{found['batch']}, {found['precision']}{', compiled' if found['compiled'] else ''}",
        "device": f"{machine['device']}, {machine['torch_threads']} threads, torch {found['torch']}",
    }
    for key, value in lines.items():
        click.echo(f"{key}: {value}")
