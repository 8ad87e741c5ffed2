"""The wheel, installed away from the checkout: commands, data files and metadata."""

import email.parser
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ASKED_FOR = {
    "torch", "yt-dlp", "decord", "insightface", "face-alignment",
    "scikit-image", "pytorch-fid", "pandas", "duckdb", "lpips",
}  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("talkinghead_bench-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Script folder of a fresh environment that has the wheel; its dependencies are lent by this environment, but not
    this environment's link to the checkout (.pth files of a lent folder are not followed)."""
    folder = tmp_path_factory.mktemp("clean") / "env"
    venv.EnvBuilder(with_pip=True).create(folder)
    python = folder / "bin" / "python"
    packages = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    pip = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-index",
        str(wheel),
    ]
    subprocess.run(pip, check=True, capture_output=True)
    (Path(packages) / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def run(installed: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "TALKINGHEAD_WEIGHTS")
    }
    program = str(installed / command[0])
    return subprocess.run(
        [program, *command[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_metadata_names_the_packages_and_extras(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("METADATA"))
        metadata = email.parser.Parser().parsestr(archive.read(name).decode())
    required = {re.split(r"[\[<>=;]", line)[0].strip() for line in metadata.get_all("Requires-Dist", [])}
    assert required >= ASKED_FOR
    assert {"ray", "openvino", "dev"} <= set(metadata.get_all("Provides-Extra", []))


def test_data_files_travel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = set(archive.namelist())
    packages = ("curate", "bench", "baselines", "models", "leaderboard", "data_manifests")
    tracked = subprocess.run(
        ["git", "ls-files", *packages], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert tracked
    assert not set(tracked) - shipped
    assert {Path(name).suffix for name in shipped} >= {".py", ".toml", ".sql", ".j2", ".safetensors", ".csv"}
    assert not [name for name in shipped if name.startswith(("tests", ".venv"))]


def test_commands_run_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    from tests.talking import make_videos

    where = run(installed, tmp_path, "python", "-c", "import curate, bench, leaderboard; print(curate.__file__)")
    assert str(installed.parent) in where.stdout
    for command in ("curate", "bench", "leaderboard"):
        assert run(installed, tmp_path, command, "--help").returncode == 0
    make_videos(tmp_path / "videos", seconds=1.6, size=256, names=("person1-a", "person2-a"))
    built = run(installed, tmp_path, "curate", "build", "--input", "videos", "--out", "data", "--min-res", "128")
    assert built.returncode == 0, built.stderr
    ran = run(installed, tmp_path, "bench", "run", "--task", "same-id", "--model", "fomm", "--dataset", "data")
    assert ran.returncode == 0, ran.stderr
    assert run(installed, tmp_path, "leaderboard", "ingest", "runs").returncode == 0
    shown = run(installed, tmp_path, "leaderboard", "show")
    assert shown.returncode == 0, shown.stderr
    assert "fomm" in shown.stdout
    assert run(installed, tmp_path, "leaderboard", "report", "--out", "page").returncode == 0
    assert (tmp_path / "page" / "index.html").is_file()
