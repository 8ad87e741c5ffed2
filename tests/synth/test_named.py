"""Datasets by name: made once, found again, made again when damaged; and what is said of names that do not exist."""

import subprocess
import sys
from pathlib import Path

import pytest

from curate import Dataset
from curate.errors import UserError
from curate.synth import named
from curate.synth.dataset import is_complete
from curate.synth.recipe import Recipe

TINY = {
    "tiny": {"description": "one person", "train": 1, "clips_per_identity": 1, "seconds": 0.08, "size": 64, "seed": 3}
}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv(named.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(named, "_tables", lambda: TINY)
    return tmp_path / "cache"


def test_the_shipped_recipes_are_sound() -> None:
    assert named.dataset_names() == ["synthheads", "synthheads-mini"]
    mini, full = named.recipe("synthheads-mini"), named.recipe("synthheads")
    assert min(mini.train, mini.test) >= 3
    assert min(full.train / 100, full.val / 20, full.test / 20) >= 1
    assert mini.seed != full.seed  # nobody is in both
    assert mini.noise == full.noise == 0
    assert named.folder("synthheads").name == f"synthheads-{full.fingerprint}"
    assert all(named.description(name) for name in named.dataset_names())


def test_a_dataset_is_made_once_and_found_again(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not named.is_made("tiny")
    first = named.resolve("tiny")
    assert capsys.readouterr().err.startswith("rendering tiny once: 1 clips, 2 frames, about ")
    assert first.is_relative_to(tiny)
    assert named.is_made("tiny")
    assert [clip.split for clip in Dataset.open(first).clips] == ["train"]
    clip = Dataset.open(first).clips[0].path
    made = clip.stat().st_mtime_ns
    assert named.resolve("tiny") == first
    assert capsys.readouterr().err == ""
    assert clip.stat().st_mtime_ns == made
    content = clip.read_bytes()
    clip.write_bytes(content[:100])
    assert not named.is_made("tiny")
    assert named.resolve("tiny") == first
    assert "rendering tiny once" in capsys.readouterr().err
    assert clip.read_bytes() == content


def test_two_processes_do_not_make_it_twice(tmp_path: Path) -> None:
    code = (
        "from curate.synth import named\n"
        f"named._tables = lambda: {TINY!r}\n"
        "if __name__ == '__main__': print(named.resolve('tiny', workers=1))"
    )
    (tmp_path / "run.py").write_text(code)
    root = Path(__file__).resolve().parents[2]
    environment = {"PATH": "/usr/bin", "TALKINGHEAD_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(root)}
    processes = [
        subprocess.Popen(
            [sys.executable, str(tmp_path / "run.py")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment,
        )
        for _ in range(2)
    ]  # fmt: skip
    ends = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ends
    assert len({out for out, _ in ends}) == 1
    assert sorted("1 of 1 clips" in errors for _, errors in ends) == [False, True]
    assert "waiting for another process" in "".join(errors for _, errors in ends)
    assert is_complete(
        Path(ends[0][0].strip()), Recipe(**{k: v for k, v in TINY["tiny"].items() if k != "description"})
    )


def test_a_folder_wins_over_a_name(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir(tmp_path)
    assert named.resolve("tiny") == Path("tiny")
    assert named.resolve(tmp_path / "tiny") == tmp_path / "tiny"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("synthhead-mini", "unknown dataset 'synthhead-mini': did you mean synthheads-mini or synthheads?"),
        ("celebv", r"unknown dataset 'celebv' \(known: synthheads, synthheads-mini\)"),
        ("no/such/folder", r"no/such/folder: no such folder \(datasets by name: synthheads, synthheads-mini\)"),
        (__file__, "test_named.py: no such folder"),
    ],
)
def test_what_is_neither_a_folder_nor_a_name_is_refused(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        named.resolve(name)


def test_the_cache_is_the_users_or_where_the_variable_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(named.VARIABLE, str(tmp_path))
    assert named.cache() == tmp_path
    monkeypatch.delenv(named.VARIABLE)
    assert named.cache().name == "talkinghead-bench"


def test_a_cache_that_cannot_be_written_is_an_os_error(tiny: Path) -> None:
    tiny.write_text("a file")
    with pytest.raises(OSError, match="Not a directory"):
        named.resolve("tiny")
