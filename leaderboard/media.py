"""Pictures and videos from run folders to a page's folder.

A run folder may come from anyone: nothing beside it is read.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from curate.files import atomic

LARGEST = {".jpg": 2 << 20, ".png": 2 << 20, ".mp4": 8 << 20}  # bytes of one file


@dataclass
class Media:
    """Copies files into `folder` under the hash of their content, so that equal ones are stored once."""

    folder: Path
    warnings: list[str] = field(default_factory=list)
    _added: dict[tuple[Path, str], str | None] = field(default_factory=dict)

    def add(self, run_folder: Path, name: str) -> str | None:
        """The page-relative path of the file `name` of a run; None, with a warning kept, when it may not be shown."""
        if (run_folder, name) not in self._added:
            self._added[run_folder, name] = self._copy(run_folder, name)
        return self._added[run_folder, name]

    def _copy(self, run_folder: Path, name: str) -> str | None:
        if not run_folder.is_dir():
            warning = f"what {run_folder.name[:80]!r} shows is left out: its run folder is no longer there"
            if warning not in self.warnings:
                self.warnings.append(warning)
            return None
        try:
            data, suffix = _read(run_folder, name)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self.warnings.append(f"preview {name[:80]!r} of {run_folder.name[:80]!r} is left out: {reason}")
            return None
        path = self.folder / f"{hashlib.sha256(data).hexdigest()[:20]}{suffix}"
        if not path.exists():
            with atomic(path) as partial:
                partial.write_bytes(data)
        return f"{self.folder.name}/{path.name}"


def _read(run_folder: Path, name: str) -> tuple[bytes, str]:
    """The bytes of a regular file inside the run folder, links resolved, and the suffix that its first bytes call for;
    raises OSError or ValueError otherwise."""
    root = run_folder.resolve()
    path = (root / name).resolve(strict=True)
    if not path.is_relative_to(root) or not path.is_file():
        raise ValueError("it is no file inside the run folder")
    size = path.stat().st_size
    if size > max(LARGEST.values()):
        raise ValueError(f"it is larger than {max(LARGEST.values()) >> 20} MiB")
    data = path.read_bytes()
    if (suffix := _suffix(data)) is None:
        raise ValueError("it is neither JPEG, PNG nor MP4")
    if size > LARGEST[suffix]:
        raise ValueError(f"it is larger than {LARGEST[suffix] >> 20} MiB")
    return data, suffix


def _suffix(data: bytes) -> str | None:
    if data.startswith(b"\xff\xd8\xff"):
        return ".jpg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return ".png"
    return ".mp4" if data[4:8] == b"ftyp" else None
