"""TorchScript files."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import torch

from bench.evaluators import files
from bench.evaluators.consent import check, is_script
from curate.errors import UserError
from curate.perception.interface import NetworkInfo


def open_script(network: str) -> tuple[Any, NetworkInfo]:
    """A network whose one file is TorchScript, on the CPU, for inference, and what a record keeps of it.

    What is loaded are the very bytes whose hash was compared. Raises what `files.locate` does, `UserError` where the
    file is no TorchScript, `MissingPrerequisite` where nobody has said that it may run; then none of it was looked at.
    """
    path, info = files.locate(network)
    if not is_script(path):
        raise UserError(f"{path} is no TorchScript file")
    (file,) = files.files_of(network)
    content = path.read_bytes()
    check(file, path, hashlib.sha256(content).hexdigest())
    return torch.jit.load(io.BytesIO(content), map_location="cpu").eval(), info  # type: ignore[no-untyped-call]  # torch has no types here
