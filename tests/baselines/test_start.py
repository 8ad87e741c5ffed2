"""Training that starts from weights: the networks they hold are taken, others begin anew."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import models
from baselines.checkpoint import BadCheckpoint, MissingCheckpoint, save
from baselines.training import Options, TrainingError, plan, train
from baselines.training.setup import Aids, set_up
from tests.baselines.osfv_tiny import TINY


@pytest.fixture(autouse=True)
def _one_thread(tiny):
    torch.set_num_threads(1)


def test_the_networks_of_a_checkpoint_are_where_training_starts(dataset, tmp_path, recipe):
    first = train("fomm", dataset, tmp_path / "first", Options(recipe=recipe, steps=2, batch=2))
    stored = load_file(first)
    for start in (first, first.parent):
        options = Options(recipe=recipe, steps=2, batch=2, seed=5, start=start)
        setup = set_up("fomm", dataset, tmp_path, options, Aids())
        assert setup.start == hashlib.sha256(first.read_bytes()).hexdigest()
        for part, network in setup.learner.networks.items():
            for key, value in network.state_dict().items():
                assert torch.equal(value, stored[f"{part}.{key}"]), key
    assert set_up("fomm", dataset, tmp_path, replace(options, start=None), Aids()).start is None


def test_one_of_several_networks_may_come_from_a_checkpoint(dataset, tmp_path, recipe):
    torch.manual_seed(9)
    detector = models.create("fomm", "mini")["kp_detector"]
    save(tmp_path / "one.safetensors", {"kp_detector": detector}, model="fomm", preset="mini", steps=1)
    start = tmp_path / "one.safetensors"
    setup = set_up("fomm", dataset, tmp_path, Options(recipe=recipe, steps=2, batch=2, start=start), Aids())
    fresh = set_up("fomm", dataset, tmp_path, Options(recipe=recipe, steps=2, batch=2), Aids())
    for key, value in setup.learner.networks["kp_detector"].state_dict().items():
        assert torch.equal(value, detector.state_dict()[key]), key
    for key, value in setup.learner.networks["generator"].state_dict().items():
        assert torch.equal(value, fresh.learner.networks["generator"].state_dict()[key]), key


def test_a_run_goes_on_only_with_what_it_started_from(dataset, tmp_path, recipe):
    first = train("fomm", dataset, tmp_path / "first", Options(recipe=recipe, steps=1, batch=2))
    options = Options(recipe=recipe, steps=1, batch=2, start=first)
    train("fomm", dataset, tmp_path / "second", options)
    with pytest.raises(TrainingError, match="holds another run: start"):
        train("fomm", dataset, tmp_path / "second", replace(options, start=None, resume=True))


def test_weights_that_cannot_be_a_start_are_named(dataset, tmp_path, recipe):
    with pytest.raises(MissingCheckpoint, match="nowhere does not exist"):
        train("fomm", dataset, tmp_path / "out", Options(recipe=recipe, steps=1, start="nowhere"))
    other = models.create("osfv", "mini", **TINY)
    save(tmp_path / "osfv.safetensors", {"generator": other["generator"]}, model="osfv", preset="mini", steps=1)
    with pytest.raises(BadCheckpoint, match="model 'osfv'"):
        train("fomm", dataset, tmp_path / "out", Options(recipe=recipe, steps=1, start=tmp_path / "osfv.safetensors"))
    save(tmp_path / "none.safetensors", {"other": other["generator"]}, model="fomm", preset="mini", steps=1)
    with pytest.raises(TrainingError, match="holds none of the networks"):
        train("fomm", dataset, tmp_path / "out", Options(recipe=recipe, steps=1, start=tmp_path / "none.safetensors"))
    assert not (tmp_path / "out").exists()


@pytest.fixture
def after(recipe):
    """A recipe of which another comes first."""
    before, path = recipe.with_name("before.toml"), recipe.with_name("after.toml")
    before.write_text(
        'extends = "tiny"\nobjective = "keypoints"\nparts = ["kp_detector"]\nneeds = ["landmarks68"]\nsteps = 4\n'
        "[weights]\nlandmarks = 10\n[settings]\nlandmarks = [8, 36, 45]\n"
    )
    path.write_text(f'extends = "tiny"\nfirst = "{before}"\nsteps = 2\n')
    return path


def one_face():
    return lambda name, frames: np.full((len(frames), 68, 2), 20.0, np.float32)


def test_a_recipe_may_name_one_that_comes_first(dataset, tmp_path, after):
    seen = []
    aids = Aids(open_maker=one_face)
    options = Options(recipe=after, batch=2)
    train(
        "fomm", dataset, tmp_path / "out", options, aids=aids, on_step=lambda step, steps, _: seen.append((step, steps))
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4), (1, 2), (2, 2)]
    told = json.loads((tmp_path / "out" / "training.json").read_text())
    first = tmp_path / "out" / "first" / "checkpoint.safetensors"
    assert told["start"] == hashlib.sha256(first.read_bytes()).hexdigest()
    assert json.loads((first.parent / "training.json").read_text())["recipe"] == "before"
    twice = plan("fomm", dataset, tmp_path / "cache", replace(options, steps=1), aids=aids)
    assert twice.first.steps == 2  # as many as of the recipe's own
    assert twice.seconds == pytest.approx(2 * twice.first.seconds_per_step + twice.seconds_per_step)
    given = plan("fomm", dataset, tmp_path / "cache", replace(options, start=first), aids=aids)
    assert given.first is None


def test_a_run_that_was_killed_before_or_between_goes_on_to_the_same_bits(dataset, tmp_path, after):
    options = Options(recipe=after, batch=2, save_every=1)
    aids = Aids(open_maker=one_face)
    whole = train("fomm", dataset, tmp_path / "whole", options, aids=aids)
    steps = []

    def kill(step, steps_of_run, _):
        steps.append(step)
        if len(steps) in (3, 6):  # in the first run; then in the one after it
            raise KeyboardInterrupt

    out = tmp_path / "killed"
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train("fomm", dataset, out, replace(options, resume=True), aids=aids, on_step=kill)
    again = train("fomm", dataset, out, replace(options, resume=True), aids=aids, on_step=kill)
    assert again.read_bytes() == whole.read_bytes()
