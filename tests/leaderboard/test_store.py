import csv
import json
import subprocess
import sys
import time

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import leaderboard
from curate.errors import UserError
from curate.files import sha256_file
from leaderboard.ingest import find_runs, ingest
from leaderboard.records import Sample
from leaderboard.store import MIGRATIONS, PUBLISHED, Store
from tests.leaderboard.factory import METRICS, make_preview, make_run, make_samples


@pytest.fixture
def store(tmp_path):
    with leaderboard.open(tmp_path / "board.duckdb") as opened:
        yield opened


def count(store, table):
    return len(store.connection.table(table).fetchall())


TABLES = ("runs", "metrics", "evaluators", "scores", "previews", "samples")


def test_ingest_takes_everything_in(store, tmp_path):
    folder = tmp_path / "runs" / "a"
    make_run(folder, samples=make_samples(persons=3, frames=2), previews=[make_preview(folder)])
    assert store.ingest(folder)
    assert [count(store, table) for table in TABLES] == [1, 3, 1, 3, 1, 3 * 2 * 3]
    (run,) = store.rows("SELECT record, model, created FROM runs")
    assert json.loads(run["record"]) == json.loads((folder / "run.json").read_text())
    assert run["created"].isoformat() == "2026-01-01T12:00:00"
    (preview,) = store.rows("SELECT frames, output FROM previews")
    assert preview["frames"] == [0, 2, 4]
    assert len(preview["output"]) == 3


def test_twice_is_once_and_a_moved_folder_is_followed(store, tmp_path):
    first = make_run(tmp_path / "a")
    assert store.ingest(first)
    moved = first.rename(tmp_path / "elsewhere")
    before = [count(store, table) for table in TABLES]
    assert not store.ingest(moved)
    assert [count(store, table) for table in TABLES] == before
    assert store.rows("SELECT folder FROM runs")[0]["folder"] == str(moved)


def test_times_are_kept_in_utc(store, tmp_path):
    store.ingest(make_run(tmp_path / "a", changes={"created": "2026-01-01T12:00:00+02:00"}))
    assert store.rows("SELECT created FROM runs")[0]["created"].hour == 10


def test_half_written_folders_are_named_and_the_others_taken(store, tmp_path):
    runs = tmp_path / "runs"
    make_run(runs / "whole")
    make_run(runs / "no-record")
    (runs / "no-record" / "run.json").unlink()
    make_run(runs / "no-samples")
    (runs / "no-samples" / "samples.parquet").unlink()
    (runs / "empty").mkdir()
    report = ingest(store, [runs])
    assert [path.name for path in report.added] == ["whole"]
    assert {path.name: text.split(":")[0].rpartition("/")[2] for path, text in report.refused.items()} == {
        "empty": "empty is no finished run (half-written)",
        "no-record": "no-record is no finished run (half-written)",
        "no-samples": "no-samples has run.json but no samples.parquet",
    }


def test_altered_samples_are_refused(store, tmp_path):
    folder = make_run(tmp_path / "a")
    table = pq.read_table(folder / "samples.parquet")
    pq.write_table(table.slice(1), folder / "samples.parquet")
    with pytest.raises(UserError, match="altered after the run"):
        store.ingest(folder)
    assert count(store, "runs") == 0


def rewrite(folder, table=None, raw=None, **changes):
    """Change a run folder and make its hash fit again: what a faulty or hostile writer could hand in."""
    path = folder / "samples.parquet"
    if table is not None:
        pq.write_table(table, path)
    if raw is not None:
        path.write_bytes(raw)
    record = json.loads((folder / "run.json").read_text()) | {"samples_sha256": sha256_file(path)} | changes
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def without_pairs(folder):
    table = pq.read_table(folder / "samples.parquet")
    return table.set_column(0, "pair_id", pa.nulls(len(table), pa.string()))


def good(**changes):
    fields = {"pair_id": "p", "clip_id": "c", "person": "ann", "frame": 0, "metric": "l1", "value": 0.5}
    return Sample(**(fields | changes))


