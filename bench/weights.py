"""Published weights: what there is, getting it, and turning it into files of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from baselines.published import Published, PublishedFile, tables
from bench.evaluators import fetched
from bench.evaluators import files as networks
from curate.console import progress, say
from curate.errors import MissingPrerequisite, UserError, unknown
from curate.files import sha256_file, write_json
from curate.perception.weights import folders


def models_listing() -> list[dict[str, Any]]:
    """The published checkpoints of models."""
    return [
        {
            "name": entry.name,
            "model": entry.layout.model,
            "size": " + ".join(file.size for file in entry.files),
            "licence": entry.licence,
            "sha256": ", ".join(file.sha256[:12] or "unknown" for file in entry.files),
            "address": ", ".join(" or ".join((*file.urls, *file.pages)) for file in entry.files),
            "here": str(_converted(entry.name) or "no"),
        }
        for entry in tables().published.values()
    ]


GROUPS: Mapping[str, Callable[[], list[dict[str, Any]]]] = {"models": models_listing, "evaluators": fetched.listing}
"""What `bench weights list` lists; rows have the same keys in each group."""


def listing() -> list[dict[str, Any]]:
    """All rows of all groups."""
    return [{"group": group, **row} for group, rows in GROUPS.items() for row in rows()]


def entry_of(name: str) -> Published:
    """A published checkpoint by name; `UserError` suggests the nearest."""
    if name not in tables().published:
        raise unknown("weights", name, [*tables().published, *networks.names()])
    return tables().published[name]


def _converted(name: str) -> Path | None:
    return next((path for place in folders() if (path := place / f"{name}.safetensors").is_file()), None)


def by_hand(entry: Published, file: PublishedFile) -> str:
    """How a person gets a file: where, where to put it, what it must be."""
    options = (" --accept-licence" if entry.restricted else "") + ("" if file.sha256 else " --unverified")
    return (
        f"get {file.name} from {' or '.join((*file.pages, *file.urls))} ({file.size}, sha256 "
        f"{file.sha256 or 'unknown'}), put it into {folders()[0]} under that name, then run again: "
        f"bench weights fetch {entry.name}{options}"
    )


def fetch(name: str, *, accept_licence: bool = False, unverified: bool = False, keep: bool = False) -> Path:
    """Get a published checkpoint and convert it; gives the safetensors file. `keep`: the published files too.

    A network of an evaluator suite is kept as it was published; gives its first file. `unverified`: take a file whose
    hash nobody has pinned; of an evaluator's, that is code which may then run.
    Files that are in a weights folder already are taken from there. Raises `UserError` for a licence that was not
    accepted, `MissingPrerequisite` with what to do by hand where a file cannot be had.
    """
    if name in networks.names():
        return fetched.fetch(name, accept_licence=accept_licence, unverified=unverified)[0]
    entry = entry_of(name)
    if (found := _converted(name)) is not None:
        say(f"{name} is here already")
        return found
    for file in entry.files:
        addresses = " or ".join((*file.urls, *file.pages))
        say(
            f"{name}: {file.name} from {addresses}, {file.size}, licence {entry.licence}, "
            f"sha256 {file.sha256 or 'unknown'}"
        )
    if entry.restricted and not accept_licence:
        raise UserError(f"{name}: its licence, {entry.licence}, restricts use; to accept it, add --accept-licence")
    got = [_get(entry, file) for file in entry.files]
    out = convert([path for path, _ in got], name, unverified=unverified)
    for path, is_new in got:
        if is_new and not keep:
            path.unlink()
    return out


def _get(entry: Published, file: PublishedFile) -> tuple[Path, bool]:
    """A published file, and whether it was downloaded now."""
    from bench.fetching import NotFetched
    from bench.fetching import fetch as download

    for place in folders():
        if (place / file.name).is_file():
            return place / file.name, False
    reasons = []
    for url in file.urls:
        with progress() as bar:
            item = bar.add_task(file.name, total=file.bytes / 1e6 or None, note="MB")

            def show(here: int, total: int, bar: Any = bar, item: Any = item) -> None:
                bar.update(item, completed=here / 1e6, total=total / 1e6 or None)

            try:
                target = folders()[0] / file.name
                return download(url, target, sha256=file.sha256, size=file.bytes, progress=show), True
            except NotFetched as error:
                reasons.append(str(error))
    why = f"{'; '.join(reasons)}. " if reasons else ""
    raise MissingPrerequisite(f"{why}{entry.name} cannot be fetched from here: {by_hand(entry, file)}")


def convert(
    files: Sequence[Path], name: str, *, model: str | None = None, unverified: bool = False, out: Path | None = None
) -> Path:
    """Turn published files into `<name>.safetensors` with a card beside it, in the weights folder or `out`.

    `name` is a published checkpoint's; any other name needs `model`, whose layouts are compared with the file.
    """
    from baselines.checkpoint import read_published, save_state
    from bench.baseline_errors import baseline_errors

    entry = tables().published.get(name)
    if entry is None and model is None:
        raise UserError(f"{name} is no published checkpoint (bench weights list): say whose file it is with --model")
    parts: list[str] = []
    layout = None
    if entry is not None:
        layout, parts = entry.layout, [file.network for file in entry.files]
        if len(files) != len(parts):
            wanted = ", ".join(file.name for file in entry.files)
            raise UserError(f"{name} needs {len(parts)} files, in this order: {wanted}; got {len(files)}")
    with baseline_errors():
        found = read_published(
            files, model or (layout.model if layout else ""), layout=layout, parts=parts, verify=not unverified
        )
    path = (out or folders()[0]) / f"{name}.safetensors"
    about = {
        "model": found.model,
        "architecture": found.architecture,
        "preset": found.preset,
        "switches": json.dumps(found.switches),
        "steps": "0",
        "layout": found.details["layout"],
        "published": name,
        "source_sha256": found.details["source_sha256"],
        "licence": entry.licence if entry is not None else "unknown",
    }
    save_state(path, found.state, about)
    card = {**about, "sha256": sha256_file(path), "source_files": [file.name for file in files]}
    write_json(path.with_suffix(".json"), card)
    if ignored := found.details.get("ignored"):
        say(f"left out, for they are no networks of it: {ignored}")
    return path


def verify(names: Sequence[str] = ()) -> dict[str, str]:
    """What is wrong with fetched weights, by name; "" for those that are as they were made. Default: all that are
    here. `MissingPrerequisite` for one that is not here."""
    for name in names:
        if name in networks.names():
            continue
        entry_of(name)
        if _converted(name) is None:
            raise MissingPrerequisite(f"{name} is not here: bench weights fetch {name}")
    evaluators = [name for name in networks.names() if all(file.here() for file in networks.files_of(name))]
    wanted = names or [*(name for name in tables().published if _converted(name) is not None), *evaluators]
    return {name: fetched.verify(name) if name in networks.names() else _fault(name) for name in wanted}


def _fault(name: str) -> str:
    path = _converted(name)
    assert path is not None  # noqa: S101  checked by `verify`
    try:
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        expected = card["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return f"{path.with_suffix('.json')} is missing or no card: fetch it again"
    actual = sha256_file(path)
    return "" if actual == expected else f"{path}: its sha256 is {actual}, not {expected}: fetch it again"
