"""`curate purge`: what it removes is gone and stays gone, what it was not asked for stays."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from curate import Settings, manifest
from curate.commands.dataset import purge as command
from curate.errors import UserError
from curate.ledger_queries import read
from curate.pipeline import build
from curate.purge import purge, tombstones
from curate.report.page import write_report
from curate.settings import SelectionSettings
from curate.verify import verify
from tests.curate.conftest import NAMED
from tests.curate.quick import COMMAND, ROOT


def rows(out: Path) -> list[dict[str, Any]]:
    return pq.read_table(out / "manifest.parquet").to_pylist()


def of(out: Path, start: str) -> list[dict[str, Any]]:
    return [row for row in rows(out) if row["video_id"].startswith(start)]


def test_a_video_is_removed_with_all_that_came_of_it(dataset: Path) -> None:
    (dataset / "raw").mkdir()
    (dataset / "raw" / "long.webm").write_bytes(b"raw")
    (dataset / "raw" / "longer.webm").write_bytes(b"another video's")
    write_report(dataset)
    gone = of(dataset, "long-")
    video_id = gone[0]["video_id"]
    others = [row for row in rows(dataset) if row["video_id"] != video_id]
    done = CliRunner().invoke(command, [str(dataset), "long", "--reason", "asked to"])
    assert done.exit_code == 0, done.stdout
    assert rows(dataset) == others
    assert [json.loads(line) for line in (dataset / "manifest.jsonl").read_text().splitlines()] == others
    assert not any((dataset / row["path"]).exists() for row in gone)
    assert all((dataset / row["path"]).exists() for row in others)
    assert not (dataset / "analysis" / f"{video_id}.json").exists()
    assert sorted(path.name for path in (dataset / "raw").iterdir()) == ["longer.webm"]
    assert not (dataset / "report").exists()
    item = next(entry for entry in read(dataset).of("video") if entry.item_id == video_id)
    assert item.verdict == "purged"
    assert item.reason.endswith(": asked to")
    assert [entry.item_id for entry in read(dataset).items if entry.video_id == video_id] == [video_id]
    stone = tombstones(dataset)[video_id]
    assert stone.is_video
    assert stone.sha256 == next(s["sha256"] for s in read(dataset).sources if s["video_id"] == video_id)
    assert stone.covers(gone[0])
    assert not stone.covers(others[0])
    assert verify(dataset).faults == ()


def test_a_clip_is_removed_and_its_neighbours_stay(dataset: Path) -> None:
    clip, *others = rows(dataset)
    purge(dataset, [clip["clip_id"]])
    assert rows(dataset) == others
    stone = tombstones(dataset)[clip["clip_id"]]
    again = {**clip, "clip_id": "of other settings", "end_frame": clip["end_frame"] + 10}
    assert stone.covers(again)
    assert not stone.covers({**again, "start_frame": clip["end_frame"], "end_frame": clip["end_frame"] + 9})
    beside = {f"box_{side}": clip[f"box_{side}"] + 10_000 for side in ("left", "top", "right", "bottom")}
    assert not stone.covers({**again, **beside})
    assert verify(dataset).faults == ()
    before = read(dataset)
    purge(dataset, [clip["clip_id"]])
    assert read(dataset) == before


def test_a_build_does_not_bring_it_back(finished: Path, dataset: Path) -> None:
    gone = of(dataset, "long-")
    purge(dataset, ["long"])
    settings = Settings(selection=SelectionSettings(min_res=64))
    videos = dataset.parent / "in"
    shutil.copytree(finished.parent / "in", videos)  # copies keep their times
    (videos / "broken.mp4").unlink()
    report = build(videos, dataset, settings)
    assert report.done_before == report.videos == 4
    assert not any((dataset / row["path"]).exists() for row in gone)
    assert gone[0]["video_id"] not in {row["video_id"] for row in rows(dataset)}


def test_nor_does_a_build_with_other_settings(finished: Path, dataset: Path) -> None:
    clip, other = of(dataset, "long-")
    purge(dataset, [clip["clip_id"], Path(NAMED).stem])
    command = [*COMMAND, "build", "--input", str(finished.parent / "in"), "--out", str(dataset), "--min-res", "66"]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, "--workers", "1"], capture_output=True, text=True, check=False, cwd=dataset, env=path
    )
    assert done.returncode == 1, done.stderr  # broken.mp4 is still broken
    (made,) = rows(dataset)
    assert made["width"] == 66
    assert made["clip_id"] != other["clip_id"]
    assert made["start_frame"] == other["start_frame"]
    assert verify(dataset).faults == ()


def test_a_purge_that_was_killed_is_finished_by_the_next(dataset: Path) -> None:
    clip = of(dataset, "long-")[0]
    content = (dataset / clip["path"]).read_bytes()
    analysis = dataset / "analysis" / f"{clip['video_id']}.json"
    known = analysis.read_bytes()
    purge(dataset, [clip["video_id"]], "first")
    (dataset / clip["path"]).write_bytes(content)  # as if it had been killed before it came to the files
    analysis.write_bytes(known)
    again = purge(dataset, [clip["video_id"]], "second")
    assert not (dataset / clip["path"]).exists()
    assert not analysis.exists()
    assert again.tombstones[0].reason == "first"
    assert verify(dataset).faults == ()


def test_what_stays_keeps_its_person_and_split(dataset: Path) -> None:
    first, *others = rows(dataset)
    known = [{**row, "identity_id": "p0", "split": "test"} for row in (first, *others)]
    for row in known[1:]:
        row["duplicate_of"] = first["clip_id"]
    manifest.write(dataset, known)
    purge(dataset, [first["clip_id"]])
    heir = others[0]["clip_id"]
    assert [(row["identity_id"], row["split"], row["duplicate_of"]) for row in rows(dataset)] == [
        ("p0", "test", None),
        *[("p0", "test", heir)] * (len(others) - 1),
    ]


@pytest.mark.parametrize("step", ["_forget", "manifest.write", "_files"])
def test_it_goes_on_from_wherever_it_was_killed(step: str, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [of(dataset, "long-")[0]["clip_id"], "short"]
    undisturbed = dataset.with_name("undisturbed")
    shutil.copytree(dataset, undisturbed)
    purge(undisturbed, ids, "asked to")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"curate.purge.{step}", killed)
        with pytest.raises(KeyboardInterrupt):
            purge(dataset, ids, "asked to")
    purge(dataset, ids, "another reason")
    for name in ("manifest.parquet", "manifest.jsonl", "tombstones.jsonl"):
        assert (dataset / name).read_bytes() == (undisturbed / name).read_bytes()
    for folder in ("clips", "analysis"):
        assert {path.name for path in (dataset / folder).iterdir()} == {
            path.name for path in (undisturbed / folder).iterdir()
        }
    assert read(dataset).items == read(undisturbed).items
    assert verify(dataset).faults == ()


def test_ids_that_begin_with_a_dash_are_ids(dataset: Path) -> None:
    with duckdb.connect(str(dataset / "ledger.duckdb")) as db:
        db.execute("UPDATE sources SET path = '-7TMJtnhiPM' WHERE path = 'short.mp4'")
    done = CliRunner().invoke(command, [str(dataset), "-7TMJtnhiPM"])
    assert done.exit_code == 0, done.output
    assert next(iter(tombstones(dataset))).startswith("short-")


def test_an_unknown_id_removes_nothing(dataset: Path) -> None:
    before = (dataset / "manifest.parquet").read_bytes()
    name = of(dataset, "long-")[0]["video_id"]
    with pytest.raises(UserError, match=f"no video or clip '{name[:-1]}'; did you mean {name}"):
        purge(dataset, ["short", name[:-1]])
    assert (dataset / "manifest.parquet").read_bytes() == before
    assert not (dataset / "tombstones.jsonl").exists()
    assert any(entry.item_id.startswith("short") and entry.kind == "track" for entry in read(dataset).items)


def test_nothing_outside_the_dataset_is_removed(dataset: Path) -> None:
    outside = dataset.parent / "precious.mp4"
    outside.write_bytes(b"mine")
    clip = rows(dataset)[0]
    with duckdb.connect(str(dataset / "ledger.duckdb")) as db:
        row = json.dumps({**clip, "path": "../precious.mp4"})
        db.execute("UPDATE clips SET manifest = ? WHERE clip_id = ?", [row, clip["clip_id"]])
    purge(dataset, [clip["clip_id"]])
    assert outside.read_bytes() == b"mine"


@pytest.mark.parametrize("line", ["no json", '{"id": "a"}', "[]", '{"box": null, "other": 1}'])
def test_damaged_tombstones_are_named(dataset: Path, line: str) -> None:
    (dataset / "tombstones.jsonl").write_text(line + "\n")
    with pytest.raises(UserError, match=r"tombstones.jsonl, line 1: no tombstone"):
        tombstones(dataset)
