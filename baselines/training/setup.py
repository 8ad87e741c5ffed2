"""From a model's name and a dataset to everything that a run needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

import models
from baselines import check_preset, model_class
from baselines.checkpoint import fill, find, read
from baselines.training.batch import Networks
from baselines.training.data import Clips, Decoder, FrameReader, open_clips
from baselines.training.distributed import Group
from baselines.training.errors import TrainingError
from baselines.training.extras import Extras, Maker
from baselines.training.learner import Learner
from baselines.training.recipe import Recipe, read_recipe, recipe_names

OBJECTIVES = "baselines.objectives"


@dataclass(frozen=True)
class Options:
    """What the user of a recipe chooses; None: as the recipe says."""

    preset: str = "mini"
    recipe: str | Path | None = None  # a recipe's name or file; None: <model>-<preset>
    steps: int | None = None
    batch: int | None = None  # rows of an optimiser step in each process
    accumulate: int = 1  # parts in which a batch is computed, one after the other
    seed: int = 0
    device: str = "cpu"
    precision: str | None = None
    workers: int | None = None  # processes that read frames; None: none for frames from a cache file, else two
    compiled: bool = False  # torch.compile
    start: str | Path | None = None  # a checkpoint of the model, whose networks training starts from
    resume: bool = False
    wandb: bool = False
    cache: Path | None = None  # folder for frames and extras; None: below the run's
    save_every: int = 100  # steps
    strip_every: int = 100


@dataclass(frozen=True)
class Aids:
    """What comes from outside this package."""

    judges: Mapping[str, Callable[[], nn.Module]] = field(default_factory=dict)  # frozen networks by their names
    open_maker: Callable[[], Maker] | None = None  # of extras that a dataset does not bring


@dataclass(frozen=True)
class Setup:
    """A run before its first step."""

    name: str
    recipe: Recipe
    steps: int
    batch: int
    clips: Clips
    extras: Extras
    learner: Learner
    start: str | None = None  # sha256 of the checkpoint that it starts from


def find_recipe(name: str, options: Options) -> Recipe:
    """The recipe of model `name`; `TrainingError` or `UnknownName` if there is none."""
    check_preset(options.preset)
    model_class(name)
    if options.recipe is not None:
        return read_recipe(options.recipe)
    default = f"{name}-{options.preset}"
    if default not in recipe_names():
        if any(known.startswith(f"{name}-") for known in recipe_names()):
            raise TrainingError(f"model {name} has no recipe for preset {options.preset}")
        raise TrainingError(f"model {name} has nothing to train")
    return read_recipe(default)


def options_before(recipe: Recipe, options: Options) -> Options:
    """Options of the run that comes first: its own rows a step, and of its steps the share that is asked of these."""
    steps = recipe.steps_before(options.steps)
    return replace(options, recipe=recipe.first, steps=steps, batch=None, accumulate=1)


def set_up(name: str, dataset_root: Path, cache: Path, options: Options, aids: Aids) -> Setup:
    """Networks, optimisers, clips; nothing is written. Raises `TrainingError` and the errors of `find_recipe`."""
    recipe = find_recipe(name, options)
    batch = recipe.batch if options.batch is None else options.batch
    if batch < 1 or (options.steps is not None and options.steps < 1):
        raise TrainingError(f"expected at least one step and one row a step, got steps {options.steps}, batch {batch}")
    if options.accumulate < 1 or batch % options.accumulate:
        raise TrainingError(f"a batch of {batch} cannot be computed in {options.accumulate} equal parts")
    objective = _objective(recipe)
    clips = open_clips(dataset_root, recipe.resolution, max(2, recipe.shots + recipe.frames))
    device = torch.device(options.device)
    networks = _networks(recipe, objective, aids, options.seed)
    start = _start_from(options.start, name, recipe, networks) if options.start is not None else None
    for network in networks.values():
        _channels_last(network.to(device, torch.get_default_dtype()))
        if options.compiled:
            network.compile()
    group = Group.join(device)
    group.prepare(networks[part] for part in (*recipe.parts, *recipe.discriminators))
    precision = options.precision or recipe.precision
    learner = Learner(recipe, objective, networks, device, options.seed, group, precision)
    steps = options.steps or recipe.steps_for(len(clips.chosen), batch * group.world)
    return Setup(name, recipe, steps, batch, clips, Extras(clips, recipe.needs, cache, aids.open_maker), learner, start)


def workers_for(options: Options, reader: FrameReader) -> int:
    """How many processes read frames."""
    return (2 if isinstance(reader, Decoder) else 0) if options.workers is None else options.workers


def _objective(recipe: Recipe) -> ModuleType:
    name = recipe.objective if "." in recipe.objective else f"{OBJECTIVES}.{recipe.objective}"
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise TrainingError(f"recipe {recipe.name}: there is no objective {name}") from error


def _networks(recipe: Recipe, objective: ModuleType, aids: Aids, seed: int) -> Networks:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        every = models.create(recipe.architecture, recipe.preset, **recipe.switches)
        if hasattr(objective, "prepare"):
            objective.prepare(every, recipe)
    chosen = (*recipe.parts, *recipe.discriminators)
    for part in chosen:
        if part not in every:
            raise TrainingError(f"recipe {recipe.name}: {recipe.architecture} has no network {part!r}")
    networks = {part: every[part].train() for part in chosen}
    for judge in recipe.judges:
        if judge not in aids.judges:
            raise TrainingError(f"recipe {recipe.name} asks the network {judge!r}, which is not at hand")
        networks[judge] = aids.judges[judge]().eval().requires_grad_(False)
    return networks


def _start_from(checkpoint: str | Path, name: str, recipe: Recipe, networks: Networks) -> str:
    """Put those networks of a checkpoint that the recipe trains in place of fresh ones; gives the file's sha256."""
    found = read(find(name, recipe.preset, checkpoint), name)
    shared = {part: networks[part] for part in (*recipe.parts, *recipe.discriminators) if part in found.state}
    if not shared:
        raise TrainingError(f"{found.path} holds none of the networks that recipe {recipe.name} trains")
    fill(shared, found)
    return found.sha256


def _channels_last(network: nn.Module) -> None:
    """Lay out the weights of 2D convolutions as the faster kernels want them."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
