import pytest

import leaderboard
from curate.errors import UserError
from leaderboard.rebuild import rebuild
from tests.leaderboard.factory import make_run, make_samples


def test_a_rebuilt_file_has_the_same_rows(tmp_path):
    board = tmp_path / "b.duckdb"
    runs = [make_run(tmp_path / "runs" / name, samples=make_samples(seed=i)) for i, name in enumerate("ab")]
    with leaderboard.open(board) as store:
        for run in runs:
            store.ingest(run)
        tables = ("runs", "scores", "samples", "published")
        before = {name: sorted(map(repr, store.rows(f"FROM {name}"))) for name in tables}
    assert rebuild(board).runs == 2
    with leaderboard.open(board) as store:
        assert {name: sorted(map(repr, store.rows(f"FROM {name}"))) for name in tables} == before


def test_no_run_is_lost(tmp_path):
    board = tmp_path / "b.duckdb"
    with leaderboard.open(board) as store:
        store.ingest(make_run(tmp_path / "runs" / "a"))
    make_run(tmp_path / "others" / "b")
    with pytest.raises(UserError, match="1 runs would be lost, 'a' of"):
        rebuild(board, [tmp_path / "others"])
    (tmp_path / "runs").rename(tmp_path / "moved")
    with pytest.raises(UserError, match="is gone: name the run folders"):
        rebuild(board)
    with leaderboard.open(board) as store:
        assert [row["run_id"] for row in store.rows("SELECT run_id FROM runs")] == ["a"]
    assert rebuild(board, [tmp_path / "moved", tmp_path / "others"]).runs == 2
    with pytest.raises(UserError, match="has no runs"):
        rebuild(tmp_path / "new.duckdb")
