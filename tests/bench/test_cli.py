"""The command `bench`: output, exit codes, and one line for what is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench.cli import main
from leaderboard.records import read_record

from .conftest import FRAMES

CALIBRATION = ["truth", "truth-reencoded", "source-copy", "shuffled"]


def bench(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run(dataset: Path, out: Path, *more: object, model: str = "shifter") -> Result:
    return bench("run", "--task", "same-id", "--model", model, "--dataset", dataset, "--out", out, *more)


def test_run_prints_table_footnotes_signatures_and_folders(dataset, suite, outside, tmp_path):
    suite.missing = {"identity": "identity weights are not here"}
    result = run(dataset, tmp_path)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("same-id@2 on tiny@")
    assert [line.split()[0] for line in lines[3:] if line and line.startswith(("shifter", "("))][:5] == [
        "(truth)",
        "(truth-reencoded)",
        "shifter",
        "(shuffled)",
        "(source-copy)",
    ]
    assert "identity weights are not here" in result.stdout
    assert any(line.strip().startswith("l1|pixels|vs:driving|256px|pairs:3@") for line in lines)
    folders = [Path(line) for line in lines if line.startswith(str(tmp_path))]
    assert [read_record(folder).model.name for folder in folders] == ["shifter", *CALIBRATION]


def test_run_for_machines(dataset, suite, tmp_path):
    result = run(dataset, tmp_path, "--json", "--limit", 2, model="source-copy")
    value = json.loads(result.stdout)
    assert len(value["runs"]) == 4
    names = [column["metric"] for column in value["board"]["columns"]]
    rows = {row["model"]: dict(zip(names, row["cells"], strict=True)) for row in value["board"]["rows"]}
    assert rows["truth"]["akd-open"]["mean"] == 0
    assert rows["source-copy"]["l1"]["n_ok"] == 2 * FRAMES
    assert value["board"]["n_pairs"] == 2


def test_failed_pairs_are_named_and_give_exit_code_1(dataset, suite, outside, tmp_path):
    arguments = ["run", "--task", "cross-id", "--model", "shifter", "--checkpoint", "raise", "--dataset", dataset]
    result = bench(*arguments, "--out", tmp_path)
    assert result.exit_code == 1
    failed = [line for line in result.stderr.splitlines() if line.startswith("failed: ")]
    assert failed
    assert all("shifter" in line and "raised KeyError" in line for line in failed)
    assert "cross-id@2" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--task", "same_id", "--model", "truth"], 2, "error: unknown task 'same_id': did you mean same-id?"),
        (["--task", "same-id", "--model", "fom"], 2, "error: unknown model 'fom': did you mean fomm"),
        (["--task", "same-id", "--model", "fomm", "--checkpoint", "nowhere.pth"], 3, "bench train --model fomm"),
        (["--task", "same-id", "--model", "truth", "--limit", "0"], 2, "--limit"),
        (["--task", "same-id", "--model", "truth", "--device", "abacus"], 2, "error: device"),
    ],
)
def test_wrong_use_is_one_line_and_a_code(dataset, suite, tmp_path, arguments, code, message):
    result = bench("run", *arguments, "--dataset", dataset, "--out", tmp_path / "runs")
    assert result.exit_code == code
    assert message in result.stderr
    assert len([line for line in result.stderr.splitlines() if line.startswith(("error", "Error"))]) == 1
    assert not result.stdout
    assert not (tmp_path / "runs").exists()


def test_what_is_no_dataset_is_named_with_the_nearest_that_is(suite, tmp_path):
    unknown = run("synthhead-mini", tmp_path / "runs", model="truth")
    assert unknown.exit_code == 2
    assert "unknown dataset 'synthhead-mini': did you mean synthheads-mini" in unknown.stderr
    empty = run(tmp_path, tmp_path / "runs", model="truth")
    assert empty.exit_code == 2
    assert "curate build" in empty.stderr


def test_without_a_dataset_it_is_the_one_that_is_rendered_at_first_use(dataset, suite, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("curate.synth.named.resolve", lambda name: asked.append(name) or dataset)
    monkeypatch.chdir(tmp_path)
    result = bench("run", "--task", "same-id", "--model", "truth", "--limit", 1)
    assert result.exit_code == 0
    assert asked == ["synthheads-mini"]


def test_a_named_suite_without_its_weights_is_a_missing_prerequisite(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path))
    result = run(dataset, tmp_path / "runs", "--suite", "open", model="truth")
    assert result.exit_code == 3
    assert "TALKINGHEAD_WEIGHTS" in result.stderr
    assert run(dataset, tmp_path / "runs", model="truth").exit_code == 0  # not named: what is at hand


def test_out_that_cannot_be_a_folder(dataset, suite, tmp_path):
    (tmp_path / "file").write_text("")
    result = run(dataset, tmp_path / "file" / "runs", model="truth")
    assert result.exit_code == 2
    assert "cannot be made" in result.stderr


@pytest.mark.parametrize("kind", ["models", "tasks", "metrics", "evaluators"])
def test_lists_name_what_exists_and_what_is_installed(kind, suite, outside, monkeypatch, tmp_path):
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path))
    rows = json.loads(bench("list", kind, "--json").stdout)
    names = {value for row in rows for value in list(row.values())[:2]}
    expected = {
        "models": {"fomm", "truth", "source-copy", "shifter"},
        "tasks": {"same-id@2", "cross-id@2", "first-drives-all@3"},
        "metrics": {"l1", "psnr", "ssim", "lp", "akd", "prmse", "aucon", "csim", "fd", "darkest"},
        "evaluators": {"builtin", "open", "detector", "landmarks", "identity", "pose", "expression", "frechet"},
    }[kind]
    assert names >= expected
    text = bench("list", kind).stdout
    assert all(name in text for name in expected)


def test_list_datasets_names_those_that_are_rendered_and_folders_with_a_manifest(dataset, monkeypatch, tmp_path):
    monkeypatch.setenv("TALKINGHEAD_CACHE", str(tmp_path))
    broken = dataset.parent / "broken"
    broken.mkdir(exist_ok=True)
    (broken / "manifest.parquet").write_text("no table")
    monkeypatch.chdir(dataset.parent)
    rows = {row["dataset"]: row for row in json.loads(bench("list", "datasets", "--json").stdout)}
    assert set(rows) == {"synthheads", "synthheads-mini", "tiny"}
    assert (rows["tiny"]["clips"], rows["tiny"]["path"]) == (3, "tiny")
    assert (rows["synthheads"]["state"], rows["synthheads"]["path"]) == ("made at first use", "")
    assert rows["synthheads"]["clips"] > rows["synthheads-mini"]["clips"] > 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cross-id", "task: cross-id@2"),
        (
            "cross-id",
            "pixels, where no truth is known: no ground truth: nobody filmed this source making these motions",
        ),
        ("ssim", "direction: higher is better"),
        ("fd", "value: one for all frames together"),
        ("lp", "needs: perceptual"),
        ("truth", "kind: calibration"),
        ("landmarks", "kind: landmarks"),
        ("open", "expression: NULL: suite 'open' has no expression network"),
    ],
)
def test_show_says_what_is_known(name, said):
    assert said in bench("show", name).stdout.splitlines()


def test_show_suggests():
    result = bench("show", "sim")
    assert result.exit_code == 2
    assert "did you mean ssim" in result.stderr


def test_train_refuses_what_cannot_be_trained(dataset, tmp_path):
    for model, message in (("truth", "nothing to train"), ("fom", "did you mean fomm")):
        result = bench("train", "--model", model, "--dataset", dataset, "--out", tmp_path)
        assert result.exit_code == 2
        assert message in result.stderr


def test_listing_metrics_and_tasks_needs_no_torch():
    code = (
        "import sys; from bench.cli import main\n"
        "for kind in ('metrics', 'tasks', 'models'): main(['list', kind], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules and 'duckdb' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
