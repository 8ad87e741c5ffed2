"""The training loop: one network, one thread, all that is random from the seed: equal seeds give equal weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bench.evaluators.training.examples import Example
from bench.evaluators.training.frames import FrameSet
from bench.evaluators.training.objectives import Objective

Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Fitted:
    """A trained network and what it took."""

    network: nn.Module
    seconds: float
    losses: dict[str, float]  # means over the last twentieth of the steps


def fit(
    objective: Objective, data: FrameSet, seed: int, device: str, report: Report, start: nn.Module | None = None
) -> Fitted:
    """Train an objective's network; `report(step, losses)` is called after each step.

    `start`: the trained network that it starts from, where the objective names one.

    On a CPU the weights are a function of the arguments alone: callers must have set torch to one thread.
    """
    begun = time.perf_counter()
    torch.manual_seed(seed)
    module = objective.module(data.recipe.identities)
    if start is not None:
        module.network.start_from(start)  # type: ignore[operator,union-attr]  # torch takes every part for a tensor or module
    module = module.to(device).to(memory_format=torch.channels_last)
    decayed = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": objective.decay}, {"params": others, "weight_decay": 0.0}],
        lr=objective.rate,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, objective.rate, total_steps=objective.steps, pct_start=0.15, final_div_factor=300
    )
    tail: list[dict[str, float]] = []
    for step in range(objective.steps):
        batch = collate(objective, data, chosen(len(data), objective.batch, step, seed), step, seed, device)
        losses = module(batch)
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]  # torch has no type for it
        nn.utils.clip_grad_norm_(module.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        values = {name: float(value.detach()) for name, value in losses.items()}
        tail = [*tail[-max(objective.steps // 20, 1) + 1 :], values] if objective.steps > 20 else [values]
        report(step + 1, values)
    network = module.network
    if not isinstance(network, nn.Module):
        raise TypeError(f"{objective.name}: its training module must have a part `network`")
    means = {name: float(np.mean([values[name] for values in tail])) for name in tail[0]}
    return Fitted(network.eval().requires_grad_(False).cpu(), time.perf_counter() - begun, means)


def chosen(count: int, batch: int, step: int, seed: int) -> list[int]:
    """Examples of a step: an epoch is a random order of all, and batches run on from epoch to epoch."""
    orders: dict[int, np.ndarray] = {}
    picked = []
    for position in range(step * batch, (step + 1) * batch):
        epoch, place = divmod(position, count)
        if epoch not in orders:
            orders[epoch] = np.random.default_rng((seed, epoch, 1)).permutation(count)
        picked.append(int(orders[epoch][place]))
    return picked


def collate(
    objective: Objective, data: FrameSet, indices: list[int], step: int, seed: int, device: str
) -> dict[str, Tensor]:
    """The batch of a step, pictures as floats in [0, 1]."""
    made: list[Example] = [
        objective.example(data, index, np.random.default_rng((seed, step, i, 2))) for i, index in enumerate(indices)
    ]
    batch: dict[str, Tensor] = {}
    for name in made[0]:
        values = torch.from_numpy(np.stack([example[name] for example in made])).to(device)
        batch[name] = values.float() / 255 if values.dtype == torch.uint8 else values
    batch["image"] = batch["image"].contiguous(memory_format=torch.channels_last)
    return batch
