"""Recipes: what ships can be followed, and what is wrong in one is named."""

import pytest
import torch

import models
from baselines import model_class
from baselines.training import BadRecipe, read_recipe, recipe_names
from baselines.training.setup import _objective
from models.errors import UnknownName

JUDGED = {"perceptual": "vgg19", "perceptual-face": "vggface", "perceptual-builtin": "features-builtin"}


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_that_ships_can_be_followed(name):
    recipe = read_recipe(name)
    assert recipe.name == name
    objective = _objective(recipe)
    assert callable(objective.generator_losses)
    assert bool(recipe.discriminators) <= hasattr(objective, "discriminator_losses")
    with torch.device("meta"):
        networks = models.create(recipe.architecture, recipe.preset, **recipe.switches)
    assert {*recipe.parts, *recipe.discriminators} <= set(networks)
    assert all(JUDGED[loss] in recipe.judges for loss in recipe.weights if loss in JUDGED)
    model = name.removesuffix(f"-{recipe.preset}")
    if hasattr(model_class(recipe.architecture), "resolutions"):
        assert model_class(recipe.architecture).resolutions[recipe.preset] == recipe.resolution, model


GOOD = """
architecture = "fomm"
objective = "fomm"
parts = ["generator"]
resolution = 32
batch = 2
steps = 3

[generator]
learning_rate = 1e-3

[weights]
pixels = 1
"""


def test_a_recipe_is_read_with_its_defaults(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    recipe = read_recipe(path)
    assert (recipe.name, recipe.parts, recipe.weights) == ("mine", ("generator",), {"pixels": 1.0})
    assert recipe.generator.betas == (0.5, 0.999)
    assert recipe.steps_for(clips=10, rows=2) == 3


def test_a_recipe_can_extend_another(tmp_path):
    (tmp_path / "mine.toml").write_text(GOOD)
    child = tmp_path / "child.toml"
    child.write_text('extends = "mine"\nbatch = 5\n[weights]\ngradients = 2\n[switches]\nnum_kp = 4\n')
    recipe = read_recipe(child)
    assert (recipe.batch, recipe.steps, recipe.switches) == (5, 3, {"num_kp": 4})
    assert recipe.weights == {"pixels": 1.0, "gradients": 2.0}
    child.write_text('extends = "fomm-mini"\nsteps = 7\n')
    assert read_recipe(child).steps == 7


def test_epochs_count_rows_of_every_clip():
    recipe = read_recipe("fomm-paper")
    assert recipe.steps_for(clips=400, rows=40) == 100 * 400 * 75 // 40


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("colour = 1", r"unknown key 'colour'"),
        ("stepz = 1", r"unknown key 'stepz': did you mean steps\?"),
        ('steps = "many"', "steps: expected int, got 'many'"),
        ("steps = true", "steps: expected int, got True"),
        ("batch = 0", "batch: expected at least 1, got 0"),
        ("epochs = 2", "either steps or epochs"),
        ('parts = "generator"', "parts: got 'generator'"),
        ('precision = "fp8"', "precision: expected fp32, bf16 or fp16, got 'fp8'"),
        ("ema = 1.0", "ema: expected at least 0 and below 1"),
        ('discriminators = ["discriminator"]', "go together"),
        ("decay_at = [0.5, 'x']", "decay_at: expected float, got 'x'"),
        ('extends = "nothing"', "nothing"),
        ("steps = ", "no readable recipe"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, message):
    path = tmp_path / "mine.toml"
    key = change.split(" = ")[0]
    kept = [line for line in GOOD.splitlines() if not line.startswith(f"{key} =")]
    path.write_text("\n".join([change, *kept]))
    with pytest.raises(BadRecipe, match=message) as error:
        read_recipe(path)
    assert "toml" in str(error.value)


def test_optimisers_and_weights_are_checked_too(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("learning_rate", "rate"))
    with pytest.raises(BadRecipe, match=r"mine.toml: generator: unknown key 'rate'"):
        read_recipe(path)
    path.write_text(GOOD.replace("learning_rate = 1e-3", "betas = [0.5, 0.9]"))
    with pytest.raises(BadRecipe, match="generator: learning_rate is missing"):
        read_recipe(path)
    path.write_text(GOOD.replace("pixels = 1", 'pixels = "much"'))
    with pytest.raises(BadRecipe, match=r"weights.pixels: expected float, got 'much'"):
        read_recipe(path)
    with pytest.raises(UnknownName, match=r"recipe 'fom-mini': did you mean fomm-mini"):
        read_recipe("fom-mini")
