"""`curate build` through its real command: what it makes, that it resumes, and what it says of bad input."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from curate import Dataset, video
from curate.manifest import COLUMNS
from tests.talking import make_videos


def curate(*arguments: object, **kwargs: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "curate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **kwargs)


def items(out: Path, kind: str) -> list[dict[str, object]]:
    with duckdb.connect(str(out / "ledger.duckdb"), read_only=True) as db:
        cursor = db.execute("SELECT * FROM items WHERE kind = ? ORDER BY item_id", [kind])
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def files(out: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted((out / "clips").iterdir())}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six short videos of a face (one with sound, one with a cut), a text file named .mp4 and a truncated video."""
    folder = tmp_path_factory.mktemp("videos")
    make_videos(folder, seconds=2.4, size=256)
    (folder / "notes.mp4").write_text("not a video at all")
    (folder / "notes.txt").write_text("no video either, and not meant as one")
    whole = (folder / "person1-b.mp4").read_bytes()
    (folder / "sub dir").mkdir()
    (folder / "sub dir" / "truncated 'quote'.mp4").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.fixture(scope="module")
def built(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset made of them, undisturbed, by two processes."""
    out = tmp_path_factory.mktemp("built") / "dataset"
    result = curate("build", "--input", videos, "--out", out, "--min-res", 128, "--workers", 2)
    assert result.returncode == 1, result.stderr
    assert "failed: notes.mp4: not a readable video" in result.stderr
    assert "truncated 'quote'.mp4" in result.stderr
    assert "Traceback" not in result.stderr
    return out


def test_every_video_has_its_rows_and_every_clip_its_frames(built: Path) -> None:
    rows = pq.read_table(built / "manifest.parquet").to_pylist()
    assert list(rows[0]) == list(COLUMNS)
    assert rows == [json.loads(line) for line in (built / "manifest.jsonl").read_text().splitlines()]
    sources = items(built, "video")
    assert sorted(str(row["verdict"]) for row in sources) == ["failed"] * 2 + ["kept"] * 6
    assert all(row["reason"] for row in sources if row["verdict"] != "kept")
    assert all(row["wall_s"] > 0 for row in sources if row["verdict"] == "kept")
    kept = {str(row["item_id"]) for row in items(built, "clip") if row["verdict"] == "kept"}
    assert kept == {row["clip_id"] for row in rows} == {path.stem for path in (built / "clips").iterdir()}
    dataset = Dataset.open(built)
    for row, clip in zip(rows, dataset.clips, strict=True):
        decoded = sum(1 for _ in video.frames(built / row["path"]))
        assert decoded == row["n_frames"] == row["end_frame"] - row["start_frame"] == clip.n_frames
        assert row["native_side"] >= row["width"] == row["height"] == 128
        assert row["native_side"] == row["box_right"] - row["box_left"] == row["box_bottom"] - row["box_top"]
        assert video.info(built / row["path"]).has_audio == row["has_audio"]
        assert row["end_s"] - row["start_s"] == pytest.approx(row["n_frames"] / row["fps"])
    assert [row["has_audio"] for row in rows].count(True) == 1


def test_no_clip_crosses_the_cut_and_its_guard_frames(built: Path) -> None:
    shots = [row for row in items(built, "shot") if str(row["video_id"]).startswith("two-shots")]
    assert [(row["start_frame"], row["end_frame"]) for row in shots] == [(0, 30), (30, 60)]
    clips = [row for row in items(built, "clip") if str(row["video_id"]).startswith("two-shots")]
    assert [(row["start_frame"], row["end_frame"]) for row in clips] == [(0, 29), (31, 60)]


def test_a_second_run_does_nothing(videos: Path, built: Path) -> None:
    before, manifest = files(built), (built / "manifest.parquet").read_bytes()
    result = curate("build", "--input", videos, "--out", built, "--min-res", 128, "--json")
    assert result.returncode == 1  # the two bad files are still bad
    report = json.loads(result.stdout)
    assert report["done_before"] == report["videos"] == 8
    assert files(built) == before
    assert (built / "manifest.parquet").read_bytes() == manifest


def test_a_killed_run_goes_on_where_it_stopped(videos: Path, built: Path, tmp_path: Path) -> None:
    out = tmp_path / "dataset"
    command = [sys.executable, "-m", "curate", "build", "--input", str(videos), "--out", str(out), "--min-res", "128"]
    pauses = random.Random(0)
    for workers, most in ((1, 9.0), (2, 12.0)):
        process = subprocess.Popen(
            [*command, "--workers", str(workers)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(pauses.uniform(most / 2, most))
        process.send_signal(signal.SIGKILL)
        process.wait()
    result = curate(*command[3:], "--workers", 1)
    assert result.returncode == 1, result.stderr
    assert (out / "manifest.parquet").read_bytes() == (built / "manifest.parquet").read_bytes()
    assert {name: content for name, (_, content) in files(out).items()} == {
        name: content for name, (_, content) in files(built).items()
    }
    assert not list(out.rglob(".partial-*"))


def test_other_thresholds_decide_again_from_stored_scores(videos: Path, built: Path, tmp_path: Path) -> None:
    out = tmp_path / "dataset"
    subprocess.run(["cp", "-r", str(built), str(out)], check=True)
    analysed = {path.name: path.stat().st_mtime_ns for path in (out / "analysis").iterdir()}
    result = curate("build", "--input", videos, "--out", out, "--min-res", 256, "--json")
    assert result.returncode == 1, result.stderr
    assert {path.name: path.stat().st_mtime_ns for path in (out / "analysis").iterdir()} == analysed
    assert all(row["native_side"] >= 256 for row in pq.read_table(out / "manifest.parquet").to_pylist())
    assert len(files(out)) == json.loads(result.stdout)["clips"]  # clips of the other size are gone


def test_a_lost_clip_is_made_again(videos: Path, built: Path) -> None:
    victim = sorted((built / "clips").iterdir())[0]
    content = victim.read_bytes()
    victim.unlink()
    result = curate("build", "--input", videos, "--out", built, "--min-res", 128, "--json")
    assert json.loads(result.stdout)["done_before"] == 7
    assert victim.read_bytes() == content


def test_the_same_video_twice_counts_once(built: Path, videos: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "again").mkdir(parents=True)
    for target in (folder / "person1-a.mp4", folder / "again" / "other name.mp4"):
        os.link(videos / "person1-a.mp4", target)
    assert curate("build", "--input", folder, "--out", out, "--min-res", 128).returncode == 0
    assert [row["verdict"] for row in items(out, "video")] == ["kept", "dropped"]
    assert [row["reason"] for row in items(out, "video")] == ["", "same bytes as again/other name.mp4"]
    assert len(files(out)) == 1
    again = json.loads(curate("build", "--input", folder, "--out", out, "--min-res", 128, "--json").stdout)
    assert (again["done_before"], again["clips"]) == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--input", "nowhere"), "nowhere: no such file or folder"),
        (("--input", "empty"), "empty: no video in it"),
        (("--input", "empty", "--min-res", "255"), "--min-res 255: Value error, must be even"),
        (("--input", "empty", "--detector", "mtcn"), "unknown detector 'mtcn': did you mean mtcnn?"),
    ],
)
def test_wrong_use_is_one_clear_line(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = curate("build", "--out", "out", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_an_output_that_cannot_be_written_is_named(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = curate("build", "--input", videos, "--out", tmp_path / "file" / "dataset")
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert "file" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_two_builds_at_once_on_one_dataset_are_refused(videos: Path, built: Path) -> None:
    with duckdb.connect(str(built / "ledger.duckdb")):
        result = curate("build", "--input", videos, "--out", built, "--min-res", 128)
    assert result.returncode == 2
    assert "in use by another process" in result.stderr


def test_a_dry_run_writes_nothing(videos: Path, tmp_path: Path) -> None:
    result = curate("build", "--input", videos, "--out", tmp_path / "out", "--min-res", 512, "--dry-run")
    assert result.returncode == 0
    assert result.stdout.startswith("6 readable videos")
    assert "6 have frames below 512" in result.stdout
    assert "unreadable: notes.mp4" in result.stdout
    assert not (tmp_path / "out").exists()


def test_stats_tell_why(built: Path) -> None:
    rows = json.loads(curate("stats", built, "--json").stdout)["counts"]
    assert {(row["kind"], row["verdict"]) for row in rows} >= {("video", "kept"), ("video", "failed"), ("clip", "kept")}
    assert curate("stats", built / "clips").returncode == 2


def test_redecide_needs_no_decoding_and_can_be_undone(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "dataset"
    subprocess.run(["cp", "-r", str(built), str(out)], check=True)
    manifest, clips = (out / "manifest.parquet").read_bytes(), files(out)
    sides = sorted(row["native_side"] for row in pq.read_table(out / "manifest.parquet").to_pylist())
    limit = (sides[0] + sides[-1]) // 2 & ~1
    plan = json.loads(curate("redecide", out, "--min-res", limit, "--dry-run", "--json").stdout)
    assert (out / "manifest.parquet").read_bytes() == manifest
    done = json.loads(curate("redecide", out, "--min-res", limit, "--json").stdout)
    assert done["clips"] == plan["clips"] == sum(side >= limit for side in sides)
    rows = pq.read_table(out / "manifest.parquet").to_pylist()
    assert sorted(row["native_side"] for row in rows) == [side for side in sides if side >= limit]
    assert all(row["width"] == 128 for row in rows)  # as they were written
    assert len(done["dropped"]) == len(sides) - len(rows) > 0
    assert curate("verify", out).returncode == 0
    back = json.loads(curate("redecide", out, "--min-res", 128, "--json").stdout)
    assert back["back"] == done["dropped"]
    assert (out / "manifest.parquet").read_bytes() == manifest
    assert {name: content for name, (_, content) in files(out).items()} == {k: v for k, (_, v) in clips.items()}
    assert "name at least one threshold" in curate("redecide", out).stderr
