import json
import signal
import subprocess
import sys
import time

import pytest

import leaderboard
from curate.errors import UserError
from leaderboard.store import Store
from tests.leaderboard.factory import make_run, make_samples

WRITER = "import sys; from leaderboard.cli import main; main(sys.argv[1:])"


def test_eight_processes_ingest_at_once_while_a_ninth_is_killed(tmp_path):
    runs = [make_run(tmp_path / "runs" / f"run-{i}", samples=make_samples(seed=i)) for i in range(9)]
    board = tmp_path / "b.duckdb"
    leaderboard.open(board).close()

    def start(*numbers):
        command = [sys.executable, "-c", WRITER, "--db", str(board), "ingest", *(str(runs[i]) for i in numbers)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    victim = start(*range(9))
    writers = [start(i, (i + 1) % 8) for i in range(8)]  # each takes one that another takes too
    time.sleep(1.5)  # it is about to write, writing or waiting by now
    victim.send_signal(signal.SIGKILL)
    outputs = [writer.communicate(timeout=120) for writer in writers]
    victim.communicate()
    assert [writer.returncode for writer in writers] == [0] * 8, outputs
    with leaderboard.open(board) as store:
        assert not any(store.ingest(run) for run in runs[:8])  # nothing lost
        store.ingest(runs[8])  # which the killed one alone had, whole or not at all
        rows = store.rows("SELECT run_id, count(*) AS n FROM samples GROUP BY 1 ORDER BY 1")
        assert rows == [{"run_id": f"run-{i}", "n": 72} for i in range(9)]  # nothing twice
        assert store.rows("SELECT count(*) AS n FROM scores") == [{"n": 27}]
        assert store.rows("SELECT count(*) AS n FROM runs") == [{"n": 9}]


def test_a_query_that_runs_for_ever_is_stopped(tmp_path):
    leaderboard.open(tmp_path / "b.duckdb").close()
    with Store(tmp_path / "b.duckdb", read_only=True) as store:
        begun = time.monotonic()
        with pytest.raises(UserError, match=r"took longer than 0\.5 s"):
            store.query("SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b", seconds=0.5)
        assert time.monotonic() - begun < 30


def test_a_query_gives_so_many_rows_and_no_more(tmp_path):
    leaderboard.open(tmp_path / "b.duckdb").close()
    with Store(tmp_path / "b.duckdb", read_only=True) as store:
        with pytest.raises(UserError, match="more than 100 rows"):
            store.query("FROM range(101)", most=100)
        assert len(store.query("FROM range(100)", most=100)[1]) == 100


def test_superseded_versions_of_a_protocol_stay_and_are_named(tmp_path):
    with leaderboard.open(tmp_path / "b.duckdb") as store:
        store.ingest(make_run(tmp_path / "old"))
        store.ingest(make_run(tmp_path / "new", changes={"protocol.id": "same-id@2"}))
        found = store.rows("SELECT DISTINCT protocol, superseded_by FROM standings ORDER BY 1")
        assert found == [
            {"protocol": "same-id@1", "superseded_by": "same-id@2"},
            {"protocol": "same-id@2", "superseded_by": None},
        ]
        assert json.dumps(store.rows("SELECT model, n_runs FROM models")) == '[{"model": "fomm", "n_runs": 2}]'
        assert store.rows("SELECT dataset, n_runs FROM datasets") == [{"dataset": "portraits", "n_runs": 2}]
