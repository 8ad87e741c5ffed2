"""A small dataset that the tests of this folder share."""

from pathlib import Path

import pytest

from curate.synth.dataset import make
from curate.synth.recipe import Recipe

SMALL = Recipe.of(3, clips_per_identity=2, seconds=0.32, size=64, seed=5)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people, two clips of eight frames each, made by one process; not to be changed."""
    out = tmp_path_factory.mktemp("synth") / "small"
    report = make(out, SMALL, workers=1)
    assert (report.clips, report.frames, report.done_before, report.failed) == (6, 48, 0, ())
    return out


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
