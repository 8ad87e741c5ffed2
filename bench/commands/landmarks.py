"""`bench train-landmark-transformer`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Where file and card go.")
@click.option("--dataset", help="A folder or a name, as for `bench train`.  [default: the geometry of drawn people]")
@click.option("--people", "drawn", type=click.IntRange(2), default=400, show_default=True, help="How many are drawn.")
@click.option("--preset", default="mini", show_default=True, help="mini sees landmarks alone, paper images too.")
@click.option("--steps", type=click.IntRange(1), default=4000, show_default=True, help="Of the predictor.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of people, first weights and batches.")
@click.option("--device", default="cpu", show_default=True, help="Where to train: cpu or cuda.")
def train_landmark_transformer(out: Path, **options: Any) -> None:
    """Fit what gives a driver's expressions to another face; prints the file.

    Landmarks of rendered heads are known in 3D; in other clips the builtin evaluator finds them, and the transformer
    that ships gives them depth. The test split is left out.
    """
    from bench.landmarks.training import train_landmark_transformer

    click.echo(train_landmark_transformer(out, **options))
