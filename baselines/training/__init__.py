"""Training in plain torch: reconstruct one frame of a clip from another one of the same clip.

A run can be killed at any time and goes on with `resume`; on the CPU the result is then the same, bit for bit.
"""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import models
from baselines import check_preset, model_class
from baselines.checkpoint import CHECKPOINT, BadCheckpoint, save, write_whole

STATE = "state.pt"  # networks, optimiser, step and random state of an unfinished run
LOG = "train.jsonl"
SAVE_EVERY = 100  # steps
MEMORY = 2 << 30  # bytes of frames held at once

Networks = dict[str, nn.Module]
Progress = Callable[[int, int, dict[str, float]], None]


class TrainingError(ValueError):
    """Training cannot begin or go on; the message says why and what is left to use."""


@dataclass(frozen=True)
class Recipe:
    """How one model is trained: given by its class as `recipe(preset)`."""

    architecture: str  # name for `models.create`
    parts: tuple[str, ...]  # which of its networks are trained and saved
    resolution: int  # side of the frames
    steps: int
    batch: int
    learning_rate: float
    step: Callable[[Networks, Tensor, Tensor, torch.Generator], dict[str, Tensor]]  # source, driving -> weighted losses
    betas: tuple[float, float] = (0.5, 0.999)
    decay_at: tuple[float, ...] = (0.6, 0.9)  # fractions of the run after which the learning rate falls to a tenth
    prepare: Callable[[Networks], None] | None = None  # changes the random start
    switches: Mapping[str, Any] = field(default_factory=dict)  # for `models.create`


