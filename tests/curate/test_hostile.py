"""150 hostile files through the real command: each has its row and reason, nothing crashes, nothing leaves OUT."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from curate.files import printable
from curate.sources import find_videos
from tests.curate.hostile import COUNT, FAILED, KEPT, Hostile, make_hostile
from tests.curate.quick import COMMAND, ROOT

LIMIT_S = 240  # of the build on a busy machine; it takes about ten seconds of computation


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Hostile]]:
    root = tmp_path_factory.mktemp("hostile")
    return root, make_hostile(root / "in", root / "outside")


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Every entry below a folder with its size and time of change."""
    found = {}
    for where, folders, names in os.walk(folder):
        for name in folders + names:
            stat = os.lstat(os.path.join(where, name))  # noqa: PTH118 names may be no Unicode
            found[os.path.join(where, name)] = (stat.st_size, stat.st_mtime_ns)  # noqa: PTH118
    return found


def build(root: Path, *options: object) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "build", "--input", str(root / "in"), "--out", str(root / "out"), "--min-res", "64"]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*command, *map(str, options)],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env=path,
        timeout=LIMIT_S,
    )


def test_all_150_have_their_row_and_nothing_else_happens(files: tuple[Path, list[Hostile]]) -> None:
    root, hostile = files
    assert len(hostile) == len({file.name for file in hostile}) == COUNT
    before, begun = tree(root), time.monotonic()
    done = build(root, "--workers", 2, "--json")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    report = json.loads(done.stdout)
    assert report["videos"] == COUNT
    after = tree(root)
    inside = f"{root / 'out'}{os.sep}"
    assert {name for name in after if name != str(root / "out") and not name.startswith(inside)} == set(before)
    assert all(after[name] == value for name, value in before.items() if name != str(root))
    with duckdb.connect(str(root / "out" / "ledger.duckdb"), read_only=True) as db:
        rows = db.execute(
            "SELECT path, verdict, reason, error_class FROM sources LEFT JOIN items ON item_id = sources.video_id"
        ).fetchall()
    verdicts = {path: (verdict, reason, error_class) for path, verdict, reason, error_class in rows}
    assert set(verdicts) == {printable(file.name) for file in hostile}
    for file in hostile:
        verdict, reason, error_class = verdicts[printable(file.name)]
        assert verdict in ("kept", "dropped", "failed"), file
        assert verdict == "kept" or reason, file
        assert verdict != "failed" or error_class == "unreadable", (file, reason)
        assert file.expected not in (KEPT, FAILED) or verdict == file.expected, (file, reason)
    failures = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failures) == sum(verdict == "failed" for verdict, _, _ in verdicts.values()) == len(report["failed"])
    assert report["seconds"] < 10 * report["clips"]
    print(f"{COUNT} hostile files: {time.monotonic() - begun:.1f} s", file=sys.stderr)


def test_a_second_build_looks_only_at_what_could_be_mended(files: tuple[Path, list[Hostile]]) -> None:
    root, hostile = files
    manifest = (root / "out" / "manifest.parquet").read_bytes()
    done = build(root, "--json")
    assert done.returncode == 1, done.stderr
    never_read = sum(file.name.startswith(("link-to-", "pipe", "socket")) for file in hostile)
    assert json.loads(done.stdout)["done_before"] >= COUNT - never_read - 1
    assert (root / "out" / "manifest.parquet").read_bytes() == manifest


def test_a_dry_run_waits_for_no_pipe(files: tuple[Path, list[Hostile]]) -> None:
    done = build(files[0], "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert ["pipe.mp4", "not a regular file"] in json.loads(done.stdout)["unreadable"]


def test_links_in_a_circle_are_no_folders(files: tuple[Path, list[Hostile]]) -> None:
    assert not [path for path in find_videos(files[0] / "in", files[0] / "out") if "loop" in path.parts]
