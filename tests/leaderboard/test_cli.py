import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from leaderboard.cli import main
from tests.leaderboard.factory import make_run, make_samples


@pytest.fixture
def run(tmp_path):
    """Call the command on a file in the test's folder."""

    def run(*arguments):
        return CliRunner().invoke(
            main, ["--db", str(tmp_path / "b.duckdb"), *map(str, arguments)], catch_exceptions=False
        )

    return run


@pytest.fixture
def filled(run, tmp_path):
    make_run(tmp_path / "runs" / "t", model="truth", samples=make_samples(1.0))
    make_run(tmp_path / "runs" / "a")
    assert run("ingest", tmp_path / "runs").exit_code == 0
    return run


def test_ingest_counts_and_exit_codes(run, tmp_path):
    folder = make_run(tmp_path / "runs" / "a")
    assert run("ingest", folder).stdout == "1 added, 0 already there, 0 refused\n"
    (tmp_path / "runs" / "half").mkdir()
    result = run("ingest", tmp_path / "runs")
    assert result.exit_code == 1
    assert result.stdout == "0 added, 1 already there, 1 refused\n"
    assert "half is no finished run (half-written)" in result.stderr
    assert run("ingest", tmp_path / "absent").exit_code == 2
    assert run("ingest").exit_code == 2


def test_show_json_and_text(filled):
    result = filled("show", "--json")
    (board,) = json.loads(result.stdout)
    assert [row["model"] for row in board["rows"]] == ["truth", "fomm"]
    assert [cell["n_ok"] for cell in board["rows"][1]["cells"]] == [24, 24, 24]
    assert "fomm mini" in filled("show").stdout


def test_show_names_what_it_does_not_know(filled):
    result = filled("show", "--task", "same_id")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: unknown task 'same_id': did you mean same-id")
    assert result.stderr.count("\n") == 1
    assert filled("show", "--source", "guessed").exit_code == 2
    assert "Did you mean 'show'?" in filled("shwo").stderr


def test_show_sorts_by_a_metric_and_keeps_the_models_that_are_named(filled, tmp_path):
    make_run(tmp_path / "more" / "b", model="osfv", samples=make_samples(0.9, 3))
    assert filled("ingest", tmp_path / "more").exit_code == 0

    def shown(*options):
        (board,) = json.loads(filled("show", "--json", *options).stdout)
        places = {column["metric"]: i for i, column in enumerate(board["columns"])}
        cells = {row["model"]: row["cells"] for row in board["rows"]}
        return [row["model"] for row in board["rows"]], places, cells

    models, places, cells = shown()
    assert set(models) == {"truth", "fomm", "osfv"}
    for metric, place in places.items():
        ranked = [name for name in shown("--sort", metric)[0] if name != "truth"]
        values = [cells[name][place]["mean"] for name in ranked]
        assert values == sorted(values, reverse=metric != "l1"), metric
    assert shown("--model", "osfv")[0] == ["truth", "osfv"]
    assert "did you mean osfv" in filled("show", "--model", "osvf").stderr
    assert filled("show", "--sort", "ssimm").exit_code == 2
    assert "leaderboard published --model" in filled("show", "--source", "reported", "--sort", "l1").stderr


def test_show_of_nothing_says_so(filled):
    result = filled("show", "--source", "predictions", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])
    assert "nothing to show" in result.stderr


def test_show_reported(filled):
    rows = json.loads(filled("show", "--source", "reported", "--metric", "AKD", "--json").stdout)
    assert {row["metric"] for row in rows} == {"AKD"}
    table = filled("show", "--source", "reported").stdout
    assert table.splitlines()[0] == "reported by papers: protocols differ, no ranking"
    assert table.count("UNVERIFIED") == table.count("\n") - 3 - sum(
        not row["unverified"] for row in json.loads(filled("show", "--source", "reported", "--json").stdout)
    )


def test_without_a_file_one_line_tells_what_to_do(run, tmp_path):
    for command in (
        ["show"],
        ["report", "--out", tmp_path / "page"],
        ["sql", "SELECT 1"],
        ["export", "--format", "csv"],
    ):
        result = run(*command)
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert "leaderboard ingest RUN..." in result.stderr
    assert not (tmp_path / "b.duckdb").exists()