def of_set(**changes):
    return good(pair_id=None, clip_id=None, person=None, frame=None, **({"n": 6} | changes))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: rewrite(f, schema_version=3), "schema_version"),
        (lambda f: rewrite(f, surprise=1), "surprise"),
        (lambda f: rewrite(f, created="yesterday"), "no ISO 8601 time: 'yesterday'"),
        (lambda f: rewrite(f, evaluators={}), "'csim' uses the evaluator 'identity', not stated"),
        (lambda f: rewrite(f, raw=b"PAR1 but not really"), "no readable Parquet"),
        (lambda f: rewrite(f, table=pa.table({"x": [1]})), "other columns than a run record: x"),
        (lambda f: make_run(f, samples=[good(metric="fid")]), "'fid', a metric that run.json does not state"),
        (lambda f: make_run(f, samples=[good(), good()]), "measures twice: pair 'p', metric 'l1', frame 0"),
        (lambda f: make_run(f, samples=[good(frame=None), good(frame=None)]), "measures twice"),
        (lambda f: (f / "run.json").write_text("{"), "is no run record"),
        (lambda f: rewrite(f, table=without_pairs(f)), "samples with a pair and no person, or the reverse"),
        (lambda f: make_run(f, samples=[of_set(), of_set()]), "two values of all pairs together"),
        (lambda f: make_run(f, samples=[of_set(), good()]), "l1 has values of pairs and a value of all pairs together"),
        (lambda f: make_run(f, changes={"metrics": [METRICS[0].model_dump()] * 3}, samples=[]), "does not fit"),
        (lambda f: make_run(f, changes={"protocol.n_pairs": 10**12}), "does not fit"),
        (lambda f: make_run(f, changes={"model.parameters": 10**30}), "does not fit"),
    ],
)
def test_what_contradicts_itself_is_refused_whole(store, tmp_path, spoil, message):
    folder = make_run(tmp_path / "a")
    spoil(folder)
    with pytest.raises(UserError, match=message):
        store.ingest(folder)
    assert [count(store, table) for table in TABLES] == [0] * len(TABLES)
    assert store.ingest(make_run(tmp_path / "good"))  # the store is of use afterwards


def test_values_that_break_the_schemas_meaning_are_refused(store, tmp_path):
    folder = make_run(tmp_path / "a")
    table = pq.read_table(folder / "samples.parquet")
    values = [float("nan"), *table["value"].to_pylist()[1:]]
    rewrite(folder, table=table.set_column(5, "value", pa.array(values, pa.float64())))
    with pytest.raises(UserError, match="not finite"):
        store.ingest(folder)


def test_a_value_of_all_pairs_together_is_a_score_without_interval(store, tmp_path):
    lost = good(metric="l1", value=None, status="failed", error="the model raised")
    store.ingest(make_run(tmp_path / "a", samples=[of_set(value=0.25), lost]))
    (score,) = store.rows("SELECT * FROM scores WHERE metric = 'l1'")
    assert (score["mean"], score["n_ok"], score["n_failed"], score["ci_low"]) == (0.25, 6, 1, None)
    assert score["reason"] == "one value of all frames together: no interval"
    assert score["failures"] == "the model raised (1)"


def test_records_of_the_first_version_are_read_as_one_frame_a_row(store, tmp_path):
    folder = make_run(tmp_path / "a", samples=make_samples(persons=3, frames=2))
    table = pq.read_table(folder / "samples.parquet")
    record = json.loads((folder / "run.json").read_text())
    for metric in record["metrics"]:
        del metric["reference"]
    del record["protocol"]["split"]
    changes = {"schema_version": 1, "metrics": record["metrics"], "protocol": record["protocol"]}
    assert store.ingest(rewrite(folder, table=table.drop_columns("n"), **changes))
    assert {score["n_ok"] for score in store.rows("SELECT n_ok FROM scores")} == {6}
    assert store.rows("SELECT signature FROM metrics")[0]["signature"].startswith("l1|pixels|256px|")
    with pytest.raises(UserError, match="other columns than a run record"):
        store.ingest(rewrite(make_run(tmp_path / "b"), schema_version=1))


def test_an_older_file_is_brought_up_to_date_with_what_is_in_it(tmp_path, monkeypatch):
    folder = tmp_path / "migrations"
    folder.mkdir()
    for number in (1, 2):
        (path,) = MIGRATIONS.glob(f"{number:04}_*.sql")
        (folder / path.name).write_text(path.read_text())
    with monkeypatch.context() as patch:
        patch.setattr("leaderboard.store.MIGRATIONS", folder)
        patch.setattr("leaderboard.store.PUBLISHED", tmp_path / "migrations")  # it had no cards then
        with leaderboard.open(tmp_path / "board.duckdb") as old:
            old.connection.execute("INSERT INTO samples VALUES ('r', 'p', 'c', 'ann', 0, 'l1', 0.5, 'ok', NULL)")
    with leaderboard.open(tmp_path / "board.duckdb") as store:
        assert store.rows("SELECT person, n FROM samples") == [{"person": "ann", "n": 1}]
        assert store.ingest(make_run(tmp_path / "a", samples=[of_set()], changes={"protocol.split": "test"}))
        assert {row["split"] for row in store.rows("SELECT split FROM standings")} == {"test"}


def test_an_id_belongs_to_one_run(store, tmp_path):
    store.ingest(make_run(tmp_path / "one" / "a"))
    other = make_run(tmp_path / "two" / "a", samples=make_samples(0.5))
    with pytest.raises(UserError, match="id of another run"):
        store.ingest(other)


def test_find_runs(tmp_path):
    run = make_run(tmp_path / "runs" / "a")
    (tmp_path / "runs" / ".hidden").mkdir()
    (tmp_path / "runs" / "note.txt").write_text("")
    assert find_runs([run, tmp_path / "runs"]) == [run]
    with pytest.raises(UserError, match="holds no finished run"):
        find_runs([tmp_path])
    with pytest.raises(UserError, match="is no folder"):
        find_runs([tmp_path / "absent"])


