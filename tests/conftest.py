"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest

# One thread a process: pytest-xdist has the cores already, and torch's threads wait for each other on a full machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real clips, goldens and small real networks, where there is one beside the checkout."""
    folder = Path(os.environ.get("TALKINGHEAD_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"needs the development data in {folder} (set TALKINGHEAD_SHARED)")
    return folder


@pytest.fixture(scope="session")
def clips(shared: Path) -> Path:
    """The folder of real clips."""
    return shared / "data" / "clips"


@pytest.fixture
def real_networks(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of small real networks, made the place where weights are looked for."""
    folder = shared / "data" / "weights"
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(folder))
    return folder
