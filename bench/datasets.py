"""The datasets that commands take: a folder that `curate` wrote, or the name of one that is rendered at first use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from curate.console import say
from curate.dataset import MANIFEST, Dataset
from curate.errors import UserError

DEFAULT = "synthheads-mini"
DEPTH = 3  # how far below the current folder datasets are looked for


def open_dataset(name_or_path: str | Path) -> Dataset:
    """The dataset in a folder or of a name, made if it is not there; a named one has that name wherever it lies.

    `UserError` for what is neither, and for a folder that is no dataset.
    """
    from curate.synth.named import dataset_names, folder, resolve

    root = resolve(name_or_path)
    dataset = Dataset.open(root)
    names = {folder(name).resolve(): name for name in dataset_names()}
    return replace(dataset, name=names.get(root.resolve(), dataset.name))


def listing() -> list[dict[str, Any]]:
    """The named datasets, then those in folders below the current one.

    For one that is not made yet, `path` is empty and `MB` is what it will take.
    """
    from curate.synth.dataset import estimate
    from curate.synth.named import dataset_names, description, folder, is_made, recipe

    rows = []
    for name in dataset_names():
        cost, made = estimate(recipe(name), workers=1), is_made(name)
        megabytes = _megabytes(folder(name)) if made else cost.megabytes
        rows.append(_row(name, cost.clips, megabytes, description(name), folder(name) if made else None))
    here = Path()
    manifests = sorted(path for depth in range(DEPTH + 1) for path in here.glob("*/" * depth + MANIFEST))
    for path in manifests:
        try:
            dataset = Dataset.open(path.parent)
        except UserError as error:  # one that cannot be read hides no other
            say(str(error))
            continue
        root = dataset.root
        rows.append(_row(str(root), len(dataset.clips), _megabytes(root), "a folder with a manifest", root))
    return rows


def _row(name: str, clips: int, megabytes: float, what: str, path: Path | None) -> dict[str, Any]:
    state = "made" if path else "made at first use"
    return {
        "dataset": name,
        "state": state,
        "clips": clips,
        "MB": round(megabytes),
        "what": what,
        "path": str(path or ""),
    }


def _megabytes(root: Path) -> float:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) / 1e6
