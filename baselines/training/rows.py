"""Which frames make a row, and how rows become batches.

Row r of step n depends on the seed, n and r alone: a run that goes on draws what it would have drawn, whatever reads
the frames, and process p of a distributed run takes its share of the rows that one process would take.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.training import extras
from baselines.training.batch import Batch
from baselines.training.data import FrameReader
from baselines.training.errors import TrainingError
from baselines.training.recipe import Recipe

ATTEMPTS = 100  # at finding frames in which a face was found
Key = tuple[int, int]  # step, row


@dataclass(frozen=True)
class Pick:
    """The frames of one row."""

    clip: int
    source: tuple[int, ...]  # K, none among the driving frames
    driving: tuple[int, ...]  # T, consecutive
    mirrored: bool


def pick(rng: np.random.Generator, lengths: Sequence[int], shots: int, frames: int, mirror: bool) -> Pick:
    """A random clip, a random run of driving frames, and source frames among the others."""
    clip = int(rng.integers(len(lengths)))
    first = int(rng.integers(lengths[clip] - frames + 1))
    others = rng.choice(lengths[clip] - frames, shots, replace=False)
    source = tuple(int(other) + frames * (other >= first) for other in others)
    return Pick(clip, source, tuple(range(first, first + frames)), mirror and bool(rng.random() < 0.5))


class Rows(torch.utils.data.Dataset[dict[str, NDArray[Any]]]):
    """Rows by step and number, as arrays: uint8 frames and masks, float32 for all else."""

    def __init__(self, reader: FrameReader, known: extras.Extras, recipe: Recipe, seed: int) -> None:
        self.reader, self.known, self.recipe, self.seed = reader, known, recipe, seed
        self.lengths = [clip.n_frames for clip in known.clips.chosen]

    def __getitem__(self, key: Key) -> dict[str, NDArray[Any]]:
        rng = np.random.default_rng((self.seed % (1 << 64), *key))
        for _ in range(ATTEMPTS):
            chosen = pick(rng, self.lengths, self.recipe.shots, self.recipe.frames, self.recipe.mirror)
            row = self._row(chosen)
            if row is not None:
                return row
        raise TrainingError(f"no face was found in any of {ATTEMPTS} sets of frames: is this a dataset of faces?")

    def _row(self, chosen: Pick) -> dict[str, NDArray[Any]] | None:
        """None where a face was not found."""
        row = {}
        for role, frames in (("source", chosen.source), ("driving", chosen.driving)):
            for name in self.recipe.needs:
                values = self.known.take(name, chosen.clip, frames)
                if not extras.is_known(name, values):
                    return None
                row[f"{role} {name}"] = (
                    extras.mirror(name, values, self.recipe.resolution) if chosen.mirrored else values
                )
        both = self.reader.take(chosen.clip, (*chosen.source, *chosen.driving))
        both = both[:, :, ::-1] if chosen.mirrored else both
        row["source"], row["driving"] = both[: len(chosen.source)], both[len(chosen.source) :]
        return row


class _Order(torch.utils.data.Sampler[list[Key]]):
    """The keys of one process's micro-batches after step `done`, in order."""

    def __init__(self, done: int, steps: int, batch: int, accumulate: int, rank: int) -> None:
        self.done, self.steps, self.batch, self.accumulate, self.rank = done, steps, batch, accumulate, rank

    def __len__(self) -> int:
        return (self.steps - self.done) * self.accumulate

    def __iter__(self) -> Iterator[list[Key]]:
        size = self.batch // self.accumulate
        for step in range(self.done + 1, self.steps + 1):
            for micro in range(self.accumulate):
                first = self.rank * self.batch + micro * size
                yield [(step, row) for row in range(first, first + size)]


def batches(
    rows: Rows, *, done: int, steps: int, batch: int, accumulate: int, rank: int, workers: int, device: torch.device
) -> Iterator[Batch]:
    """`accumulate` micro-batches for each step after `done`, read by so many processes (0: by this one)."""
    loader = torch.utils.data.DataLoader(
        rows,
        batch_sampler=_Order(done, steps, batch, accumulate, rank),
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_in_worker,
        pin_memory=device.type == "cuda",
    )
    for arrays in loader:
        yield _batch(arrays, device)


def _collate(rows: list[dict[str, NDArray[Any]]]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]}


def _in_worker(_: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the trainer's own handler would keep workers alive
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _batch(arrays: dict[str, Tensor], device: torch.device) -> Batch:
    dtype = torch.get_default_dtype()
    moved = {name: tensor.to(device, non_blocking=True).to(dtype) for name, tensor in arrays.items()}
    frames = {role: moved[role].permute(0, 1, 4, 2, 3) / 255 for role in ("source", "driving")}
    known: dict[str, dict[str, Tensor]] = {"source": {}, "driving": {}}
    for name, tensor in moved.items():
        role, _, extra = name.partition(" ")
        if extra:
            known[role][extra] = tensor[:, :, None] / 255 if extra == "mask" else tensor
    return Batch(frames["source"], frames["driving"], known["source"], known["driving"])
