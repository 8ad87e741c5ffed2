"""A disk that is full or may only be read: one line, exit code 3, nothing half-written; the same command goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.curate import full_disk
from tests.curate.killing import finish, start
from tests.curate.quick import ROOT, quick_videos


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quick_videos(tmp_path_factory.mktemp("quick") / "in", 4)


def test_full_and_read_only_disks_stop_cleanly_and_go_on(source: Path, tmp_path: Path) -> None:
    if not full_disk.possible():
        pytest.skip("this machine lets nobody mount a disk in a namespace")
    finish(source, tmp_path / "whole", 1)
    (tmp_path / "disk").mkdir()
    command = [*full_disk.NAMESPACE, sys.executable, "-m", "tests.curate.full_disk", str(source)]
    disks = ["200", "380", "read-only later"]  # no room for the ledger; for two clips
    done = subprocess.run(
        [*command, str(tmp_path / "whole"), str(tmp_path / "disk"), *disks],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(disk["disk"], disk["code"], disk["partial"]) for disk in told] == [(disk, 3, 0) for disk in disks]
    full = "error: the disk is full; free some space and run the same command again to go on"
    assert [disk["errors"] for disk in told[:2]] == [[full], [full]]
    assert told[0]["clips"] == 0
    assert 0 < told[1]["clips"] < 4
    assert len(told[2]["errors"]) == 1
    assert "Read-only file system" in told[2]["errors"][0]


LIMITED = """
import resource, sys
from fractions import Fraction
from pathlib import Path
import av
from curate.video import ClipWriter
from tests.curate.quick import textured
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
writer = ClipWriter(Path(sys.argv[1]), (160, 160), Fraction(25))
try:
    for index, picture in enumerate(textured(60, 1)):
        writer.write(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p"), index / 25)
    writer.close()
except OSError as error:
    print(error.errno)
    writer.abort(error)
"""


def test_a_clip_that_does_not_fit_is_an_error_and_no_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "clip.mp4")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["27"]  # EFBIG
    assert not list(tmp_path.iterdir())


def test_the_second_of_two_builds_says_so(source: Path, tmp_path: Path) -> None:
    first = start(source, tmp_path / "out", 1)
    end = time.monotonic() + 60
    while not (tmp_path / "out" / "analysis").exists():  # it is at work
        assert first.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    os.killpg(first.pid, signal.SIGSTOP)  # and stays so, however fast the machine
    try:
        log = tmp_path / "second.log"
        code = start(source, tmp_path / "out", 1, log=log).wait()
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    assert code == 2
    assert "in use by another process" in log.read_text()
    assert len(log.read_text().splitlines()) == 1
    assert first.wait() == 0
