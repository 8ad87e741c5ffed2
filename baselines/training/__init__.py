"""Training in plain torch: `train` reads curated clips, follows a recipe, and leaves a checkpoint.

`batch` says what an objective (baselines/objectives) is given, `recipe` what a recipe (baselines/recipes) can say,
`trainer` is the loop. The rest are its parts: clips and frames (`data`), what is known of them (`extras`), which make a
row (`rows`), one optimiser step (`learner`), several processes (`distributed`), and what is written (`state`, `log`,
`strip`).
"""

from baselines.training.batch import Batch, Networks
from baselines.training.errors import Stopped, TrainingError
from baselines.training.plan import Plan, plan
from baselines.training.recipe import BadRecipe, Recipe, read_recipe, recipe_names
from baselines.training.setup import Aids, Options
from baselines.training.trainer import train

__all__ = [
    "Aids",
    "BadRecipe",
    "Batch",
    "Networks",
    "Options",
    "Plan",
    "Recipe",
    "Stopped",
    "TrainingError",
    "plan",
    "read_recipe",
    "recipe_names",
    "train",
]
