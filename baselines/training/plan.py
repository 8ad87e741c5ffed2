"""What a run would be, from a few real steps; nothing is written but extras that must be made."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from baselines.training.data import Decoder, find_cache
from baselines.training.recipe import Recipe
from baselines.training.rows import Rows, batches
from baselines.training.setup import Aids, Options, find_recipe, options_before, set_up

WARM_UP, TIMED = 1, 2  # steps


@dataclass(frozen=True)
class Plan:
    """A run before it is begun."""

    recipe: Recipe
    steps: int
    batch: int
    clips: int
    frames: int
    parameters: dict[str, int]  # by network that is trained
    seconds_per_step: float
    losses: dict[str, float]  # of the last step that was tried
    first: Plan | None = None  # of the run that comes before

    @property
    def seconds(self) -> float:
        """Of all steps, those of the run before among them."""
        return self.steps * self.seconds_per_step + (self.first.seconds if self.first else 0)


def plan(name: str, dataset_root: Path, cache: Path, options: Options, *, aids: Aids | None = None) -> Plan:
    """Try a few steps of `train`; raises what it raises."""
    first = None
    recipe = find_recipe(name, options)
    if recipe.first and options.start is None:
        first = plan(name, dataset_root, cache, options_before(recipe, options), aids=aids)
    setup = set_up(name, dataset_root, cache, options, aids or Aids())
    learner = setup.learner
    reader = find_cache(setup.clips, cache) or Decoder(setup.clips)
    source = batches(
        Rows(reader, setup.extras, recipe, options.seed),
        done=0,
        steps=WARM_UP + TIMED,
        batch=setup.batch,
        accumulate=options.accumulate,
        rank=0,
        workers=0,
        device=learner.device,
    )
    seconds = 0.0
    losses: dict[str, float] = {}
    for step in range(1, WARM_UP + TIMED + 1):
        taken = [next(source) for _ in range(options.accumulate)]
        started = time.perf_counter()
        losses = learner.step(step, taken)[0]
        seconds += time.perf_counter() - started if step > WARM_UP else 0.0
    parts = (*recipe.parts, *recipe.discriminators)
    return Plan(
        recipe=recipe,
        steps=setup.steps,
        batch=setup.batch,
        clips=len(setup.clips.chosen),
        frames=setup.clips.frames,
        parameters={part: sum(p.numel() for p in learner.networks[part].parameters()) for part in parts},
        seconds_per_step=seconds / TIMED,
        losses=losses,
        first=first,
    )
