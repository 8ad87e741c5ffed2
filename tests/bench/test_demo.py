"""`bench demo` from nothing to a page, and again."""

from pathlib import Path

import pytest

from bench import demo
from curate.errors import UserError
from curate.files import PARTIAL
from curate.synth.dataset import make
from curate.synth.raw import RawRecipe
from curate.synth.recipe import Recipe
from leaderboard.records import read_record


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The demo with short small videos, few people and two training steps; gives the folder to put it in."""
    people = Recipe(train=1, test=2, clips_per_identity=1, seconds=0.16, size=128, seed=3)
    assert not make(tmp_path / "people", people).failed
    monkeypatch.setattr(demo, "DATASET", str(tmp_path / "people"))
    monkeypatch.setattr(demo, "STEPS", 2)
    monkeypatch.setattr(demo, "RAW", RawRecipe(seconds=0.8, height=180))
    monkeypatch.setattr("bench.provenance.git_state", lambda: (None, None))  # a commit in between makes new runs
    return tmp_path / "demo"


def files(out: Path) -> dict[Path, int]:
    kept = [path for name in ("videos", "curated/clips", "training-*", "runs") for path in out.glob(f"{name}/**/*")]
    return {path: path.stat().st_mtime_ns for path in kept if path.is_file()}


def test_demo_makes_tables_and_a_page_and_a_second_call_reuses_all(small, capsys):
    first = demo.run_demo(small)
    said = capsys.readouterr().err
    assert all(f"[{part}/6]" in said for part in range(1, 7))
    assert "of 13 people" in said
    assert {board.task for board in first.boards} == {"same-id", "cross-id"}
    for board in first.boards:
        assert (board.suite, board.split, board.n_pairs) == ("builtin", "test", 2)
        assert [row.model for row in board.rows] == ["truth", "truth-reencoded", "fomm", "shuffled", "source-copy"]
        values = {column.metric: cell for column, cell in zip(board.columns, board.rows[1].cells, strict=True)}
        assert {"l1", "psnr", "ssim", "lp-builtin", "fd-builtin"} <= {name for name in values if values[name].mean}
    assert "fomm" in first.page.read_text(encoding="utf-8")
    assert not list(small.rglob(f"{PARTIAL}*"))
    record = read_record(next(small.glob("runs/*/same-id/*-fomm-*")))
    assert record.dataset.name == "people"

    before = files(small)
    assert before
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
