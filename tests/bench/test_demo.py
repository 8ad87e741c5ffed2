"""`bench demo` from nothing to a page, and again."""

from pathlib import Path

import pytest

from bench import demo
from curate.errors import UserError
from curate.files import PARTIAL
from leaderboard.records import read_record


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The demo with short videos, two training steps, and no weights at hand; gives the folder to put it in."""
    monkeypatch.setattr(demo, "STEPS", 2)
    monkeypatch.setattr(demo, "SECONDS", 1.2)
    monkeypatch.setattr("bench.provenance.git_state", lambda: (None, None))  # a commit in between makes new runs
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path))
    return tmp_path / "demo"


def files(out: Path) -> dict[Path, int]:
    kept = [path for folder in ("videos", "demo-clips/clips", "training", "runs") for path in (out / folder).rglob("*")]
    return {path: path.stat().st_mtime_ns for path in kept if path.is_file()}


def test_demo_makes_tables_and_a_page_and_a_second_call_reuses_all(small, capsys):
    first = demo.run_demo(small)
    said = capsys.readouterr().err
    assert all(f"[{part}/5]" in said for part in range(1, 6))
    assert {board.task for board in first.boards} == {"same-id", "cross-id"}
    for board in first.boards:
        assert [row.model for row in board.rows] == ["truth", "fomm", "source-copy"]
        values = {column.metric: cell for column, cell in zip(board.columns, board.rows[1].cells, strict=True)}
        assert (values["l1"].mean is not None) == (board.task == "same-id")
        assert values["akd-open"].mean is None
        assert "TALKINGHEAD_WEIGHTS" in values["akd-open"].reason
    assert "fomm" in first.page.read_text(encoding="utf-8")
    assert not list(small.rglob(f"{PARTIAL}*"))
    record = read_record(next(small.glob("runs/*/same-id/*-fomm-*")))
    assert record.dataset.name == "demo-clips"

    before = files(small)
    second = demo.run_demo(small)
    assert files(small) == before
    assert second.page == first.page
    assert [board.rows for board in second.boards] == [board.rows for board in first.boards]


def test_weights_of_another_version_are_named(tmp_path):
    training = tmp_path / "training"
    training.mkdir()
    (training / "checkpoint.safetensors").write_bytes(b"weights of long ago")
    with pytest.raises(UserError, match="training is of another version: delete it and run the demo again"):
        demo._train(tmp_path, training)
