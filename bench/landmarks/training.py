"""`bench train-landmark-transformer`: fit, measure on people that took no part, write the file and its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import models
from baselines.checkpoint import load_networks, save
from baselines.landmark_transformer import Examples, fit
from bench.baseline_errors import baseline_errors
from bench.datasets import open_dataset
from bench.landmarks import measure, people
from curate.console import milestone, progress, say
from curate.errors import UserError
from curate.files import sha256_file, write_json
from models.landmark_transformer import LandmarkTransformer

MODEL = "landmark-transformer"
STEPS = 4000
PEOPLE = 400
POPULATION = 4100  # of the people that are drawn to fit on; the seed is added to it
JUDGED, JUDGES_PEOPLE = 7300, 24  # another population, to measure on


def train_landmark_transformer(
    out: Path,
    *,
    dataset: str | None = None,
    drawn: int = PEOPLE,
    preset: str = "mini",
    steps: int = STEPS,
    seed: int = 0,
    device: str = "cpu",
) -> Path:
    """Fit on a dataset without its test split, or on the geometry of so many drawn people; gives the file's path.

    Raises `UserError`.
    """
    with baseline_errors():
        torch.manual_seed(seed)
        transformer = models.create(MODEL, preset)["transformer"]
    assert isinstance(transformer, LandmarkTransformer)  # noqa: S101  what its name means
    if dataset is None:
        if transformer.config.image:
            raise UserError(f"preset {preset} sees images, and drawn people have none: name a dataset")
        examples = people.examples(people.drawn(POPULATION + seed, drawn))
        data: dict[str, Any] = {"people": drawn, "population": POPULATION + seed}
    else:
        opened = open_dataset(dataset)
        with baseline_errors():
            lifter = load_networks(MODEL, "mini", None, "cpu", ("transformer",))[0]["transformer"]
        assert isinstance(lifter, LandmarkTransformer)  # noqa: S101
        examples = people.dataset_examples(opened, lifter, _image_side(transformer))
        data = {"dataset": opened.name, "fingerprint": opened.fingerprint}
    data["frames"] = len(examples.landmarks)

    say(f"{len(examples.landmarks)} frames of {int(examples.people.max()) + 1} people")
    moved = Examples(**{name: None if part is None else part.to(device) for name, part in vars(examples).items()})  # type: ignore[arg-type]  # only fields that may be None are
    with progress() as bar:
        item = bar.add_task("fit", total=steps, note="")

        def show(step: int, total: int, loss: float) -> None:
            note = f"{loss:.1%} of the expressions not predicted"
            bar.update(item, completed=step, note=note)
            if milestone(step, total):
                say(f"step {step} of {total}: {note}")

        fit(transformer.to(device), moved, steps=steps, seed=seed, progress=show)
    path = out / f"{MODEL}-{preset}.safetensors"
    save(path, {"transformer": transformer.cpu()}, model=MODEL, preset=preset, steps=steps, half=True)
    write_json(path.with_suffix(".json"), _card(path, preset, steps, seed, device, data))
    return path


def _image_side(transformer: LandmarkTransformer) -> int | None:
    return transformer.config.image_side if transformer.config.image else None


def _card(path: Path, preset: str, steps: int, seed: int, device: str, data: dict[str, Any]) -> dict[str, Any]:
    """What is known of the file that was written, measured on it as it will be read."""
    transformer = load_networks(MODEL, preset, path, "cpu", ("transformer",))[0]["transformer"]
    assert isinstance(transformer, LandmarkTransformer)  # noqa: S101
    card: dict[str, Any] = {
        "model": MODEL,
        "preset": preset,
        "parameters": sum(p.numel() for p in transformer.parameters()),
        "sha256": sha256_file(path),
        "steps": steps,
        "seed": seed,
        "device": device,
        "torch": torch.__version__.split("+")[0],
        "data": data,
        "recipe": "baselines.landmark_transformer.fit: half of every batch known in 3D, half lifted from noisy image "
        "points; Adam 1e-3, one cycle",
        "limits": "Where it was fitted on drawn heads, it knows the faces and expressions of SynthHeads and says "
        "nothing of real ones.",
    }
    if not transformer.config.image:
        judged = people.drawn(JUDGED, JUDGES_PEOPLE, clips=1)
        card["measured"] = {
            "what": "percent of the outer eye corners' distance, on drawn people of another population; see "
            "bench/landmarks/measure.py",
            "known_in_3d": _rounded(measure.transfer_errors(transformer, judged)),
            "lifted": _rounded(measure.transfer_errors(transformer, judged, lifted=True)),
        }
    return card


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}
