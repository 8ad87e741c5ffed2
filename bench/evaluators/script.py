"""TorchScript files."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch

from curate.errors import UserError


def open_script(path: Path) -> Any:
    """The network of a TorchScript file, on the CPU, for inference; `UserError` where it is none."""
    if not is_script(path):
        raise UserError(f"{path} is no TorchScript file")
    return torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]  # torch has no types here


def is_script(path: Path) -> bool:
    """Whether a file is TorchScript: a zip file with code in it."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as opened:
        return any("/code/" in name for name in opened.namelist())
