"""Kills builds at random moments, goes on, and compares what comes out with an undisturbed run."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

from curate.files import PARTIAL
from tests.curate.quick import COMMAND, ROOT


@dataclass(frozen=True)
class Killed:
    """What was done to a build."""

    kills: int
    builds: int  # that came to their end, all equal to the undisturbed one
    seconds: float


def start(
    source: Path, out: Path, workers: int, engine: str = "local", log: Path | None = None
) -> subprocess.Popen[bytes]:
    """A build in a process group of its own; what it says goes to `log`, by default beside `out`."""
    arguments = ["build", "--input", source, "--out", out, "--min-res", 64, "--workers", workers, "--engine", engine]
    output = (log or out.with_suffix(".log")).open("wb")
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], cwd=ROOT, stdout=output, stderr=output, start_new_session=True
    )


def finish(source: Path, out: Path, workers: int, engine: str = "local", log: Path | None = None) -> float:
    """A build that is left alone; seconds."""
    begun = time.monotonic()
    code = start(source, out, workers, engine, log).wait()
    assert code == 0, (log or out.with_suffix(".log")).read_text()
    return time.monotonic() - begun


def contents(out: Path) -> dict[str, object]:
    """All that must not depend on kills: manifests, clips, analyses, and the ledger without times and attempts."""
    names = ["manifest.parquet", "manifest.jsonl"]
    found: dict[str, object] = {name: (out / name).read_bytes() for name in names}
    for folder in ("clips", "analysis"):
        found |= {f"{folder}/{path.name}": path.read_bytes() for path in (out / folder).iterdir()}
    with duckdb.connect(str(out / "ledger.duckdb"), read_only=True) as db:
        found["items"] = db.execute("SELECT * EXCLUDE (attempts, wall_s, cpu_s) FROM items ORDER BY item_id").fetchall()
    return found


def kill_and_resume(
    source: Path, whole: Path, folder: Path, *, kills: int, workers: int, engine: str, seed: int, span: float
) -> Killed:
    """Kill `kills` times, each after at most `span` seconds (half of the times the whole process group, else the driver
    alone), go on each time, and compare every build that comes to its end with `whole`."""
    rng = random.Random(seed)
    out, begun = folder / f"{engine}-{workers}", time.monotonic()
    done = builds = 0
    while done < kills:
        build = start(source, out, workers, engine)
        try:
            code = build.wait(timeout=rng.uniform(0, span))
        except subprocess.TimeoutExpired:
            done += 1
            if rng.random() < 0.5:
                os.killpg(build.pid, signal.SIGKILL)
            else:
                build.kill()
            build.wait()
        else:  # it was quicker than the kill
            assert code == 0, out.with_suffix(".log").read_text()
            builds += 1
            compare(whole, out)
            shutil.rmtree(out)
    finish(source, out, workers, engine)
    compare(whole, out)
    return Killed(done, builds + 1, time.monotonic() - begun)


def compare(whole: Path, out: Path) -> None:
    """Fail where a build differs from the undisturbed one `whole`, or left temporary files."""
    wanted, found = contents(whole), contents(out)
    assert sorted(found) == sorted(wanted)
    different = [name for name in wanted if found[name] != wanted[name]]
    assert not different, f"{out}: {different} differ"
    assert not list(out.rglob(f"{PARTIAL}*"))
