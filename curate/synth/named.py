"""Datasets by name: rendered on first use from the recipes of data_manifests/synthheads.toml, then found again.

They lie in the user's cache folder, or in $TALKINGHEAD_CACHE. A folder's name ends in its recipe's fingerprint, which
changes with the code that renders, so that an old cache is never taken for a new dataset.
"""

from __future__ import annotations

import os
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import UserError, unknown

if TYPE_CHECKING:
    from curate.synth.recipe import Recipe

VARIABLE = "TALKINGHEAD_CACHE"


@lru_cache(maxsize=1)
def _tables() -> dict[str, dict[str, Any]]:
    import data_manifests

    path = Path(data_manifests.__path__[0]) / "synthheads.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def dataset_names() -> list[str]:
    """Names that `resolve` knows."""
    return sorted(_tables())


def description(name: str) -> str:
    """What a named dataset is, in one line."""
    return str(_table(name)["description"])


def recipe(name: str) -> Recipe:
    """What a named dataset is made from; `UserError` with the nearest names."""
    from curate.synth.recipe import Recipe

    return Recipe(**{key: value for key, value in _table(name).items() if key != "description"})


def folder(name: str) -> Path:
    """Where a named dataset lies, made or not."""
    return cache() / "datasets" / f"{name}-{recipe(name).fingerprint}"


def cache() -> Path:
    """The folder for what can be made again: $TALKINGHEAD_CACHE, else the user's cache folder."""
    from platformdirs import user_cache_dir

    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else Path(user_cache_dir("talkinghead-bench", appauthor=False))


def is_made(name: str) -> bool:
    """Whether a named dataset is there and whole."""
    from curate.synth.dataset import is_complete

    return is_complete(folder(name), recipe(name))


def resolve(name_or_path: str | Path, *, workers: int | None = None) -> Path:
    """The folder of a dataset: a folder's path as it is, or a named dataset, rendered now if it is missing or damaged.

    Two processes do not make one dataset twice: the second waits. `UserError` with the nearest names for one that is
    neither a folder nor known; OSError where the cache cannot be written.
    """
    path = Path(name_or_path)
    if path.is_dir():
        return path
    name = str(name_or_path)
    if name not in _tables():
        if path.exists() or len(path.parts) > 1:
            raise UserError(f"{name}: no such folder (datasets by name: {', '.join(dataset_names())})")
        raise unknown("dataset", name, dataset_names())
    return _made(name, workers or os.cpu_count() or 1)


def _made(name: str, workers: int) -> Path:
    from curate.console import say
    from curate.synth.dataset import estimate, is_complete, make

    wanted, target = recipe(name), folder(name)
    if is_complete(target, wanted):
        return target
    cost = estimate(wanted, workers)
    say(
        f"rendering {name} once: {cost.clips} clips, {cost.frames} frames, about {_duration(cost.seconds)} and "
        f"{cost.megabytes:.0f} MB in {target}"
    )
    report = make(target, wanted, workers=workers, wait=True)
    if report.failed:
        clip, reason = report.failed[0]
        raise UserError(f"{name}: {len(report.failed)} clips could not be rendered, the first is {clip}: {reason}")
    return target


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _table(name: str) -> dict[str, Any]:
    if name not in _tables():
        raise unknown("dataset", name, dataset_names())
    return _tables()[name]
