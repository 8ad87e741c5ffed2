"""A record names the commit of this code, never that of somebody else's repository."""

import subprocess
from pathlib import Path

from bench import provenance


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_commit_and_changes_of_a_checkout(tmp_path):
    file = tmp_path / "package" / "code.py"
    file.parent.mkdir()
    file.write_text("a = 1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    sha = git(tmp_path, "rev-parse", "HEAD")
    assert provenance.git_state(file) == (sha, False)
    (tmp_path / "notes.txt").write_text("untracked files are no change of the code")
    assert provenance.git_state(file) == (sha, False)
    file.write_text("a = 2\n")
    assert provenance.git_state(file) == (sha, True)


def test_an_installed_copy_inside_a_users_repository_has_no_commit(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "thesis.tex").write_text("")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "mine")
    installed = tmp_path / ".venv" / "site-packages" / "bench" / "provenance.py"
    installed.parent.mkdir(parents=True)
    installed.write_text("")
    assert provenance.git_state(installed) == (None, None)


def test_packages_and_machine_are_told():
    versions = provenance.packages()
    assert set(versions) <= set(provenance.PACKAGES)
    assert versions["numpy"]
    told = provenance.machine("cpu")
    assert told["device"] == "cpu"
    assert told["cpus"] >= 1
