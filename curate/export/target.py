"""The folder that an export writes. It belongs to one export, goes on after a kill, and is never anybody else's."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from curate.console import milestone, progress, say
from curate.errors import UserError
from curate.files import atomic, remove_partials, sha256_text, write_json

MARK = "export.json"


@dataclass(frozen=True)
class Piece:
    """One file of an export: where it goes, what decides its bytes, and how it is written."""

    path: str  # below the target, with slashes
    content: str  # changes with the bytes
    write: Callable[[Path], None]


def text_piece(path: str, text: str) -> Piece:
    """A small text file."""

    def write(target: Path) -> None:
        target.write_text(text, encoding="utf-8", newline="\n")

    return Piece(path, sha256_text(text), write)


def clip_piece(path: str, clip: Path, sha256: str) -> Piece:
    """A clip under another name: a hard link where the file system can, else a copy."""

    def write(target: Path) -> None:
        target.unlink(missing_ok=True)
        try:
            os.link(clip, target)
        except FileNotFoundError as error:
            raise UserError(f"{clip} is not there; see what else is wrong with: curate verify") from error
        except OSError:
            shutil.copyfile(clip, target)

    return Piece(path, sha256, write)


def write_export(to: Path, kind: str, pieces: Sequence[Piece]) -> int:
    """Bring folder `to` to hold exactly these files and the mark; gives how many had to be written.

    `UserError` where `to` holds anything but an export of the same `kind`, or where two files would have one name.
    """
    planned = {piece.path: piece.content for piece in pieces}
    _check(pieces, planned)
    before = _owned(to, kind)
    to.mkdir(parents=True, exist_ok=True)
    remove_partials(to)
    for path, content in before.items():
        if planned.get(path) != content:
            (to / path).unlink(missing_ok=True)
    write_json(to / MARK, {"format": kind, "complete": False, "files": planned})
    written = 0
    with progress() as bar:
        task = bar.add_task(kind, total=len(pieces), note="")
        for done, piece in enumerate(pieces, start=1):
            target = to / piece.path
            if not target.is_file():
                with atomic(target) as partial:
                    piece.write(partial)
                written += 1
            bar.advance(task)
            if milestone(done, len(pieces)):
                say(f"{done} of {len(pieces)} files")
    _remove_empty(to)
    write_json(to / MARK, {"format": kind, "complete": True, "files": planned})
    return written


def _check(pieces: Sequence[Piece], planned: dict[str, str]) -> None:
    for path in planned:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts or path == MARK:
            raise UserError(f"{path!r} is no name for a file of an export")
    if len(planned) != len(pieces):
        names = [piece.path for piece in pieces]
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"two files of the export would be called {twice}")


def _owned(to: Path, kind: str) -> dict[str, str]:
    """The files that an earlier run has announced."""
    if not to.exists() or not any(to.iterdir()):
        return {}
    try:
        mark = json.loads((to / MARK).read_text(encoding="utf-8"))
        files = {str(path): str(content) for path, content in mark["files"].items()}
        found = str(mark["format"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{to} is not empty and no export; choose another folder with --to") from error
    if found != kind:
        raise UserError(f"{to} holds an export in the format {found}; choose another folder with --to")
    return {path: content for path, content in files.items() if (to / path).resolve().is_relative_to(to.resolve())}


def _remove_empty(to: Path) -> None:
    for folder in sorted((path for path in to.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