@dataclass(frozen=True)
class Frames:
    """Frames of all training clips: uint8 [N, 3, R, R]; clip i owns starts[i] to starts[i + 1]."""

    pixels: Tensor
    starts: Tensor

    def pairs(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Source and driving [count, 3, R, R] in [0, 1]: two different frames of a random clip, half mirrored."""
        clip = torch.randint(len(self.starts) - 1, (count,), generator=generator)
        length = self.starts[clip + 1] - self.starts[clip]
        first, gap = (torch.rand(2, count, generator=generator) * torch.stack((length, length - 1))).long()
        second = (first + 1 + gap) % length
        mirrored = torch.rand(count, generator=generator) < 0.5
        both = self.pixels[self.starts[clip] + torch.stack((first, second))].float() / 255
        both = torch.where(mirrored[:, None, None, None], both.flip(-1), both)
        return both[0], both[1]


def load_frames(root: Path, size: int, memory: int = MEMORY) -> Frames:
    """Frames of a curated dataset at size x size, without its test split; evenly thinned where `memory` is short."""
    from curate.dataset import Dataset

    dataset = Dataset.open(root)
    clips = [clip for clip in dataset.clips if clip.split != "test" and clip.n_frames > 1]
    if not clips:
        raise TrainingError(f"{root} has no clip to train on: each is of the test split or has a single frame")
    share = max(2, memory // (3 * size * size * len(clips)))
    pixels = []
    for clip in clips:
        count = min(clip.n_frames, share)
        indices = [i * clip.n_frames // count for i in range(count)]
        pixels.append(torch.from_numpy(dataset.frames(clip, indices, size)).permute(0, 3, 1, 2))
    starts = torch.tensor([0, *(len(part) for part in pixels)]).cumsum(0)
    return Frames(torch.cat(pixels).contiguous(), starts)


def train(
    name: str,
    dataset_root: Path,
    out: Path,
    *,
    preset: str = "mini",
    steps: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    resume: bool = False,
    device: str = "cpu",
    on_step: Progress | None = None,
) -> Path:
    """Train model `name` on a curated dataset; gives the path of OUT/checkpoint.safetensors.

    `steps` and `batch` default to the model's recipe. With `resume` an unfinished run in `out` goes on; without
    it, `out` must hold no run. `on_step(step, steps, losses)` is called after every step. Raises `TrainingError`.
    """
    check_preset(preset)
    cls = model_class(name)
    if not hasattr(cls, "recipe"):
        raise TrainingError(f"model {name} has nothing to train")
    recipe: Recipe = cls.recipe(preset)
    steps, batch = recipe.steps if steps is None else steps, recipe.batch if batch is None else batch
    if steps < 1 or batch < 1:
        raise TrainingError(f"expected at least one step and one pair a step, got steps {steps}, batch {batch}")
    if not resume and (out / STATE).exists():
        raise TrainingError(f"{out} holds an earlier run: go on with --resume, or name another folder")

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        every = models.create(recipe.architecture, preset, **recipe.switches)
        if recipe.prepare is not None:
            recipe.prepare(every)
    networks = {part: every[part].to(device).to(memory_format=torch.channels_last).train() for part in recipe.parts}
    parameters = [parameter for network in networks.values() for parameter in network.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=recipe.learning_rate, betas=recipe.betas)
    generator = torch.Generator().manual_seed(seed)
    run = {"model": name, "preset": preset, "seed": seed, "steps": steps, "batch": batch}
    done = _restore(out, run, networks, optimiser, generator) if resume else 0
    frames = load_frames(dataset_root, recipe.resolution)

    out.mkdir(parents=True, exist_ok=True)
    with (out / LOG).open("a" if done else "w", encoding="utf-8") as log:
        for step in range(done + 1, steps + 1):
            passed = sum(step > fraction * steps for fraction in recipe.decay_at)
            optimiser.param_groups[0]["lr"] = recipe.learning_rate * 0.1**passed
            source, driving = (images.to(device) for images in frames.pairs(batch, generator))
            losses = recipe.step(networks, source, driving, generator)
            total = torch.stack(list(losses.values())).sum()
            told = {key: float(loss.detach()) for key, loss in losses.items()}
            if not torch.isfinite(total):
                raise TrainingError(f"step {step}: the loss is not finite ({told}); {_last_good(out)}")
            optimiser.zero_grad()
            torch.autograd.backward(total)
            optimiser.step()
            log.write(json.dumps({"step": step, **told}) + "\n")
            if step % SAVE_EVERY == 0 or step == steps:
                log.flush()
                _store(out, run, step, networks, optimiser, generator)
            if on_step is not None:
                on_step(step, steps, told)
    path = out / CHECKPOINT
    save(path, networks, model=recipe.architecture, preset=preset, steps=steps, switches=recipe.switches)
    return path


def _store(
    out: Path,
    run: dict[str, Any],
    step: int,
    networks: Networks,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
) -> None:
    state = {
        "run": run,
        "step": step,
        "networks": {part: network.state_dict() for part, network in networks.items()},
        "optimiser": optimiser.state_dict(),
        "generator": generator.get_state(),
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_whole(out / STATE, buffer.getvalue())


def _restore(
    out: Path,
    run: dict[str, Any],
    networks: Networks,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
) -> int:
    """Put the stored run back and cut its log there; gives the last step that was done, 0 where nothing is stored."""
    path = out / STATE
    if not path.is_file():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        different = [key for key, value in run.items() if state["run"][key] != value]
        if different:
            raise TrainingError(
                f"{out} holds another run: "
                + ", ".join(f"{key} {state['run'][key]}, not {run[key]}" for key in different)
            )
        for part, network in networks.items():
            network.load_state_dict(state["networks"][part])
        optimiser.load_state_dict(state["optimiser"])
        generator.set_state(state["generator"])
        step = int(state["step"])
    except (RuntimeError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise BadCheckpoint(f"{path} is no state of this model's training: {error}") from error
    lines = (out / LOG).read_text(encoding="utf-8").splitlines(keepends=True) if (out / LOG).is_file() else []
    write_whole(out / LOG, "".join(lines[:step]).encode())
    return step


def _last_good(out: Path) -> str:
    if (out / STATE).is_file():
        step = torch.load(out / STATE, map_location="cpu", weights_only=True)["step"]
        return f"the last good networks are those of step {step} in {out / STATE}"
    return "no networks were stored yet"
