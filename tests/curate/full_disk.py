"""Builds onto a disk that is too small or may only be read, then goes on with room: run inside a namespace of its own.

    unshare --user --map-root-user --mount python -m tests.curate.full_disk SOURCE WHOLE FOLDER DISK...

WHOLE is an undisturbed build, FOLDER an empty folder to mount on, DISK a size in kB or one of `READ_ONLY`. Prints one
JSON object for each disk.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from curate.files import PARTIAL
from tests.curate.killing import compare, finish, start

READ_ONLY = ("read-only", "read-only later")
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


def possible() -> bool:
    """Whether a disk of any size can be made here."""
    try:
        tried = subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    except OSError:
        return False
    return tried.returncode == 0


def mount(folder: Path, options: str) -> None:
    """A disk in memory at `folder`, or another size of it."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)


def refused(source: Path, whole: Path, folder: Path) -> dict[str, object]:
    """A build that cannot go on: its exit code and what it says; what it leaves is whole."""
    out = folder / "out"
    code = start(source, out, 1, log=folder.with_suffix(".log")).wait()
    said = folder.with_suffix(".log").read_text().splitlines()
    clips = list((out / "clips").iterdir()) if (out / "clips").is_dir() else []
    for clip in clips:
        assert clip.read_bytes() == (whole / "clips" / clip.name).read_bytes(), clip
    errors = [line for line in said if not line.endswith(" clips")]  # the others tell how far it is
    return {"code": code, "errors": errors, "clips": len(clips), "partial": len(list(out.rglob(f"{PARTIAL}*")))}


def go_on(source: Path, whole: Path, folder: Path) -> None:
    """The same command, with room: it gives the same as the undisturbed build."""
    mount(folder, "remount,rw,size=64m")
    finish(source, folder / "out", 1, log=folder.with_suffix(".log"))
    compare(whole, folder / "out")
    subprocess.run(["umount", str(folder)], check=True)


def main() -> None:
    """Every disk that is named: too small by its size, or one of `READ_ONLY`."""
    source, whole, folder = map(Path, sys.argv[1:4])
    for disk in sys.argv[4:]:
        mount(folder, "size=64m" if disk in READ_ONLY else f"size={disk}k")
        if disk == READ_ONLY[1]:
            finish(source, folder / "out", 1, log=folder.with_suffix(".log"))
            sorted((folder / "out" / "clips").iterdir())[0].unlink()  # there is work again
        if disk in READ_ONLY:
            mount(folder, "remount,ro")
        told = {"disk": disk, **refused(source, whole, folder)}
        go_on(source, whole, folder)
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
