"""A build that is killed again and again gives the same bytes as one that is left alone."""

from pathlib import Path

import pytest

from tests.curate.killing import contents, finish, kill_and_resume
from tests.curate.quick import quick_videos


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quick_videos(tmp_path_factory.mktemp("quick") / "in", 4)


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """An undisturbed build, and the seconds that it took."""
    out = tmp_path_factory.mktemp("whole") / "out"
    return out, finish(source, out, 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_kills_change_nothing(source: Path, whole: tuple[Path, float], tmp_path: Path, workers: int) -> None:
    out, seconds = whole
    assert sum(name.startswith("clips/") for name in contents(out)) == 4
    done = kill_and_resume(source, out, tmp_path, kills=3, workers=workers, engine="local", seed=workers, span=seconds)
    assert done.kills == 3
    assert done.builds >= 1
