"""A build that is killed again and again gives the same bytes as one that is left alone."""

import time
from pathlib import Path

import pytest

from curate import pipeline
from curate.ledger import LEDGER, Ledger
from curate.settings import SelectionSettings, Settings
from curate.worker import VideoResult, VideoTask
from tests.curate.killing import contents, finish, kill_and_resume
from tests.curate.quick import process, quick_videos


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


def hang_on_one(task: VideoTask) -> VideoResult:
    if task.path.name == "v1.mp4":
        time.sleep(600)
    return process(task)


def test_a_video_that_hangs_is_given_up_and_the_others_go_on(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "process", hang_on_one)
    monkeypatch.setattr(pipeline, "LIMIT_S", 15.0)
    report = pipeline.build(source, tmp_path, Settings(selection=SelectionSettings(min_res=64)), workers=2)
    assert report.failed == (("v1.mp4", "took longer than 15 s"),)
    assert report.clips == 3
    with Ledger(tmp_path / LEDGER) as ledger:
        again = [file.path for file in ledger.sources().values() if not file.settings]
    assert again == ["v1.mp4"]  # the next run tries it once more
