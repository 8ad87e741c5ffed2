"""Files that are either whole or absent: written under a temporary name in the same folder, then renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PARTIAL = ".partial-"  # prefix of every temporary name: a leftover of a killed process can be recognised and removed

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_ACCESS = (errno.EROFS, errno.EACCES, errno.EPERM)
_UNPRINTED = ("Cc", "Cs", "Zl", "Zp")
_TURNS = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it becomes `path`, on any error it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented UTF-8 JSON with sorted keys, atomically; NaN and infinity are refused (ValueError)."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def remove_partials(folder: Path) -> None:
    """Remove what killed processes left under `folder` (not for use while another process writes there)."""
    for leftover in folder.rglob(f"{PARTIAL}*"):
        leftover.unlink(missing_ok=True)


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_text(text: str) -> str:
    """Hex SHA-256 of UTF-8 text."""
    return hashlib.sha256(text.encode()).hexdigest()


def printable(name: str) -> str:
    r"""A file's name with escapes for what cannot be stored or would disturb a terminal: bytes that are no Unicode,
    control characters, line breaks, changes of the direction of writing.

    >>> printable("a\nb" + chr(0xDCFF))
    'a\\nb\\udcff'
    """
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in _UNPRINTED or char in _TURNS else char
        for char in name
    )
