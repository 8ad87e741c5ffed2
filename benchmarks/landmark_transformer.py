"""The landmark transformer on people it never saw: transfer, separation of identity and expression, choices.

    python benchmarks/landmark_transformer.py [--weights FILE] [--dataset synthheads-mini] [--choices]

Prints the tables of docs/marionette.md. `--choices` fits variants, each on 100 people in 1000 steps.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch

import baselines.landmark_transformer as fitting
import models
import models.landmark_transformer as architecture
from baselines.checkpoint import load_networks
from bench.datasets import open_dataset
from bench.landmarks import measure, people
from bench.landmarks.people import Moving
from models.landmark_transformer import LandmarkTransformer

POPULATION, PEOPLE, MANY = 9100, 60, 300  # not those of the fit, nor those that the card is measured on
CHOICE_PEOPLE, CHOICE_STEPS = 100, 1000
ALL_POINTS = tuple(range(68))


def transfers(transformer: LandmarkTransformer, name: str, clips: Sequence[Moving]) -> None:
    ways = [("known in 3D", False, clips)]
    drawn = clips[0].found is None
    ways.append((f"found in the image{' (true, and noise)' if drawn else ' by the builtin evaluator'}", True, clips))
    for landmarks, lifted, these in ways:
        for shots in (1, 8):
            found = measure.transfer_errors(transformer, these, shots, lifted=lifted)
            cells = [
                f"{found[kind]:.2f} / {found[f'{kind}_driver']:.2f} = {found[kind] / found[f'{kind}_driver']:.2f}"
                for kind in ("shape", "drawn", "placed")
            ]
            print(f"| {name} | {landmarks} | {shots} | {' | '.join(cells)} |", flush=True)


def fitted(examples: Any, **switches: Any) -> LandmarkTransformer:
    torch.manual_seed(0)
    transformer = cast(LandmarkTransformer, models.create("landmark-transformer", "mini", **switches)["transformer"])
    fitting.fit(transformer, examples, steps=CHOICE_STEPS)
    return transformer


def choices(clips: Sequence[Moving]) -> None:
    examples = people.examples(people.drawn(4100, CHOICE_PEOPLE))
    many = people.drawn(POPULATION, MANY, clips=1, frames=8)

    def tell(name: str, transformer: LandmarkTransformer) -> None:
        known = measure.transfer_errors(transformer, clips)
        lifted = measure.transfer_errors(transformer, clips, lifted=True)
        told = measure.separation(transformer, many)
        print(
            f"| {name} | {known['shape']:.2f} | {lifted['shape']:.2f} | {lifted['drawn']:.2f} "
            f"| {told['identity_within']:.1%} | {told['units_from_identity']:.2f} |",
            flush=True,
        )

    chosen = fitted(examples)
    tell("as chosen", chosen)
    for scale in (0.75, 1.25, 1.5):
        chosen.config = architecture.Config(hidden=256, image=False, expression_scale=scale)
        tell(f"lambda_exp {scale}", chosen)
    chosen.config = architecture.Config(hidden=256, image=False)
    near, architecture.NEARNESS = architecture.NEARNESS, 0.0
    tell("lifted without perspective", fitted(examples))
    architecture.NEARNESS = near
    tell("fitted on landmarks known in 3D alone", fitted(fitting.Examples(examples.landmarks, examples.people)))
    tell("4, 4, 4, 8, 4 vectors", fitted(examples, basis=(4, 4, 4, 8, 4)))
    few = examples.people < 12
    tell("12 people", fitted(fitting.Examples(examples.landmarks[few], examples.people[few], examples.points[few])))
    architecture.RIGID = fitting.RIGID = ALL_POINTS
    tell("pose from all 68 points", fitted(examples))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, help="a file of bench train-landmark-transformer; default: what ships")
    parser.add_argument("--dataset", default="synthheads-mini")
    parser.add_argument("--choices", action="store_true")
    arguments = parser.parse_args()
    networks, _ = load_networks("landmark-transformer", "mini", arguments.weights, "cpu", ("transformer",))
    transformer = cast(LandmarkTransformer, networks["transformer"])
    drawn = people.drawn(POPULATION, PEOPLE, clips=2)
    if arguments.choices:
        print("| choice | shape, 3D | shape, lifted | drawn, lifted | identity within people | units from identity |")
        print("|---|---|---|---|---|---|")
        choices(drawn)
        return
    print("| people | landmarks | K | shape | drawn | placed |\n|---|---|---|---|---|---|")
    transfers(transformer, f"{PEOPLE} drawn", drawn)
    dataset = open_dataset(arguments.dataset)
    transfers(transformer, f"{dataset.name}, test", people.of_dataset(dataset, "test", look=True))
    print("\n| separation | |\n|---|---|")
    many = people.drawn(POPULATION, MANY, clips=1, frames=8)
    for name, value in measure.separation(transformer, many).items():
        print(f"| {name} | {value:.3f} |")


if __name__ == "__main__":
    main()
