"""Whether a TorchScript file may run: it is code, not numbers alone.

One whose whole SHA-256 `files.toml` pins may. Any other needs the word of the person whose machine it is, which they
give with `bench weights fetch NETWORK --unverified` once the file lies in a weights folder. Their word is kept in their
own data folder, not beside the file, so that nobody can send it along; it is of one content and of no other. The first
digits of a hash, as in the names of torch's files, are too few: another file with the same ones can be made.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import MissingPrerequisite
from curate.files import atomic
from curate.perception.weights import folders

if TYPE_CHECKING:
    from bench.evaluators.files import PublishedFile


def is_script(path: Path) -> bool:
    """Whether a file is TorchScript: a zip file with code in it."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as opened:
        return any("/code/" in name for name in opened.namelist())


def check(file: PublishedFile, path: Path, sha256: str) -> None:
    """Raise unless a TorchScript file at `path`, of that content, may run: `UserError` where it is not the pinned one,
    `MissingPrerequisite` with the one command that mends it where nobody has said that it may."""
    file.check(path, sha256)
    if not file.sha256 and not _note(sha256).is_file():
        raise MissingPrerequisite(
            f"network file {path} is TorchScript, which is code, and nobody has pinned its hash ({sha256}): it runs "
            f"only once you say that you trust where you have it from: {file.trusting}"
        )


def trust(path: Path, sha256: str) -> None:
    """Keep a person's word that a file of that content may run."""
    with atomic(_note(sha256)) as partial:
        partial.write_text(f"{path.name}\n", encoding="utf-8")


def _note(sha256: str) -> Path:
    return folders()[-1].parent / "trusted" / sha256  # the last folder is always the user's own
