"""Where network files are looked for, and the proof that a file is the one that was meant."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from curate.errors import MissingPrerequisite, UserError
from curate.files import sha256_file

VARIABLE = "TALKINGHEAD_WEIGHTS"


def folders() -> list[Path]:
    """Folders that are searched, in order: those of $TALKINGHEAD_WEIGHTS (separated as in PATH), then the user's."""
    from platformdirs import user_data_dir

    named = [Path(part).expanduser() for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    return [*named, Path(user_data_dir("talkinghead-bench", appauthor=False)) / "weights"]


def find(name: str, source: str, folder: Path | None = None) -> Path:
    """Path of the file `name` in the first folder that has it (or in `folder` alone).

    `MissingPrerequisite` names the places and `source`, where the file comes from.
    """
    places = folders() if folder is None else [folder]
    for place in places:
        if (place / name).is_file():
            return place / name
    looked = ", ".join(_shown(place) for place in places)
    raise MissingPrerequisite(
        f"network file {name} is missing (looked in {looked}): get it from {source} and put it there, "
        f"or set {VARIABLE} to the folder that has it"
    )


def verify(path: Path, sha256: str) -> None:
    """`UserError` unless the file's SHA-256 is `sha256`; a file that has not changed is read once in a process."""
    stat = path.stat()
    actual = _digest(path, stat.st_size, stat.st_mtime_ns)
    if actual != sha256:
        raise UserError(
            f"network file {path} is not the expected one: its sha256 is {actual}, not {sha256}; "
            "replace it, or describe it in a .toml of its own"
        )


@lru_cache(maxsize=256)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    """SHA-256 of a file; size and time are part of the key only."""
    return sha256_file(path)


def _shown(folder: Path) -> str:
    """The folder as a person writes it: messages reach run records and pages, which need not know the home folder."""
    home = Path.home()
    return f"~/{folder.relative_to(home).as_posix()}" if folder.is_relative_to(home) else str(folder)
