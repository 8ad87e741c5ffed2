"""A run folder as one file for another board: packed with hashes, unpacked with distrust.

A submission is a ZIP with `submission.json`, name -> SHA-256 of every other file: run.json, samples.parquet and the
JPEG, PNG and MP4 files of the run. Nothing in it is ever run; names that lead out of the folder, links, files that are
not listed or do not have their hash, and sizes beyond the limits are refused before anything is kept.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from curate.errors import UserError
from curate.files import atomic, sha256_file
from leaderboard.records import RUN_FILE, SAMPLES_FILE, read_record

LIST = "submission.json"
SUFFIXES = (".jpg", ".png", ".mp4")
MOST_FILES = 20_000
LARGEST = {RUN_FILE: 16 << 20, SAMPLES_FILE: 4 << 30, LIST: 8 << 20}  # bytes; other files: _LARGEST
_LARGEST = 64 << 20
_TOTAL = 8 << 30
_TIME = (1980, 1, 1, 0, 0, 0)  # the same folder gives the same bytes
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+ -]{0,199}")


def pack(folder: Path, out: Path) -> int:
    """Write a checked run folder to the file `out`; gives how many files it holds."""
    read_record(folder)
    root = folder.resolve()
    files = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        wanted = name in (RUN_FILE, SAMPLES_FILE) or path.suffix.lower() in SUFFIXES
        if wanted and path.is_file() and not path.is_symlink():
            _check_name(name, folder)
            files[name] = path
    hashes = {name: sha256_file(path) for name, path in files.items()}
    with atomic(out) as partial, zipfile.ZipFile(partial, "w") as archive:
        archive.writestr(zipfile.ZipInfo(LIST, _TIME), json.dumps(hashes, indent=1, sort_keys=True))
        for name, path in files.items():
            with path.open("rb") as source, archive.open(zipfile.ZipInfo(name, _TIME), "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, 1 << 20)
    return len(files)


def unpack(file: Path, folder: Path) -> Path:
    """The run folder in a submission, put into `folder` under the submission's hash; there already: left as it is.

    Raises UserError for whatever is not as `pack` writes it; then nothing is left behind.
    """
    target = folder / sha256_file(file)[:32]
    if target.is_dir():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as temporary:
        made = Path(temporary) / "run"
        made.mkdir()
        try:
            with zipfile.ZipFile(file) as archive:
                _extract(archive, made, file)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
            raise UserError(f"{file} is no submission: {str(error)[:200]}") from error
        read_record(made)
        made.rename(target)
    return target


def _extract(archive: zipfile.ZipFile, folder: Path, file: Path) -> None:
    entries = archive.infolist()
    if len(entries) > MOST_FILES:
        raise UserError(f"{file} holds more than {MOST_FILES} files")
    by_name = {entry.filename: entry for entry in entries}
    if len(by_name) < len(entries):
        raise UserError(f"{file} holds two files of one name")
    if LIST not in by_name:
        raise UserError(f"{file} is no submission: it has no {LIST}")
    hashes = json.loads(_bytes(archive, by_name.pop(LIST), LARGEST[LIST], file))
    if not isinstance(hashes, dict) or set(hashes) != set(by_name):
        raise UserError(f"{file} holds other files than its {LIST} names")
    left = _TOTAL
    for name, entry in by_name.items():
        _check_name(name, file)
        path = folder.joinpath(*PurePosixPath(name).parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        digest, room = hashlib.sha256(), min(left, LARGEST.get(name, _LARGEST))
        with archive.open(entry) as source, path.open("xb") as target:
            while block := source.read(1 << 20):  # counted as it comes: what an entry says of its size is not believed
                room, left = room - len(block), left - len(block)
                if room < 0:
                    raise UserError(f"{file}: {name[:80]!r} is too large")
                digest.update(block)
                target.write(block)
        if digest.hexdigest() != hashes[name]:
            raise UserError(f"{file}: {name[:80]!r} does not have the hash that {LIST} states")


def _bytes(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int, file: Path) -> bytes:
    with archive.open(entry) as source:
        data = source.read(most + 1)
    if len(data) > most:
        raise UserError(f"{file}: {entry.filename[:80]!r} is too large")
    return data


def _check_name(name: str, where: Path) -> None:
    """Raise UserError unless the name is that of a file of a run, inside the folder, on every system."""
    parts = name.split("/")
    known = name in (RUN_FILE, SAMPLES_FILE) or PurePosixPath(name).suffix.lower() in SUFFIXES
    if not known or len(parts) > 4 or not all(_PART.fullmatch(part) for part in parts):
        raise UserError(f"{where}: {name[:80]!r} is no name of a file that a run may have")
