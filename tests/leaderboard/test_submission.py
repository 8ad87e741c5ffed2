import json
import zipfile

import pytest
from click.testing import CliRunner

from curate.errors import UserError
from curate.files import sha256_text
from leaderboard.cli import main
from leaderboard.submission import LIST, pack, unpack
from tests.leaderboard.factory import make_preview, make_run


@pytest.fixture
def packed(tmp_path):
    folder = tmp_path / "a"
    make_run(folder, previews=[make_preview(folder)])
    (folder / "notes.py").write_text("print('never packed')")
    assert pack(folder, tmp_path / "a.zip") == 2 + 7
    return tmp_path / "a.zip"


def test_a_packed_run_is_ingested_elsewhere(packed, tmp_path):
    db = ["--db", str(tmp_path / "b.duckdb")]
    for expected in ("1 added, 0 already", "0 added, 1 already"):
        assert CliRunner().invoke(main, [*db, "ingest", str(packed)]).stdout.startswith(expected)
    before = packed.read_bytes()
    pack(tmp_path / "a", packed)
    assert packed.read_bytes() == before
    assert CliRunner().invoke(main, ["submit", str(tmp_path / "a"), "--out", str(tmp_path / "c.zip")]).exit_code == 0


@pytest.mark.parametrize("name", ["../out.jpg", "/out.jpg", "a/../../out.jpg", "x\\out.jpg", "run.sh", "a/b/c/d/e.jpg"])
def test_names_that_lead_out_or_are_no_file_of_a_run_are_refused(packed, tmp_path, name):
    hostile = tmp_path / "hostile.zip"
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(hostile, "w") as new:
        files = {entry: old.read(entry) for entry in old.namelist()}
        hashes = json.loads(files.pop(LIST)) | {name: sha256_text("x")}
        for entry, data in {LIST: json.dumps(hashes), **files, name: "x"}.items():
            new.writestr(entry, data)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match="no name of a file that a run may have"):
        unpack(hostile, tmp_path / "in")
    assert set(tmp_path.rglob("*")) - set(before) == {tmp_path / "in"}


def test_altered_bytes_unlisted_files_and_large_ones_are_refused(packed, tmp_path, monkeypatch):
    for change, message in (("alter", "does not have the hash"), ("add", "other files than its submission.json")):
        hostile = tmp_path / f"{change}.zip"
        with zipfile.ZipFile(packed) as old, zipfile.ZipFile(hostile, "w") as new:
            for entry in old.namelist():
                new.writestr(entry, old.read(entry) + b" " * (change == "alter" and entry == "run.json"))
            if change == "add":
                new.writestr("more.jpg", "x")
        with pytest.raises(UserError, match=message):
            unpack(hostile, tmp_path / "in")
    monkeypatch.setattr("leaderboard.submission._LARGEST", 10)
    with pytest.raises(UserError, match="is too large"):
        unpack(packed, tmp_path / "in")
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(UserError, match="is no submission"):
        unpack(tmp_path / "text.zip", tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []
