"""The weights of fs-vid2vid that ship: what their card says, and that they do what they are for."""

import json

import pytest
import torch

import baselines
from baselines.checkpoint import WEIGHTS
from curate.dataset import Dataset
from curate.files import sha256_file
from curate.synth.dataset import make
from curate.synth.recipe import Recipe
from curate.synth.truth import Truth


@pytest.fixture(scope="module")
def model():
    return baselines.load("fs-vid2vid")


def test_the_card_is_of_the_file(model):
    card = json.loads((WEIGHTS / "fs-vid2vid-mini.json").read_text())
    spec, path = model.spec, WEIGHTS / "fs-vid2vid-mini.safetensors"
    assert card["sha256"] == spec.weights_sha256 == sha256_file(path)
    assert (card["steps"], card["parameters"]) == (spec.details["steps"], spec.parameters)
    assert (spec.preset, spec.resolution, spec.shots) == ("mini", card["resolution"], 8)
    assert path.stat().st_size < 3.2e6


def test_it_is_better_than_a_copy_of_the_source_on_people_it_never_saw(model, tmp_path):
    root = tmp_path / "heads"
    recipe = Recipe(train=0, test=2, clips_per_identity=1, seconds=0.8, size=64, seed=3)  # trained on seed 31
    assert make(root, recipe, workers=1).failed == ()
    dataset, truth = Dataset.open(root), Truth.open(root)
    errors = dict.fromkeys(("copy", "one", "many"), 0.0)
    for clip in dataset.clips:
        known = truth.clip(clip.clip_id)
        side = model.spec.resolution
        images = torch.from_numpy(dataset.frames(clip, range(20), side)).permute(0, 3, 1, 2).float() / 255
        points = (torch.tensor(known.landmarks2d).float() + 0.5) * (side / known.size) - 0.5
        driving, driver = images[3:], {"landmarks68": points[3:]}
        errors["copy"] += float((images[:1] - driving).square().mean())
        for name, shots in (("one", 1), ("many", 3)):
            source = model.encode_source(images[:shots], {"landmarks68": points[:shots]})
            errors[name] += float((model.reenact(source, driving, driver) - driving).square().mean())
    assert errors["one"] < 0.8 * errors["copy"], errors
    assert errors["many"] < 0.8 * errors["copy"], errors
