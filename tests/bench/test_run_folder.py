"""A run's folder: an id that another process took in the same millisecond."""

import pytest

from bench.run_folder import publish
from leaderboard.records import read_record
from tests.leaderboard.factory import make_run, make_samples


def test_two_runs_of_the_same_millisecond_are_both_kept(tmp_path):
    record, samples = read_record(make_run(tmp_path / "first")), make_samples()
    folders = [publish(tmp_path / "runs", record, samples, []) for _ in range(3)]
    assert [folder.name for folder in folders] == ["first", "first-2", "first-3"]
    assert [read_record(folder).run_id for folder in folders] == ["first", "first-2", "first-3"]
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"first", "first-2", "first-3"}


def test_another_reason_why_a_folder_cannot_be_named_is_told(tmp_path):
    record = read_record(make_run(tmp_path / "first"))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "first").write_bytes(b"a file")
    with pytest.raises(NotADirectoryError):
        publish(tmp_path / "runs", record, make_samples(), [])
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["first"]
