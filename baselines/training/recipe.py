"""How a model is trained, as written in baselines/recipes/<model>-<preset>.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from models.errors import UnknownName

RECIPES = Path(__file__).parent.parent / "recipes"
EXTENDS = "extends"


class BadRecipe(ValueError):
    """A recipe that cannot be followed; the message names the file and the key."""


@dataclass(frozen=True)
class Optimiser:
    """Adam's settings."""

    learning_rate: float
    betas: tuple[float, float] = (0.5, 0.999)
    factors: Mapping[str, float] = field(
        default_factory=dict
    )  # of the rate, by part or "part.module"; the longest counts

    def factor(self, name: str) -> float:
        """What the rate of a parameter, named "part.module.parameter", is multiplied by."""
        known = [prefix for prefix in self.factors if f"{name}.".startswith(f"{prefix}.")]
        return self.factors[max(known, key=len)] if known else 1.0


@dataclass(frozen=True)
class Recipe:
    """Every key of a recipe. Keys with a default may be left out."""

    architecture: str  # name for `models.create`
    objective: str  # module of baselines.objectives
    parts: tuple[str, ...]  # the networks that are trained on `generator_losses`, and saved
    resolution: int  # side of the frames
    batch: int  # rows of one optimiser step, in each process
    generator: Optimiser  # of `parts`
    weights: Mapping[str, float]  # of the losses; a loss that has no weight here is not computed
    name: str = ""  # the file's
    first: str = ""  # recipe whose run comes before this one, which starts from what it leaves
    preset: str = "mini"  # for `models.create`
    switches: Mapping[str, Any] = field(default_factory=dict)  # for `models.create`
    discriminators: tuple[str, ...] = ()  # the networks that are trained on `discriminator_losses`
    discriminator: Optimiser | None = None  # of `discriminators`
    judges: tuple[str, ...] = ()  # frozen networks that the objective asks: see baselines.training.judges
    steps: int = 0  # of the optimiser; 0: counted from epochs
    epochs: int = 0  # times that `repeats` rows of every clip are seen
    repeats: int = 1
    shots: int = 1  # K, source frames of a row
    frames: int = 1  # T, consecutive driving frames of a row
    needs: tuple[str, ...] = ()  # extras of the frames: see `Batch`
    mirror: bool = True  # half of the rows are mirrored
    decay_at: tuple[float, ...] = ()  # fractions of the run after which learning rates fall to a tenth
    ema: float = 0.0  # decay of the moving average of weights, which is then what is saved; 0: none
    precision: str = "fp32"  # or bf16, fp16
    settings: Mapping[str, Any] = field(default_factory=dict)  # what else the objective wants to know

    def steps_before(self, steps: int | None) -> int | None:
        """Steps of the recipe `first` for a run of so many steps instead of this recipe's; None: its own."""
        if steps is None or not self.steps:
            return None
        return max(1, round(read_recipe(self.first).steps * steps / self.steps))

    def steps_for(self, clips: int, rows: int) -> int:
        """Optimiser steps of the whole run on so many clips, with so many rows a step."""
        return self.steps or self.epochs * max(1, clips * self.repeats // rows)


def recipe_names() -> list[str]:
    """Names of all recipes that ship."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def read_recipe(name_or_path: str | Path) -> Recipe:
    """The recipe in a file or of a name that ships; `BadRecipe` names the key that is wrong, `UnknownName` the nearest
    names."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        if str(name_or_path) not in recipe_names():
            raise UnknownName("recipe", str(name_or_path), recipe_names())
        path = RECIPES / f"{name_or_path}.toml"
    recipe: Recipe = _build(Recipe, _table(path), str(path))
    recipe = replace(recipe, name=path.stem)
    _check(recipe, path)
    return recipe


def _table(path: Path) -> dict[str, Any]:
    """A file's keys over those of the recipe that it extends; tables are joined key by key."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadRecipe(f"{path} is no readable recipe: {error}") from error
    extended = table.pop(EXTENDS, None)
    if extended is None:
        return table
    base_path = path.parent / f"{extended}.toml"
    if not base_path.is_file():
        base_path = RECIPES / f"{extended}.toml"
    base = _table(base_path)
    joined = {key: {**base[key], **value} for key, value in table.items() if isinstance(value, dict) and key in base}
    return {**base, **table, **joined}


def _build(cls: type[Any], table: dict[str, Any], where: str) -> Any:
    hints = get_type_hints(cls)
    known = {one.name: one for one in fields(cls) if one.name != "name"}
    for key in table:
        if key not in known:
            raise BadRecipe(f"{where}: {UnknownName('key', key, known)}")
    missing = [
        name
        for name, one in known.items()
        if one.default is MISSING and one.default_factory is MISSING and name not in table
    ]
    if missing:
        raise BadRecipe(f"{where}: {missing[0]} is missing")
    return cls(**{key: _value(hints[key], value, f"{where}: {key}") for key, value in table.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    if hint in (Optimiser, Optimiser | None) and isinstance(value, dict):
        return _build(Optimiser, value, where)
    kinds: dict[Any, tuple[type, ...]] = {str: (str,), int: (int,), float: (int, float), bool: (bool,)}
    if hint in kinds:
        if not isinstance(value, kinds[hint]) or (isinstance(value, bool) and hint is not bool):
            raise BadRecipe(f"{where}: expected {hint.__name__}, got {value!r}")
        return hint(value)
    origin: Any = getattr(hint, "__origin__", None)
    inner: Any = getattr(hint, "__args__", ())
    if origin is tuple and isinstance(value, list):
        if inner[-1] is not ... and len(value) != len(inner):
            raise BadRecipe(f"{where}: expected {len(inner)} values, got {value!r}")
        return tuple(_value(inner[0], one, where) for one in value)
    if isinstance(value, dict):
        return {key: one if inner[1] is Any else _value(inner[1], one, f"{where}.{key}") for key, one in value.items()}
    raise BadRecipe(f"{where}: got {value!r}")


def _check(recipe: Recipe, path: Path) -> None:
    wrong = [name for name in ("resolution", "batch", "shots", "frames", "repeats") if getattr(recipe, name) < 1]
    if wrong:
        raise BadRecipe(f"{path}: {wrong[0]}: expected at least 1, got {getattr(recipe, wrong[0])}")
    if (recipe.steps > 0) == (recipe.epochs > 0):
        raise BadRecipe(f"{path}: expected either steps or epochs, got {recipe.steps} and {recipe.epochs}")
    if bool(recipe.discriminators) != (recipe.discriminator is not None):
        raise BadRecipe(f"{path}: discriminators (networks) and discriminator (their optimiser) go together")
    if recipe.precision not in ("fp32", "bf16", "fp16"):
        raise BadRecipe(f"{path}: precision: expected fp32, bf16 or fp16, got {recipe.precision!r}")
    if not 0 <= recipe.ema < 1:
        raise BadRecipe(f"{path}: ema: expected at least 0 and below 1, got {recipe.ema}")
