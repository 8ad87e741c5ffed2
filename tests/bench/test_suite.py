"""`bench suite`: who takes part in what, one pass a task, one leaderboard, and a second call that measures nothing."""

import json

import pytest
from click.testing import CliRunner

from bench.cli import main
from bench.suite import SuiteRequest, entries, run_suite
from curate.errors import MissingPrerequisite, UserError
from curate.synth.dataset import make
from curate.synth.recipe import Recipe
from leaderboard.records import read_record


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    root = tmp_path_factory.mktemp("suite") / "people"
    assert not make(root, Recipe(train=1, test=2, clips_per_identity=1, seconds=0.16, size=128, seed=3)).failed
    return root


@pytest.fixture
def request_(people, tmp_path, monkeypatch):
    monkeypatch.setattr("bench.provenance.git_state", lambda: (None, None))  # a commit in between makes new runs
    return SuiteRequest(
        dataset=str(people), models=("fomm",), tasks=("same-id", "relative"), limit=2, out=str(tmp_path / "out")
    )


def test_each_task_says_who_takes_part_and_why_others_do_not():
    found = {entry.task.id: entry for entry in entries(SuiteRequest(models=("fomm",)))}
    assert {"same-id", "cross-id", "relative", "few-shot", "redirection", "compression"} <= set(found)
    assert found["same-id"].models == found["relative"].models == ("fomm",)
    assert found["redirection"].left_out == {"fomm": "it cannot do 'redirect'"}
    assert "codec" in found["compression"].left_out["fomm"]


def test_models_without_weights_are_left_out_unless_they_are_named():
    taking_part = {name for entry in entries(SuiteRequest(tasks=("same-id",))) for name in entry.models}
    assert "fomm" in taking_part
    assert not {"osfv-direct", "truth", "source-copy"} & taking_part
    with pytest.raises(MissingPrerequisite, match="no weights for osfv-direct"):
        entries(SuiteRequest(models=("osfv-direct",)))
    with pytest.raises(UserError, match="same-id"):
        entries(SuiteRequest(tasks=("same-ids",)))
    with pytest.raises(UserError, match="no task has a model"):
        run_suite(SuiteRequest(models=("fomm",), tasks=("redirection",)))


def test_a_suite_measures_once_and_fills_a_leaderboard(request_):
    first = run_suite(request_)
    assert not first.failures
    assert {board.task for board in first.boards} == {"same-id", "relative"}
    for board in first.boards:
        assert {"truth", "truth-reencoded", "fomm", "source-copy"} <= {row.model for row in board.rows}
    assert first.leaderboard.is_file()
    assert read_record(first.folders[0]).arguments["models"] == ["fomm"]
    before = {path: path.stat().st_mtime_ns for folder in first.folders for path in folder.iterdir()}
    again = run_suite(request_)
    assert again.folders == first.folders
    assert {path: path.stat().st_mtime_ns for folder in again.folders for path in folder.iterdir()} == before


def test_a_dry_run_measures_nothing(request_, tmp_path):
    arguments = ["suite", "mini", "--dataset", request_.dataset, "--model", "fomm", "--out", str(tmp_path / "none")]
    told = CliRunner().invoke(main, [*arguments, "--dry-run"])
    assert told.exit_code == 0
    assert "redirection" in told.output
    told = CliRunner().invoke(main, [*arguments, "--dry-run", "--json", "--task", "same-id"])
    assert json.loads(told.stdout) == [{"task": "same-id@2", "models": "fomm", "left out": ""}]
    assert not (tmp_path / "none").exists()
