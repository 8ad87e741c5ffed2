"""Training that starts from weights: the networks they hold are taken, others begin anew."""

import hashlib
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

import models
from baselines.checkpoint import BadCheckpoint, MissingCheckpoint, save
from baselines.objectives import head_pose
from baselines.training import Options, TrainingError, train
from baselines.training.batch import Batch
from baselines.training.recipe import read_recipe
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


def test_head_poses_are_learnt_alone():
    torch.manual_seed(0)
    networks = {"he_estimator": models.create("osfv", "mini", **TINY)["he_estimator"]}
    side = torch.linspace(-1, 1, 32)
    poses = torch.tensor([[-30.0, 0, 0], [30.0, 0, 0], [-30.0, 10, 0], [30.0, -10, 5]])
    frames = torch.stack([(side * yaw / 60 + 0.5).expand(3, 32, 32) for yaw in poses[:, 0]])[:, None]
    batch = Batch(frames, frames, {"pose": poses[:, None]}, {"pose": poses[:, None]})
    recipe = read_recipe("osfv-pose-mini")
    optimiser = torch.optim.Adam(networks["he_estimator"].parameters(), lr=3e-3)
    seen = []
    for _ in range(50):
        found, outputs = head_pose.generator_losses(networks, batch, recipe, torch.Generator())
        optimiser.zero_grad()
        sum(found.values()).backward()
        optimiser.step()
        seen.append(float(found["head_pose"].detach()))
    assert outputs == {}
    assert set(found) == set(recipe.weights)
    assert seen[-1] < 0.5 * seen[0]
