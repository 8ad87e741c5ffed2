"""One optimiser step: parts of a batch, moving averages, half precision, discriminators."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import baselines
from baselines.training import Batch, Options, read_recipe, train
from baselines.training.learner import Learner
from baselines.training.recipe import Optimiser, Recipe
from baselines.training.state import STATE
from tests.baselines.test_distributed import ADVERSARIAL


def batch(rows, seed=0):
    frames = torch.rand(2, rows, 1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return Batch(frames[0], frames[1], {}, {})


def learner(**changes):
    """A convolution that is to turn sources into driving frames."""

    def generator_losses(networks, given, recipe, rng):
        made = networks["net"](given.source[:, 0])
        loss = recipe.weights["l2"] * (made - given.driving[:, 0]).square().mean()
        if recipe.discriminators:
            loss = loss - networks["judge"](made).mean()
        return {"l2": loss}, {"prediction": made[:, None], "more": {"a": [made]}}

    def discriminator_losses(networks, given, outputs, recipe, rng):
        assert not outputs["prediction"].requires_grad
        assert not outputs["more"]["a"][0].requires_grad
        fake, real = networks["judge"](outputs["prediction"][:, 0]), networks["judge"](given.driving[:, 0])
        return {"judge": fake.mean() - real.mean()}

    recipe = Recipe("net", "net", ("net",), 4, 4, Optimiser(0.1), {"l2": 3.0}, steps=1, **changes)
    torch.manual_seed(0)
    networks = {"net": nn.Conv2d(3, 3, 3, padding=1), "judge": nn.Conv2d(3, 1, 3)}
    objective = SimpleNamespace(generator_losses=generator_losses, discriminator_losses=discriminator_losses)
    return Learner(recipe, objective, networks, torch.device("cpu"), 0)


def weights(of, name="net"):
    return torch.cat([parameter.detach().flatten() for parameter in of.networks[name].parameters()])


def test_parts_of_a_batch_add_up_to_the_batch():
    whole, parts = learner(), learner()
    rows = batch(4)
    told, prediction, stopped = whole.step(1, [rows])
    halves = [Batch(rows.source[part], rows.driving[part], {}, {}) for part in (slice(0, 2), slice(2, 4))]
    in_parts, _, _ = parts.step(1, halves)
    assert in_parts["l2"] == pytest.approx(told["l2"], rel=1e-6)
    torch.testing.assert_close(weights(parts), weights(whole), atol=1e-5, rtol=0)
    assert prediction.shape == (4, 1, 3, 4, 4)
    assert not stopped


def test_the_average_moves_slowly_and_is_what_is_saved():
    found = learner(ema=0.9)
    before = weights(found).clone()
    found.step(1, [batch(2)])
    saved = torch.cat([p.flatten() for p in found.saved()["net"].parameters()])
    torch.testing.assert_close(saved, 0.9 * before + 0.1 * weights(found))
    assert learner().saved()["net"].weight.requires_grad


def test_each_network_learns_from_its_own_losses():
    found = learner(discriminators=("judge",), discriminator=Optimiser(0.01))
    judge, net = weights(found, "judge").clone(), weights(found).clone()
    told, _, _ = found.step(1, [batch(2)])
    assert set(told) == {"l2", "judge"}
    moved = (weights(found, "judge") - judge).abs()
    torch.testing.assert_close(moved[:-1], torch.full_like(moved[:-1], 0.01), atol=1e-4, rtol=0)  # Adam's first step
    assert moved[-1] == 0  # its bias says nothing of real and fake; of the generator's loss it would have learnt
    assert ((weights(found) - net).abs() > 0.05).all()


def test_rates_follow_the_schedule():
    found = learner(discriminators=("judge",), discriminator=Optimiser(0.02))
    found.set_rate(0.1)
    rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in found.optimisers.items()}
    assert rates == {"generator": pytest.approx(0.01), "discriminator": pytest.approx(0.002)}


def test_a_part_of_a_network_may_learn_at_a_rate_of_its_own():
    settings = Optimiser(0.1, factors={"net": 0.5, "net.weight": 2.0, "ne": 7.0})
    assert [settings.factor(name) for name in ("net.bias", "net.weight", "other")] == [0.5, 2.0, 1.0]
    found = learner()
    rated = Learner(
        replace(found.recipe, generator=settings), found.objective, found.networks, torch.device("cpu"), found.seed
    )
    rated.set_rate(0.1)
    before = {name: tensor.clone() for name, tensor in rated.networks["net"].state_dict().items()}
    rated.step(1, [batch(2)])
    for name, rate in (("weight", 0.02), ("bias", 0.005)):  # Adam's first step
        moved = (rated.networks["net"].state_dict()[name] - before[name]).abs()
        torch.testing.assert_close(moved, torch.full_like(moved, rate), atol=1e-4, rtol=0)


@pytest.fixture
def adversarial(recipe):
    path = recipe.with_name("adversarial.toml")
    path.write_text("ema = 0.9\n" + ADVERSARIAL)
    return path


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_run_with_all_of_it_goes_on_bit_for_bit(dataset, tmp_path, adversarial, precision):
    torch.set_num_threads(1)
    steps = 12 if precision == "fp16" else 4  # the first scales are too large for a step
    options = Options(recipe=adversarial, steps=steps, batch=4, accumulate=2, precision=precision, save_every=2)
    whole = train("fomm", dataset, tmp_path / "whole", options)

    def kill(step, steps, told):
        if step == 3:
            raise KeyboardInterrupt

    out = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        train("fomm", dataset, out, options, on_step=kill)
    again = train("fomm", dataset, out, replace(options, resume=True))
    assert again.read_bytes() == whole.read_bytes()
    state = torch.load(out / STATE, weights_only=True)
    averages = state["average"]["generator"]
    saved = load_file(whole)
    assert all(torch.equal(saved[f"generator.{name}"], tensor) for name, tensor in averages.items())
    assert not torch.equal(averages["final.weight"], state["networks"]["generator"]["final.weight"])
    assert bool(state["scaler"]) == (precision == "fp16")
    assert all(tensor.dtype == torch.float32 for name, tensor in saved.items() if not name.endswith("tracked"))
    assert read_recipe(adversarial).ema == 0.9
    baselines.load("fomm", checkpoint=whole)
