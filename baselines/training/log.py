"""A run's log: a JSON line for every step, and the same for TensorBoard and wandb where they are installed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TextIO

from baselines.checkpoint import write_whole
from baselines.training.errors import TrainingError

LOG = "train.jsonl"


class _Scalars(Protocol):
    def write(self, step: int, values: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class Log:
    """Lines of OUT/train.jsonl; a run that goes on first drops those after its last stored step."""

    def __init__(self, out: Path | None, done: int, *, wandb: bool = False, run: Mapping[str, Any]) -> None:
        """`out` None: nothing is logged."""
        self._file: TextIO | None = None
        self._others: list[_Scalars] = []
        if out is None:
            return
        path = out / LOG
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if done and path.is_file() else []
        write_whole(path, "".join(lines[:done]).encode())
        self._file = path.open("a", encoding="utf-8")
        if find_spec("tensorboard") is not None:
            self._others.append(_TensorBoard(out / "tensorboard", done))
        if wandb:
            self._others.append(_Wandb(out, run))

    def __enter__(self) -> Log:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
        for other in self._others:
            other.close()

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add a step's values."""
        if self._file is not None:
            self._file.write(json.dumps({"step": step, **values}) + "\n")
        for other in self._others:
            other.write(step, values)

    def flush(self) -> None:
        """Let readers see what was written."""
        if self._file is not None:
            self._file.flush()


class _TensorBoard:
    def __init__(self, folder: Path, done: int) -> None:
        writer = import_module("torch.utils.tensorboard").SummaryWriter
        self._writer = writer(str(folder), purge_step=done + 1)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _Wandb:
    def __init__(self, out: Path, run: Mapping[str, Any]) -> None:
        if find_spec("wandb") is None:
            raise TrainingError("wandb is asked for and not installed: pip install wandb")
        self._run = import_module("wandb").init(dir=str(out), config=dict(run), resume="allow")

    def write(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()