def test_report_prints_its_path(filled, tmp_path):
    result = filled("report", "--out", tmp_path / "page")
    assert result.stdout == f"{tmp_path / 'page' / 'index.html'}\n"
    assert (tmp_path / "page" / "index.html").is_file()


def test_export(filled):
    lines = filled("export", "--format", "csv").stdout.splitlines()
    assert lines[0].startswith("source,task,protocol,dataset")
    assert len(lines) == 1 + 2 * 3
    assert len(json.loads(filled("export", "--format", "json").stdout)) == 1
    assert filled("export", "--format", "xml").exit_code == 2


def test_sql_reads(filled):
    query = "SELECT model, n_ok, reason FROM standings WHERE metric = 'csim' ORDER BY model"
    lines = [line.split() for line in filled("sql", query).stdout.splitlines()]
    assert lines[0] == ["model", "n_ok", "reason"]
    assert lines[2:] == [["fomm", "24", "NULL"], ["truth", "24", "NULL"]]
    assert json.loads(filled("sql", "--json", query).stdout)[0] == {"model": "fomm", "n_ok": 24, "reason": None}


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE runs",
        "DELETE FROM runs",
        "INSERT INTO published_files VALUES ('a', 'b')",
        "COPY runs TO '{folder}/out.csv'",
        "EXPORT DATABASE '{folder}/out'",
        "SELECT * FROM read_csv('{folder}/secret.csv')",
        "SELECT * FROM '{folder}/secret.csv'",
        "SELECT * FROM glob('{folder}/*')",
        "ATTACH '{folder}/new.duckdb'",
        "SET enable_external_access = true",
        "INSTALL httpfs; LOAD httpfs",
        "SELECT 1; DROP TABLE runs",
        "not sql",
    ],
)
def test_sql_changes_nothing_and_reaches_no_file(filled, tmp_path, query):
    (tmp_path / "secret.csv").write_text("secret\n1\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    result = filled("sql", query.format(folder=tmp_path))
    assert result.exit_code == 2
    assert result.stderr.startswith("error: the query failed: ")
    assert result.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert filled("sql", "--json", "SELECT count(*) AS n FROM runs").stdout.split() == ["[", "{", '"n":', "2", "}", "]"]


def test_hostile_names_cannot_steer_a_terminal(run, tmp_path):
    name = "\x1b]0;owned\x07\u202eevil\nsecond line" + "A" * 10_000
    make_run(tmp_path / "a", model=name, changes={"dataset.name": name, "suite": name})
    run("ingest", tmp_path / "a")
    out = run("show").stdout + run("sql", "FROM runs").stdout + run("export", "--format", "markdown").stdout
    assert "\\x1b]0;owned" in out
    assert not set("\x1b\x07\u202e") & set(out)
    assert "\nsecond line" not in out
    assert max(map(len, run("show").stdout.splitlines())) < 500


def test_help_is_quick_to_answer_and_names_every_command():
    code = "import sys; from leaderboard.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(out.splitlines()[-1].split())
    assert "click" in loaded
    assert not loaded & {"torch", "numpy", "pandas", "pyarrow", "duckdb", "pydantic", "jinja2", "rich"}
    for name, command in main.commands.items():
        assert f"  {name} " in out
        assert command.help
        assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_processes_that_ingest_at_once_lose_nothing(run, tmp_path):
    for i in range(3):
        make_run(tmp_path / "runs" / f"run-{i}")
    started = []
    for i in range(3):  # each takes its own and one that another takes too
        folders = [str(tmp_path / "runs" / f"run-{j}") for j in (i, (i + 1) % 3)]
        arguments = ["--db", str(tmp_path / "b.duckdb"), "ingest", *folders]
        code = "import sys; from leaderboard.cli import main; main(sys.argv[1:])"
        started.append(subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True))
    outputs = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0] * 3
    assert sum(int(output.split()[0]) for output in outputs) == 3
    rows = json.loads(run("sql", "--json", "SELECT run_id, count(*) AS n FROM samples GROUP BY 1 ORDER BY 1").stdout)
    assert rows == [{"run_id": f"run-{i}", "n": 72} for i in range(3)]
