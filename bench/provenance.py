"""Which code, which packages and which machine measured."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# Those that can change a number; the lock file has the rest.
PACKAGES = (
    "talkinghead-bench",
    "av",
    "decord",
    "facenet-pytorch",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "openvino",
    "torch",
)


def git_state(file: Path = Path(__file__)) -> tuple[str | None, bool | None]:
    """Commit of the checkout that `file` is tracked in and whether it has changes; (None, None) for an installed copy.

    An installed copy may lie inside somebody's own repository (in its .venv, say), which is then not ours to name.
    """
    git = shutil.which("git")
    file = file.resolve()

    def ask(*arguments: str) -> str | None:
        if git is None:
            return None
        done = subprocess.run([git, "-C", str(file.parent), *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    if ask("ls-files", "--error-unmatch", file.name) is None:
        return None, None
    changes = ask("status", "--porcelain", "--untracked-files=no")
    return ask("rev-parse", "HEAD"), None if changes is None else bool(changes)


def packages() -> dict[str, str]:
    """Versions of the installed packages among `PACKAGES`."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine(device: str) -> dict[str, Any]:
    """Python, system, processors, and what `device` (a torch device) is."""
    import torch

    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": platform.machine(),
        "cpus": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
    }
