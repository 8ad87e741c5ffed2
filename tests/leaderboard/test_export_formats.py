import io
import json

import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from leaderboard.cli import main
from leaderboard.export_formats import latex_text
from tests.leaderboard.factory import make_run, make_samples

HOSTILE = "<script>alert('x')</script>\"; DROP TABLE runs; -- ../../etc \u202eback \\input{/etc/passwd} " + "A" * 10_000


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    make_run(folder / "runs" / "a", samples=make_samples(0.8))
    make_run(folder / "runs" / "b", model="osfv", samples=make_samples(0.6))
    make_run(folder / "runs" / "c", model=HOSTILE, samples=make_samples(0.5))
    db = ["--db", str(folder / "b.duckdb")]
    assert CliRunner().invoke(main, [*db, "ingest", str(folder / "runs")]).exit_code == 0
    return lambda *more: CliRunner().invoke(main, [*db, "export", "--format", *more], catch_exceptions=False)


def test_latex_marks_best_and_second_and_runs_nothing(export):
    text = export("latex").stdout
    assert text.count(r"\textbf{") == text.count(r"\underline{") == 3
    assert r"\toprule" in text
    assert r"\scriptsize [" in text
    assert r"\input{" not in text
    assert "\u202e" not in text
    assert latex_text("a_b^{2}\\") == r"a\_b\textasciicircum{}\{2\}\textbackslash{}"


def test_parquet_holds_the_rows_of_csv(export, tmp_path):
    table = pq.read_table(io.BytesIO(export("parquet").stdout_bytes))
    assert table.num_rows == 3 * 3
    assert set(table["model"].to_pylist()) == {"fomm", "osfv", HOSTILE}
    assert export("parquet", "--out", str(tmp_path / "x.parquet")).stdout == f"{tmp_path / 'x.parquet'}\n"
    assert pq.read_table(tmp_path / "x.parquet").equals(table)


def test_every_eval_ever_has_what_its_schema_requires(export):
    records = [json.loads(line) for line in export("every-eval-ever", "--metric", "csim").stdout.splitlines()]
    assert len(records) == 3
    for record in records:
        assert {"schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata", "model_info"} <= set(
            record
        )
        assert {"source_type", "source_organization_name", "evaluator_relationship"} <= set(record["source_metadata"])
        (result,) = record["evaluation_results"]
        assert {"evaluation_name", "source_data", "metric_config", "score_details"} == set(result)
        assert result["metric_config"]["lower_is_better"] is False
        low = result["score_details"]["uncertainty"]["confidence_interval"]
        assert low["lower"] <= result["score_details"]["score"] <= low["upper"]


def test_hugging_face_is_yaml_whatever_the_names(export):
    entries = yaml.safe_load(export("hugging-face").stdout)
    assert len(entries) == 9
    assert {entry["dataset"]["id"] for entry in entries} == {"portraits"}
    assert any(HOSTILE in entry["notes"] for entry in entries)
    assert all(isinstance(entry["value"], float) for entry in entries)
