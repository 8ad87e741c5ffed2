"""How long the leaderboard takes with many samples: ingest, show, compare with 10,000 resamples, page.

Run: python benchmarks/leaderboard.py [--rows 10000000] [--runs 20] [--keep DIR]

Makes run folders of random values (200 people, 500 pairs, 10 metrics of which one fails now and then), then times the
commands as a user runs them, each in a process of its own. Prints one line per command with seconds and rows a second;
CPU seconds are what counts where the machine does other work too.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path[0] = str(Path(__file__).parents[1])  # instead of this folder, where this file's name hides the package's

from curate.files import sha256_file  # noqa: E402
from leaderboard.records import (  # noqa: E402
    SAMPLES_FILE,
    SAMPLES_SCHEMA,
    SCHEMA_VERSION,
    DatasetInfo,
    MetricInfo,
    ModelInfo,
    ProtocolInfo,
    RunRecord,
    write_record,
)

METRICS = ("l1", "psnr", "ssim", "ms-ssim", "lp", "akd", "aed", "csim", "prmse", "aucon")
PAIRS, PERSONS = 500, 200


def make_run(folder: Path, number: int, rows: int) -> None:
    """A run folder of about `rows` samples; runs differ by less than people do, as models do."""
    random = np.random.default_rng(number)
    frames = max(1, rows // (PAIRS * len(METRICS)))
    pair = np.repeat(np.arange(PAIRS), len(METRICS) * frames)
    metric = np.tile(np.repeat(np.arange(len(METRICS)), frames), PAIRS)
    frame = np.tile(np.arange(frames), PAIRS * len(METRICS))
    person = pair % PERSONS
    level = np.random.default_rng(0).normal(size=PERSONS)[person]
    value = 10 + level + 0.01 * number * (metric % 3) + random.normal(size=len(pair))
    failed = (metric == METRICS.index("csim")) & (random.random(len(pair)) < 0.01)

    def names(form: str, codes: np.ndarray, count: int) -> pa.Array:
        texts = pa.array([form.format(i) for i in range(count)])
        return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), texts).cast(pa.string())

    table = pa.table(
        {
            "pair_id": names("id{0:05}-clip-{0:05}", pair, PAIRS),
            "clip_id": names("clip-{0:05}", pair, PAIRS),
            "person": names("id{0:05}", person, PERSONS),
            "frame": pa.array(frame.astype(np.int32)),
            "metric": pa.DictionaryArray.from_arrays(pa.array(metric.astype(np.int32)), pa.array(METRICS)).cast(
                pa.string()
            ),
            "value": pa.array(value, mask=failed),
            "status": pa.array(np.where(failed, "failed", "ok")),
            "error": pa.array(np.where(failed, "no face found", None)),
            "n": pa.array(np.ones(len(pair), np.int32)),
        },
        schema=SAMPLES_SCHEMA,
    )
    folder.mkdir(parents=True)
    pq.write_table(table, folder / SAMPLES_FILE, compression="zstd")
    better = {"psnr", "ssim", "ms-ssim", "csim", "aucon"}
    write_record(
        folder,
        RunRecord(
            schema_version=SCHEMA_VERSION,
            run_id=folder.name,
            status="complete",
            created="2026-01-01T12:00:00+00:00",
            source="measured",
            command=(),
            arguments={},
            git_sha=None,
            git_dirty=None,
            packages={},
            machine={},
            seed=0,
            suite="builtin",
            model=ModelInfo(
                name=f"model-{number:03}",
                preset="paper",
                kind="model",
                resolution=256,
                parameters=1,
                paper="",
                licence="MIT",
                checkpoint="",
                weights_sha256=f"{number:064x}",
            ),
            dataset=DatasetInfo(name="many", fingerprint="ab" * 32, n_clips=PAIRS),
            protocol=ProtocolInfo(
                id="same-id@1",
                task="same-id",
                pair_list_sha256="cd" * 32,
                n_pairs=PAIRS,
                size=256,
                frames_per_clip=frames,
                limit=None,
            ),
            metrics=tuple(
                MetricInfo(id=name, unit="", higher_is_better=name in better, description=name) for name in METRICS
            ),
            evaluators={},
            seconds={"model": 1.0, "total": 2.0},
            frames_driven=PAIRS * frames,
            previews=(),
            samples_sha256=sha256_file(folder / SAMPLES_FILE),
        ),
    )


def timed(name: str, *arguments: str, rows: int = 0) -> None:
    """Run the command `leaderboard` and print what it took."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "from leaderboard.cli import main; main()", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{name} failed: {done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rate = f" {rows / seconds:12,.0f} rows/s, {rows / cpu:12,.0f} rows per CPU second" if rows else ""
    print(f"{name:10} {seconds:8.2f} s wall {cpu:8.2f} s CPU{rate}", flush=True)


def main() -> None:
    """Make the runs and time the commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--keep", type=Path, help="folder to work in, kept (default: a temporary one)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        for number in range(arguments.runs):
            if not (folder / "runs" / f"run-{number:03}").exists():
                make_run(folder / "runs" / f"run-{number:03}", number, arguments.rows // arguments.runs)
        rows = sum(pq.read_metadata(path).num_rows for path in folder.glob(f"runs/*/{SAMPLES_FILE}"))
        print(f"{rows:,} samples in {arguments.runs} runs")
        board = folder / "board.duckdb"
        board.unlink(missing_ok=True)
        db = ("--db", str(board))
        timed("ingest", *db, "ingest", str(folder / "runs"), rows=rows)
        timed("show", *db, "show")
        timed("compare", *db, "compare", "run-000", "run-001")
        timed("compare 5", *db, "compare", *(f"run-{i:03}" for i in range(min(5, arguments.runs))))
        timed("page", *db, "report", "--out", str(folder / "page"))
        print(f"file {board.stat().st_size / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
