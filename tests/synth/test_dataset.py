"""`make` and `curate synth`: the same bytes however they come about, a manifest as of any dataset, and clear errors."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from curate import Dataset, engine, video
from curate.cli import main
from curate.errors import UserError
from curate.files import sha256_file
from curate.manifest import COLUMNS
from curate.synth import truth
from curate.synth.dataset import estimate, is_complete, make
from curate.synth.lock import locked
from curate.synth.recipe import Recipe
from curate.synth.truth import Truth
from tests.synth.conftest import SMALL, contents

OPTIONS = ["--identities", "3", "--seconds", "0.32", "--size", "64", "--seed", "5"]  # SMALL


def synth(out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "curate", "synth", "--out", str(out), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def changed(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / "clips").iterdir()}


@pytest.fixture
def copy(small: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small, tmp_path / "copy"))


def test_a_killed_run_of_two_workers_goes_on_and_ends_in_the_bytes_of_one_worker(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "curate", "synth", "--out", str(out), *OPTIONS, "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(out.glob("parts/synth5*.parquet")):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(1.5)  # its workers end themselves within half a second
    assert not (out / "synth.json").exists(), "the run was over before it was killed"
    whole = {path.stem for path in out.glob("parts/synth5*.parquet")}
    before = changed(out)
    done = synth(out, *OPTIONS, "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["done_before"] == len(whole) >= 1
    assert contents(out) == contents(small)
    after = changed(out)
    assert all(after[f"{name}.mp4"] == before[f"{name}.mp4"] for name in whole)


def test_a_second_run_does_nothing_and_says_so(copy: Path) -> None:
    before = changed(copy)
    done = synth(copy, *OPTIONS)
    assert done.returncode == 0, done.stderr
    assert "nothing to do: all 6 were done before" in done.stderr
    assert done.stdout.startswith("6 clips, 48 frames: ")
    assert changed(copy) == before


def test_the_manifest_is_one_of_a_curated_dataset(small: Path) -> None:
    rows = pq.read_table(small / "manifest.parquet").to_pylist()
    assert list(rows[0]) == list(COLUMNS)
    assert rows == [json.loads(line) for line in (small / "manifest.jsonl").read_text().splitlines()]
    opened = Dataset.open(small)
    truth = Truth.open(small)
    assert truth.clip_ids == tuple(clip.clip_id for clip in opened.clips) == tuple(row["clip_id"] for row in rows)
    assert {(clip.person, clip.split) for clip in opened.clips} == {
        ("synth5-0000", "test"), ("synth5-0001", "train"), ("synth5-0002", "train"),
    }  # fmt: skip
    assert len({clip.video_id for clip in opened.clips}) == 6
    for row, clip in zip(rows, opened.clips, strict=True):
        info = video.info(clip.path)
        assert (info.width, info.height, info.n_frames, info.fps) == (64, 64, 8, 25)
        assert row["sha256"] == sha256_file(clip.path)
        assert (row["native_side"], row["width"], row["upscale"], row["license"]) == (64, 64, 1.0, "MIT")
        assert row["end_s"] == row["n_frames"] / row["fps"] == 0.32
        angles = truth.clip(clip.clip_id).motion.angles
        assert row["yaw_mean"] == pytest.approx(angles[:, 0].mean(), abs=1e-4)
        assert row["yaw_range"] == pytest.approx(np.ptp(angles[:, 0]), abs=1e-4)
        assert row["pitch_range"] == pytest.approx(np.ptp(angles[:, 1]), abs=1e-4)
        assert 0 <= row["motion"] < 0.2
    empty = {name for name in COLUMNS if rows[0][name] is None}
    assert empty == {"source_url", "uploader", "face_score", "sharpness", "duplicate_of", "list_name"}


def test_what_an_earlier_recipe_made_serves_again_and_the_rest_goes(copy: Path, small: Path) -> None:
    before = changed(copy)
    other = replace(SMALL, train=0, test=2)  # of three people two, who are both for testing now
    report = make(copy, other)
    assert (report.clips, report.done_before) == (4, 4)
    assert changed(copy).items() < before.items()
    left = Dataset.open(copy)
    assert {clip.split for clip in left.clips} == {"test"}
    assert {clip.sha256 for clip in left.clips} <= {clip.sha256 for clip in Dataset.open(small).clips}
    known = Truth.open(copy)
    assert known.clip_ids == tuple(clip.clip_id for clip in left.clips)
    assert all(known.table(clip).equals(Truth.open(small).table(clip)) for clip in known.clip_ids)
    assert is_complete(copy, other)


def test_what_is_lost_is_made_again(copy: Path, small: Path) -> None:
    """One clip's video, another clip's truth, and the record of them; then tables that a new run writes without
    rendering."""
    of_one = [clip for clip in Truth.open(copy).clip_ids if "-0001-" in clip]
    (copy / "clips" / f"{of_one[0]}.mp4").unlink()
    assert not is_complete(copy, SMALL)
    keep = [clip for clip in Truth.open(copy).clip_ids if clip != of_one[1]]
    truth.write(copy / "new", [Truth.open(copy).table(clip) for clip in keep])
    (copy / "new").replace(copy / "truth.parquet")
    (copy / "synth.json").unlink()  # it knows that truth.parquet was larger, and nothing in it would be trusted
    assert make(copy, SMALL).done_before == 4
    assert contents(copy) == contents(small)
    for victim in ("manifest.parquet", "synth.json"):
        (copy / victim).write_bytes(b"{")
        assert not is_complete(copy, SMALL)
        assert make(copy, SMALL).done_before == 6
        assert contents(copy) == contents(small)


def test_a_dataset_of_recorded_videos_is_left_alone(copy: Path) -> None:
    for name in ("truth.parquet", "synth.json"):
        (copy / name).unlink()
    before = contents(copy)
    with pytest.raises(UserError, match="is a dataset of recorded videos: choose another folder"):
        make(copy, SMALL)
    assert contents(copy) == before


def test_noise_changes_frames_and_no_truth(small: Path, tmp_path: Path) -> None:
    noisy = Recipe(train=0, test=1, clips_per_identity=1, seconds=0.32, size=64, seed=5, noise=0.7)
    make(tmp_path / "noisy", noisy)
    clean, grainy = Dataset.open(small), Dataset.open(tmp_path / "noisy")
    a = next(clip for clip in clean.clips if clip.video_id == grainy.clips[0].video_id)
    known, same = Truth.open(small).clip(a.clip_id), Truth.open(tmp_path / "noisy").clip(grainy.clips[0].clip_id)
    assert (known.noise, same.noise) == (0.0, 0.7)
    assert np.array_equal(known.landmarks2d, same.landmarks2d)
    assert np.array_equal(known.motion.expression, same.motion.expression)
    difference = np.abs(clean.frames(a, range(8)).astype(int) - grainy.frames(grainy.clips[0], range(8)))
    assert difference.mean() > 2


def test_one_process_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    with locked(tmp_path, wait=False), pytest.raises(UserError, match="is in use by another process"):
        make(tmp_path, SMALL)
    assert list(tmp_path.iterdir()) == []


def failing(error: Exception) -> object:
    def run(function: object, tasks: list[object], workers: int) -> Iterator[tuple[object, Exception]]:
        yield from ((task, error) for task in tasks)

    return run


def test_a_full_disk_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(engine, "run", failing(OSError(errno.ENOSPC, "No space left on device")))
    done = CliRunner().invoke(main, ["synth", "--out", str(tmp_path / "out"), *OPTIONS])
    assert done.exit_code == 3
    assert done.stderr.startswith("error: the disk is full; free some space and run the same command again")
    assert not (tmp_path / "out" / "manifest.parquet").exists()


def test_clips_that_fail_are_named_and_no_dataset_is_claimed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(engine, "run", failing(engine.Crashed("the process that worked on it died")))
    done = CliRunner().invoke(main, ["synth", "--out", str(tmp_path / "out"), *OPTIONS])
    assert done.exit_code == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("failed: synth5-")]
    assert len(lines) == 6
    assert lines[0].endswith("Crashed: the process that worked on it died")
    assert not (tmp_path / "out" / "manifest.parquet").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--identities", "0"], "identities must be at least 1"),
        (["--size", "255"], "size must be even, for H.264, but is 255"),
        (["--seconds", "nan"], "seconds must be positive, but is nan"),
        (["--noise", "1.5"], "noise must be in [0, 1], but is 1.5"),
        (["--clips-per-identity", "0"], "clips per identity must be at least 1, but is 0"),
        (["--raw", "--identities", "4"], "--identities has no meaning with --raw"),
        (["--raw", "--size", "100"], "size of raw videos must be even and in [180, 1080]"),
        (["--raw", "--seconds", "0.1"], "seconds of raw shots must be in [0.8, 600]"),
    ],
)
def test_wrong_values_are_one_clear_line(options: list[str], message: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["synth", "--out", str(tmp_path / "out"), *options])
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file" / "out", tmp_path / "file"):
        done = CliRunner().invoke(main, ["synth", "--out", str(out), *OPTIONS])
        assert done.exit_code == 2
        assert done.stderr.startswith("error: ")
        assert "file" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_dry_run_says_what_it_would_cost_and_writes_nothing(tmp_path: Path) -> None:
    arguments = ["synth", "--out", str(tmp_path / "out"), *OPTIONS, "--dry-run", "--workers", "2"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0
    assert done.stdout.startswith("6 clips, 48 frames, about ")
    cost = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).stdout)
    assert (cost["clips"], cost["frames"]) == (6, 48)
    assert not (tmp_path / "out").exists()


def test_an_estimate_grows_with_the_work() -> None:
    base = Recipe(train=20, seconds=4.0)
    assert estimate(base, 1).seconds > estimate(base, 2).seconds
    for change in ({"size": 512}, {"seconds": 8.0}, {"train": 40}, {"noise": 0.5}):
        more = estimate(replace(base, **change), 2)
        assert more.seconds > estimate(base, 2).seconds
        assert more.megabytes > estimate(base, 2).megabytes


def test_the_estimated_size_is_about_right(small: Path) -> None:
    written = sum(path.stat().st_size for path in small.rglob("*") if path.is_file()) / 1e6
    assert written / 3 < estimate(SMALL, 1).megabytes < written * 3


def test_the_lock_outlives_no_process(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from curate.synth.lock import locked\n"
        "with locked(Path(sys.argv[1]), wait=False): print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(UserError, match="in use"), locked(tmp_path, wait=False):
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with locked(tmp_path, wait=False):
        assert (tmp_path / ".lock").exists()
    assert not (tmp_path / ".lock").exists()
