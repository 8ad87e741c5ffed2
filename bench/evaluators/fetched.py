"""`bench weights` for the networks of metrics: what there is, getting it, and whether it is as it should be."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from bench.evaluators.consent import check, is_script, trust
from bench.evaluators.files import PublishedFile, digest_of, files_of, names
from curate.console import progress, say
from curate.errors import MissingPrerequisite, UserError
from curate.files import atomic
from curate.perception.weights import folders


def listing() -> list[dict[str, Any]]:
    """A row for each network, with the columns of `bench.weights.models_listing`."""
    return [_row(network) for network in names()]


def _row(network: str) -> dict[str, Any]:
    files = files_of(network)
    here = [file.here() for file in files]
    return {
        "name": network,
        "model": "evaluator",
        "size": " + ".join(file.size for file in files),
        "licence": files[0].licence,
        "sha256": ", ".join(file.pin[:12] for file in files),
        "address": ", ".join(file.source for file in files),
        "here": ", ".join(map(str, here)) if all(here) else "no",
    }


def fetch(network: str, *, accept_licence: bool = False, unverified: bool = False) -> list[Path]:
    """Get the files of a network that are not here yet; gives all of them.

    Says address, size, hash and licence before anything is downloaded. `unverified` is a person's word that a
    TorchScript file whose hash nobody has pinned may run (`bench.evaluators.consent`). Raises `UserError` for a licence
    that was not accepted or a file that is another, `MissingPrerequisite` with what to do where a file cannot be had or
    may not run.
    """
    files = files_of(network)
    lacking = [file for file in files if file.here() is None]
    for file in lacking:
        say(f"{network}: {file.name} from {file.source}, {file.size}, sha256 {file.pin}, licence {file.licence}")
    if lacking and files[0].restricted and not accept_licence:
        raise UserError(
            f"{network}: its licence, {files[0].licence}, restricts use; to accept it, add --accept-licence"
        )
    for file in lacking:
        _get(file)
    if not lacking:
        say(f"{network} is here already")
    found = [path for file in files if (path := file.here()) is not None]
    for file, path in zip(files, found, strict=True):
        digest = digest_of(path)
        file.check(path, digest)
        if not is_script(path):
            continue
        if unverified and not file.sha256:
            trust(path, digest)
            say(f"{path}: it runs from now on as you say that you trust it, as long as its sha256 is {digest}")
        check(file, path, digest)
    return found


def verify(network: str) -> str:
    """What is wrong with the files of a network, "" where nothing is; `MissingPrerequisite` where one is not here."""
    for file in files_of(network):
        path = file.here()
        if path is None:
            raise MissingPrerequisite(f"{network} is not here: bench weights fetch {network}, or {file.by_hand()}")
        digest = digest_of(path)
        if fault := file.fault(digest):
            return f"{path}: {fault}: {file.by_hand()}"
        if is_script(path):
            try:
                check(file, path, digest)
            except MissingPrerequisite as error:
                return str(error)
    return ""


def _get(file: PublishedFile) -> None:
    from bench.fetching import NotFetched

    reasons = []
    for url in (*file.urls, *file.archives):
        try:
            if url in file.archives:
                _from_archive(file, url)
            else:
                _download(url, folders()[0] / file.name, file.sha256, file.bytes)
            return
        except NotFetched as error:
            reasons.append(str(error))
    why = f"{'; '.join(reasons)}. " if reasons else ""
    raise MissingPrerequisite(f"{why}{file.network} cannot be fetched from here: {file.by_hand()}")


def _download(url: str, target: Path, sha256: str = "", size: int = 0) -> None:
    from bench.fetching import fetch as download

    with progress() as bar:
        item = bar.add_task(target.name, total=size / 1e6 or None, note="MB")

        def show(here: int, total: int) -> None:
            bar.update(item, completed=here / 1e6, total=total / 1e6 or None)

        download(url, target, sha256=sha256, size=size, progress=show)


def _from_archive(file: PublishedFile, url: str) -> None:
    """Take one file out of a zip file, which is not kept."""
    from bench.fetching import NotFetched

    archive = folders()[0] / url.rsplit("/", 1)[-1]
    if not archive.is_file():
        _download(url, archive)
    try:
        with zipfile.ZipFile(archive) as opened:
            member = next((name for name in opened.namelist() if name.rsplit("/", 1)[-1] == file.name), None)
            if member is None:
                raise NotFetched(f"{url}: the archive has no {file.name}")
            with atomic(folders()[0] / file.name) as partial:
                partial.write_bytes(opened.read(member))
    except zipfile.BadZipFile as error:
        raise NotFetched(f"{url}: what came is no zip file") from error
    finally:
        archive.unlink(missing_ok=True)
