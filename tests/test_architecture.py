"""The rules of ARCHITECTURE.md that a machine can check: who imports whom, and what a command may load."""

import ast
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = {"curate", "models", "baselines", "bench", "leaderboard", "data_manifests"}
MAY_IMPORT = {
    "curate": {"data_manifests"},
    "models": set(),
    "baselines": {"models"},
    "leaderboard": {"curate"},
    "bench": {"curate", "models", "baselines", "leaderboard", "data_manifests"},
}
TRAINING_MACHINE = {"torch", "numpy", "safetensors"}  # all that models and baselines may need


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Top-level package of every import in a file, and whether it stands inside a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {id(child) for function in functions for child in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], id(node) in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0], id(node) in inside


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_arrows_go_one_way(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(package)
        for name, inside in imports(path)
        if name in OURS - {package} - MAY_IMPORT[package]
        and not (package == "baselines" and name == "curate" and inside)  # functions that read datasets
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", ["models", "baselines"])
def test_a_training_machine_needs_three_packages(package: str) -> None:
    allowed = TRAINING_MACHINE | OURS | set(sys.stdlib_module_names)
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources(package)
        for name, _ in imports(path)
        if name not in allowed
    ]
    assert not wrong, "\n".join(wrong)


def test_one_module_opens_videos() -> None:
    openers = {"av", "decord"}
    found = {
        path.relative_to(ROOT).as_posix()
        for p in MAY_IMPORT
        for path in sources(p)
        for name, _ in imports(path)
        if name in openers
    }
    # frame.py converts the frames that video.py decoded and coding.py codes frames in memory; they open nothing
    assert found == {"curate/video.py", "curate/frame.py", "curate/coding.py"}
    assert "open(" not in (ROOT / "curate" / "frame.py").read_text(encoding="utf-8")
    assert "av.open(" not in (ROOT / "curate" / "coding.py").read_text(encoding="utf-8")


def test_files_stay_small() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for p in MAY_IMPORT for path in sources(p)}
    assert not {str(path): n for path, n in lengths.items() if n > 500}


COMMANDS = ["curate", "bench", "leaderboard"]
HEAVY = {"torch", "pandas", "duckdb", "pyarrow", "pydantic", "cv2", "av", "scenedetect", "skimage", "numpy"}


def script(name: str) -> str:
    return str(Path(sysconfig.get_path("scripts")) / name)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_quick_and_loads_nothing_heavy(command: str) -> None:
    code = f"import sys; from {command}.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & {line.split(".")[0] for line in done.stdout.split()}
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        help_text = subprocess.run([script(command), "--help"], capture_output=True, text=True, check=True).stdout
        seconds.append(time.perf_counter() - start)
    assert "Usage:" in help_text
    assert min(seconds) < 0.3, f"{command} --help took {min(seconds):.3f} s"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_verb_explains_itself_and_its_options(command: str) -> None:
    import importlib

    import click

    group = importlib.import_module(f"{command}.cli").main
    assert group.help
    for name, verb in group.commands.items():
        assert verb.help, f"{command} {name} has no help"
        for option in verb.params:
            if isinstance(option, click.Option):
                assert option.help, f"{command} {name} {option.opts[0]} has no help"


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_verbs_are_wrong_use(command: str) -> None:
    done = subprocess.run([script(command), "no-such-verb"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "No such command" in done.stderr
