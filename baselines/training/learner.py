"""One optimiser step: losses, gradients, and what moves the weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from baselines.training.batch import Batch, Networks
from baselines.training.distributed import Group
from baselines.training.errors import TrainingError
from baselines.training.recipe import Optimiser, Recipe

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


class NotFinite(TrainingError):
    """A loss or a gradient that is no number."""


@dataclass
class Learner:
    """Everything that changes from step to step, and the frozen judges."""

    recipe: Recipe
    objective: ModuleType
    networks: Networks
    device: torch.device
    seed: int
    group: Group = field(default_factory=Group)
    precision: str = "fp32"
    optimisers: dict[str, torch.optim.Optimizer] = field(init=False)
    scaler: torch.amp.GradScaler = field(init=False)
    average: Networks = field(init=False)  # moving averages of the parts; empty: none are kept

    def __post_init__(self) -> None:
        recipe = self.recipe
        self.optimisers = {"generator": self._adam(recipe.parts, recipe.generator)}
        if recipe.discriminator is not None:
            self.optimisers["discriminator"] = self._adam(recipe.discriminators, recipe.discriminator)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")
        parts = {name: self.networks[name] for name in recipe.parts}
        self.average = (
            {name: deepcopy(part).requires_grad_(False) for name, part in parts.items()} if recipe.ema else {}
        )

    def saved(self) -> Networks:
        """The networks that a checkpoint holds."""
        return self.average or {name: self.networks[name] for name in self.recipe.parts}

    def set_rate(self, factor: float) -> None:
        """Learning rates: the recipe's times `factor`."""
        for name, optimiser in self.optimisers.items():
            settings: Optimiser = getattr(self.recipe, name)
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * group["factor"] * factor

    def step(
        self, number: int, batches: Sequence[Batch], stop: bool = False
    ) -> tuple[dict[str, float], Tensor | None, bool]:
        """One step on micro-batches whose gradients add up; gives the losses, the last prediction (None
        of an objective that makes no picture), and whether any process was asked to stop.

        Raises `NotFinite` before any weight has changed.
        """
        told: dict[str, Tensor] = {}
        for micro, batch in enumerate(batches):
            rng = self._seeded(number, micro)
            self._freeze(self.recipe.discriminators, frozen=True)
            with self._autocast():
                losses, outputs = self.objective.generator_losses(self.networks, batch, self.recipe, rng)
            self._backward(losses, len(batches))
            _add(told, losses, len(batches))
            self._freeze(self.recipe.discriminators, frozen=False)
            if self.recipe.discriminators:
                seen = {name: _detached(output) for name, output in outputs.items()}
                with self._autocast():
                    losses = self.objective.discriminator_losses(self.networks, batch, seen, self.recipe, rng)
                self._backward(losses, len(batches))
                _add(told, losses, len(batches))
        values, stopped = self._agreed(told, stop)
        self._move(values)
        return values, outputs.get("prediction"), stopped

    def _seeded(self, step: int, micro: int) -> torch.Generator:
        """Random numbers of a micro-batch depend on seed, step and place alone, also those of layers (dropout)."""
        place = np.random.SeedSequence((self.seed % (1 << 64), step, self.group.rank, micro))
        state = int(place.generate_state(1, np.uint64)[0] >> np.uint64(1))
        torch.manual_seed(state)
        return torch.Generator().manual_seed(state)

    def _autocast(self) -> AbstractContextManager[Any]:
        dtype = AUTOCAST.get(self.precision, torch.bfloat16)
        return torch.autocast(self.device.type, dtype, enabled=self.precision in AUTOCAST)

    def _backward(self, losses: Mapping[str, Tensor], shares: int) -> None:
        total = torch.stack([loss.float() for loss in losses.values()]).sum() / shares
        torch.autograd.backward(self.scaler.scale(total))

    def _agreed(self, told: dict[str, Tensor], stop: bool) -> tuple[dict[str, float], bool]:
        """Losses and gradients averaged over all processes; whether any was asked to stop."""
        values = torch.stack([*told.values(), torch.tensor(float(stop), device=self.device)])
        groups = [group for optimiser in self.optimisers.values() for group in optimiser.param_groups]
        gradients = [p.grad for group in groups for p in group["params"] if p.grad is not None]
        self.group.average([values, *gradients])
        *losses, stopped = values.tolist()
        named = dict(zip(told, losses, strict=True))
        sizes = [torch.zeros(()), *torch._foreach_norm(gradients)] if not self.scaler.is_enabled() else []
        size = float(torch.stack([one.to(self.device) for one in sizes]).sum()) if sizes else 0.0
        if not np.isfinite([*losses, size]).all():
            what = "the loss" if not np.isfinite(losses).all() else "a gradient"
            raise NotFinite(f"{what} is not finite ({named})")
        return named, stopped > 0

    def _move(self, losses: Mapping[str, float]) -> None:
        for optimiser in self.optimisers.values():
            self.scaler.step(optimiser)
            optimiser.zero_grad()
        self.scaler.update()
        with torch.no_grad():
            for name, average in self.average.items():
                for kept, now in _pairs(average, self.networks[name]):
                    if kept.is_floating_point():
                        kept.lerp_(now, 1 - self.recipe.ema)
                    else:
                        kept.copy_(now)

    def _freeze(self, names: Iterable[str], *, frozen: bool) -> None:
        for name in names:
            self.networks[name].requires_grad_(not frozen)

    def _adam(self, parts: Iterable[str], settings: Optimiser) -> torch.optim.Adam:
        """Adam on networks, a group for each factor of the learning rate."""
        groups: dict[float, list[nn.Parameter]] = {}
        for part in parts:
            for name, parameter in self.networks[part].named_parameters(prefix=part):
                groups.setdefault(settings.factor(name), []).append(parameter)
        rate = settings.learning_rate
        chosen = [{"params": some, "factor": factor, "lr": rate * factor} for factor, some in groups.items()]
        return torch.optim.Adam(chosen, betas=settings.betas)


def _pairs(average: nn.Module, network: nn.Module) -> Iterable[tuple[Tensor, Tensor]]:
    """What is averaged, each tensor once, also where it has two names."""
    return zip(*((*one.parameters(), *one.buffers()) for one in (average, network)), strict=True)


def _add(told: dict[str, Tensor], losses: Mapping[str, Tensor], shares: int) -> None:
    for name, loss in losses.items():
        value = loss.detach().float() / shares
        told[name] = told[name] + value if name in told else value


def _detached(output: Any) -> Any:
    if isinstance(output, Tensor):
        return output.detach()
    if isinstance(output, dict):
        return {name: _detached(value) for name, value in output.items()}
    if isinstance(output, (list, tuple)):
        return [_detached(value) for value in output]
    return output
