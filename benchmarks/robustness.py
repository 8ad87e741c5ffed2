"""What a build survives: kills at random moments, hostile files, disks that are too small. Prints docs/robustness.md.

    python -m benchmarks.robustness [--kills 40] [--ray-kills 40] > docs/robustness.md

A build here has a detector that costs nothing, so that the kills fall on all stages and not on a network's start.
Disks are made in a namespace of their own (Linux); where that is not allowed the table says so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from curate.console import say
from tests.curate import full_disk
from tests.curate.hostile import COUNT, make_hostile
from tests.curate.killing import finish, kill_and_resume
from tests.curate.quick import COMMAND, ROOT, quick_videos

WORKERS = (1, 2, 4)
SIZES_KB = (200, 280, 300, 340, 380, 420, 460)
VIDEOS = 6


def kills(folder: Path, source: Path, local: int, ray: int) -> Iterator[str]:
    yield "| engine | workers | undisturbed build | kills | builds brought to their end | that differ |"
    yield "|---|---:|---:|---:|---:|---:|"
    whole = folder / "whole"
    finish(source, whole, 1)
    for engine, count in (("local", local), ("ray", ray)):
        for workers in WORKERS if count else ():
            seconds = finish(source, folder / f"undisturbed-{engine}-{workers}", workers, engine)
            say(f"{engine}, {workers} workers: {seconds:.1f} s undisturbed, {count} kills")
            done = kill_and_resume(
                source, whole, folder, kills=count, workers=workers, engine=engine, seed=workers, span=seconds
            )
            yield f"| {engine} | {workers} | {seconds:.1f} s | {done.kills} | {done.builds} | 0 |"


def hostile(folder: Path) -> Iterator[str]:
    make_hostile(folder / "in", folder / "outside")
    begun = time.monotonic()
    command = [*COMMAND, "build", "--input", folder / "in", "--out", folder / "out", "--min-res", 64, "--workers", 2]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, cwd=folder, env=environment
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    yield f"{COUNT} files, {time.monotonic() - begun:.0f} s with 2 workers, exit code {done.returncode}."
    yield ""
    with duckdb.connect(str(folder / "out" / "ledger.duckdb"), read_only=True) as db:
        rows = db.execute("SELECT verdict, reason FROM items WHERE kind = 'video'").fetchall()
    yield "| videos | verdict | reason (of a group: one) |"
    yield "|---:|---|---|"
    groups: dict[tuple[str, str], list[str]] = {}
    for verdict, reason in rows:
        groups.setdefault((verdict, " ".join(reason.split()[:2])), []).append(reason)
    for (verdict, _), reasons in sorted(groups.items(), key=lambda group: (group[0][0] != "kept", -len(group[1]))):
        yield f"| {len(reasons)} | {verdict} | {min(reasons).replace('|', '/')} |"
    total = Counter(verdict for verdict, _ in rows).total()
    yield f"| {total} | | |"


def disks(folder: Path, source: Path) -> Iterator[str]:
    if not full_disk.possible():
        yield "Not run: this machine lets nobody mount a disk in a namespace."
        return
    whole = folder / "whole"
    (folder / "disk").mkdir()
    command = [*full_disk.NAMESPACE, sys.executable, "-m", "tests.curate.full_disk", source, whole, folder / "disk"]
    done = subprocess.run(
        [*map(str, command), *map(str, SIZES_KB), *full_disk.READ_ONLY],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    yield "| disk | exit code | what it says | clips there, all whole | temporary files | the same command, with room |"
    yield "|---|---:|---|---:|---:|---|"
    for line in done.stdout.splitlines():
        told = json.loads(line)
        disk = f"{told['disk']} kB" if told["disk"].isdecimal() else told["disk"]
        said = " ".join(told["errors"]).replace(str(folder), "") if told["code"] else ""
        yield f"| {disk} | {told['code']} | {said} | {told['clips']} | {told['partial']} | same bytes |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=40, help="for each number of local workers")
    parser.add_argument("--ray-kills", type=int, default=40, help="for each number of Ray's workers")
    arguments = parser.parse_args()
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = quick_videos(folder / "in", VIDEOS)
        made = f"python -m benchmarks.robustness --kills {arguments.kills} --ray-kills {arguments.ray_kills}"
        print(f"# Robustness\n\nMade by `{made}`.\n\n## Kills\n")
        print(f"{VIDEOS + 1} short videos; SIGKILL, half of the times to the driver alone, half to all of its group.\n")
        print("Compared: manifest.parquet, manifest.jsonl, clips, analyses, the ledger without times and attempts.\n")
        for title, lines in (
            ("", kills(folder, source, arguments.kills, arguments.ray_kills)),
            ("\n## Hostile files\n", hostile(folder / "hostile")),
            ("\n## Full disks and folders that may only be read\n", disks(folder, source)),
        ):
            if title:
                print(title)
            for line in lines:
                print(line, flush=True)


if __name__ == "__main__":
    main()
