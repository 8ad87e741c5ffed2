"""The examples of docs/add-a-*.md are complete: written as packages with entry points, run through the commands."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from leaderboard.records import read_record

ROOT = Path(__file__).resolve().parents[2]
CALL = "from bench.cli import main; main()"


def install(document: str, site: Path) -> None:
    """Write the code of a document, and the entry points that its TOML names, as an installed package has them."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    for name, code in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", text, flags=re.S):
        (site / name).write_text(code)
    (section, key, value) = re.search(
        r'```toml\n\[project.entry-points."([\w.]+)"\]\n([\w-]+) = "([\w.:]+)"\n```', text
    ).groups()
    info = site / f"{key.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {key}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{section}]\n{key} = {value}\n")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    for document in ("add-a-model.md", "add-a-metric.md", "add-a-task.md"):
        install(document, folder)
    return folder


def bench(site: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), str(ROOT)])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CALL, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=site)


def test_the_model_has_no_fault(site):
    done = bench(site, "mock", "--model", "blend", "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    assert {finding["level"] for finding in json.loads(done.stdout)} == {"ok"}


def test_model_metric_and_task_run_together(site, dataset, tmp_path):
    done = bench(
        *(site, "run", "--task", "few-frames", "--model", "blend", "--dataset", dataset, "--out", tmp_path, "--json"),
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    record = read_record(Path(result["runs"][0]))
    assert record.model.name == "blend"
    assert record.protocol.id == "few-frames@1"
    assert {metric.id: metric.penalty for metric in record.metrics}["contrast"] == 0.5
    names = [column["metric"] for column in result["board"]["columns"]]
    cells = {row["model"]: row["cells"][names.index("contrast")] for row in result["board"]["rows"]}
    assert cells["truth"]["mean"] == 0
    assert 0 < cells["blend"]["mean"] < 0.5
    assert cells["blend"]["n_failed"] == 0


@pytest.mark.parametrize(("kind", "name"), [("models", "blend"), ("metrics", "contrast"), ("tasks", "few-frames@1")])
def test_they_are_listed(site, kind, name):
    done = bench(site, "list", kind, "--json")
    assert done.returncode == 0, done.stderr
    assert name in {value for row in json.loads(done.stdout) for value in row.values()}
