"""A finished dataset for the tests of what is done with one."""

from __future__ import annotations

import os
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from curate import video
from tests.curate.made import encode

NAMED = "it's <b>bold & #1.mp4"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of three clips, never to be changed; its videos lie in the folder `in` beside it.

    Two videos give clips (one has sound and a name that is HTML, `long.mp4` has a cut in the middle), one is too short,
    one too small, one is no video.
    """
    from tests.curate.quick import COMMAND, ROOT, textured

    folder = tmp_path_factory.mktemp("finished")
    (folder / "in").mkdir()
    video.write_video(folder / "in" / NAMED, textured(40, 1), 25, sound=(textured(1, 2)[0][:, 0, 0] / 255.0, 100))
    scenes = [textured(1, seed)[0] for seed in (3, 5)]
    video.write_video(folder / "in" / "long.mp4", [scene for scene in scenes for _ in range(40)], 25)
    video.write_video(folder / "in" / "short.mp4", textured(15, 4), 25)
    encode(folder / "in" / "small.mp4", 30, size=(48, 48), rate=Fraction(25))
    (folder / "in" / "broken.mp4").write_text("no video")
    command = [*COMMAND, "build", "--input", str(folder / "in"), "--out", str(folder / "out"), "--min-res", "64"]
    done = subprocess.run(
        [*command, "--workers", "1"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1, done.stderr  # broken.mp4
    return folder / "out"


@pytest.fixture
def dataset(finished: Path, tmp_path: Path) -> Path:
    """A copy of it to be changed."""
    shutil.copytree(finished, tmp_path / "dataset")
    return tmp_path / "dataset"