def test_scores_are_those_of_the_one_aggregation(store, tmp_path):
    samples = [good(person=person, pair_id=person, value=value) for person, value in (("a", 1.0), ("b", 2.0))]
    store.ingest(make_run(tmp_path / "a", samples=samples))
    rows = {row["metric"]: row for row in store.rows("SELECT * FROM scores")}
    assert (rows["l1"]["mean"], rows["l1"]["ci_low"], rows["l1"]["ci_high"]) == (1.5, 1.0, 2.0)
    assert (rows["csim"]["mean"], rows["csim"]["reason"]) == (None, "no sample")


def test_samples_written_in_many_parts_are_read_alike(store, tmp_path):
    samples = make_samples(persons=5, frames=7, lost=(1, 4))
    store.ingest(make_run(tmp_path / "one", samples=samples))
    parts = make_run(tmp_path / "many", samples=samples)
    pq.write_table(pq.read_table(parts / "samples.parquet"), parts / "samples.parquet", row_group_size=11)
    store.ingest(rewrite(parts))
    for table in ("samples", "scores"):
        rows = {}
        for row in store.rows(f"FROM {table}"):
            rows.setdefault(row.pop("run_id"), []).append(repr(row))
        assert sorted(rows["one"]) == sorted(rows["many"])


def test_published_rows_are_those_of_the_files(store):
    wanted = []
    for path in PUBLISHED.glob("*.csv"):
        with path.open(newline="") as handle:
            wanted += [(r["paper"], r["metric"], float(r["value"]), r["note"] or None) for r in csv.DictReader(handle)]
    found = [tuple(row.values()) for row in store.rows("SELECT paper, metric, value, note FROM published")]
    assert sorted(map(repr, found)) == sorted(map(repr, wanted))
    assert len(found) > 600


def test_published_rows_are_loaded_once_and_again_when_a_file_changed(store, tmp_path):
    n = count(store, "published")
    store.connection.execute("UPDATE published_files SET sha256 = '' WHERE name LIKE 'osfv%'")
    store.connection.execute("DELETE FROM published WHERE paper LIKE 'OSFV%'")
    store.close()
    with leaderboard.open(tmp_path / "board.duckdb") as again:
        assert count(again, "published") == n


def test_migrations_are_numbered_and_applied_once(store, tmp_path):
    numbers = sorted(int(path.name[:4]) for path in MIGRATIONS.glob("*.sql"))
    assert numbers == list(range(1, len(numbers) + 1))
    store.close()
    with leaderboard.open(tmp_path / "board.duckdb") as again:
        assert [row["version"] for row in again.rows("SELECT version FROM migrations ORDER BY 1")] == numbers


def test_a_failed_migration_leaves_no_trace(tmp_path, monkeypatch):
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_good.sql").write_text("CREATE TABLE kept (x INTEGER);")
    (folder / "0002_bad.sql").write_text("CREATE TABLE lost (x INTEGER); SELECT * FROM nowhere;")
    monkeypatch.setattr("leaderboard.store.MIGRATIONS", folder)
    with pytest.raises(duckdb.CatalogException):
        Store(tmp_path / "new.duckdb")
    with duckdb.connect(str(tmp_path / "new.duckdb")) as connection:
        names = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        assert names == {"migrations", "kept"}


def test_files_that_are_no_leaderboard_are_refused(tmp_path):
    (tmp_path / "text.duckdb").write_text("hello " * 1000)
    with pytest.raises(UserError, match="cannot be opened"):
        leaderboard.open(tmp_path / "text.duckdb")
    with duckdb.connect(str(tmp_path / "other.duckdb")) as connection:
        connection.execute("CREATE TABLE mine (x INTEGER)")
    with pytest.raises(UserError, match="no leaderboard"):
        leaderboard.open(tmp_path / "other.duckdb")
    with pytest.raises(UserError, match="there is no leaderboard"):
        leaderboard.open(tmp_path / "absent.duckdb", read_only=True)
    assert not (tmp_path / "absent.duckdb").exists()
    with pytest.raises(UserError, match="does not exist"):
        leaderboard.open(tmp_path / "no" / "folder.duckdb")


@pytest.mark.parametrize(("version", "message"), [(99, "newer version"), (0, "older version")])
def test_other_versions_are_named(store, tmp_path, version, message):
    store.connection.execute("DELETE FROM migrations")
    store.connection.execute("INSERT INTO migrations VALUES (?, 'x')", [version])
    store.close()
    with pytest.raises(UserError, match=message):
        leaderboard.open(tmp_path / "board.duckdb", read_only=True)


HOLD = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def hold(path, seconds):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def test_a_held_file_is_waited_for_with_a_bound(tmp_path):
    path = tmp_path / "board.duckdb"
    leaderboard.open(path).close()
    with hold(path, 60) as holder:
        start = time.monotonic()
        with pytest.raises(UserError, match=f"held by process {holder.pid}: waited 0.3 s"):
            Store(path, wait=0.3)
        assert time.monotonic() - start < 5
        holder.kill()
    with hold(path, 0.5) as holder, Store(path, wait=20) as store:
        assert count(store, "migrations") >= 1
