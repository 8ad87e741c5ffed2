"""`curate export`: four layouts, read back as their readers do; deterministic, resumed, and never in anybody's way."""

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from curate import lists, manifest
from curate.commands.dataset import export as command
from curate.errors import UserError
from curate.export.clips import harmless
from curate.export.run import FORMATS, export
from curate.export.target import text_piece, write_export
from curate.files import sha256_file
from curate.purge import purge

YOUTUBE = "-7TMJtnhiPM"


def row(folder: Path, number: int, **known: Any) -> dict[str, Any]:
    """A manifest row, and a file for it (no export opens a clip)."""
    clip_id = known.pop("clip_id", f"clip.{number:02d}")
    path = folder / "clips" / f"{number}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes([number]) * (600_000 + number))
    return {
        "clip_id": clip_id,
        "path": f"clips/{number}.mp4",
        "sha256": sha256_file(path),
        "video_id": f"video{number}",
        "start_s": 4.0,
        "end_s": 8.0,
        "start_frame": 100,
        "end_frame": 200,
        "n_frames": 100,
        "fps": 25.0,
        "box_left": 10,
        "box_top": 20,
        "box_right": 522,
        "box_bottom": 532,
        "ref_width": 1280,
        "ref_height": 720,
        **known,
    }


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Five clips: a YouTube video with two faces at once, known people, a hostile name, two splits."""
    out = tmp_path / "made"
    url = f"https://www.youtube.com/watch?v={YOUTUBE}"
    rows = [
        row(out, 1, video_id="yt-00000000", source_url=url, split="train"),
        row(out, 2, video_id="yt-00000000", source_url=url, split="train", box_left=600, box_right=1112),
        row(out, 3, identity_id="id3", split="test", license="CC-BY", fps=29.97),
        row(out, 4, identity_id="id4", split="test", license="CC-BY"),
        row(out, 5, identity_id="../../e,v#il\n", split="../test", clip_id="../a b,\n.c"),
    ]
    manifest.write(out, rows)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_dataset_gives_the_same_bytes_and_a_second_run_does_nothing(
    kind: str, made: Path, tmp_path: Path
) -> None:
    first = export(made, kind, tmp_path / "a", shard_mb=1)
    assert first.written == first.files
    before = contents(tmp_path / "a")
    assert export(made, kind, tmp_path / "a", shard_mb=1).written == 0
    shutil.copytree(made, tmp_path / "elsewhere" / "made")
    export(tmp_path / "elsewhere" / "made", kind, tmp_path / "b", shard_mb=1)
    assert contents(tmp_path / "a") == before == contents(tmp_path / "b")
    clips = {(made / f"clips/{number}.mp4").read_bytes() for number in range(1, 6)}
    if kind == "webdataset":
        found = {data for name in before if name.endswith(".tar") for data in members(tmp_path / "a" / name).values()}
        assert clips <= found
    else:
        assert {data for name, data in before.items() if name.endswith(".mp4")} == clips


@pytest.mark.parametrize("kind", FORMATS)
def test_what_was_lost_is_written_again_and_what_was_purged_goes(kind: str, made: Path, tmp_path: Path) -> None:
    to = tmp_path / "to"
    export(made, kind, to, shard_mb=1)
    before = contents(to)
    lost = sorted(name for name in before if name != "export.json")[0]
    (to / lost).unlink()
    (to / ".partial-1-x.mp4").write_bytes(b"killed")
    assert export(made, kind, to, shard_mb=1).written == 1
    assert contents(to) == before
    rows = pq.read_table(made / "manifest.parquet").to_pylist()
    manifest.write(made, rows[:-1])
    export(made, kind, to, shard_mb=1)
    shutil.copytree(made, tmp_path / "fresh" / "made")
    export(tmp_path / "fresh" / "made", kind, tmp_path / "fresh" / "to", shard_mb=1)
    assert contents(to) == contents(tmp_path / "fresh" / "to")


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        found = {}
        for member in tar:
            assert (member.mtime, member.uid, member.gid, member.uname, member.mode) == (0, 0, 0, "", 0o644)
            handle = tar.extractfile(member)
            assert handle is not None
            found[member.name] = handle.read()
        return found


def test_webdataset_has_pairs_in_shards_of_the_size_asked_for(made: Path, tmp_path: Path) -> None:
    export(made, "webdataset", tmp_path / "to", shard_mb=1)
    shards = sorted((tmp_path / "to").glob("*.tar"))
    assert [shard.stem for shard in shards] == [
        "_test-000000",
        "test-000000",
        "test-000001",
        "train-000000",
        "train-000001",
    ]
    assert all(shard.stat().st_size < 1_050_000 for shard in shards)
    rows = {row["clip_id"]: row for row in pq.read_table(made / "manifest.parquet").to_pylist()}
    seen = []
    for shard in shards:
        found = members(shard)
        assert list(found) == sorted(found)
        for name, data in found.items():
            key, suffix = name.split(".", 1)  # as its readers do
            assert "/" not in key
            if suffix == "json":
                stored = json.loads(data)
                assert stored == rows[stored["clip_id"]]
                assert found[f"{key}.mp4"] == (made / stored["path"]).read_bytes()
                seen.append(stored["clip_id"])
            else:
                assert suffix == "mp4"
    assert sorted(seen) == sorted(rows)
    sizes = json.loads((tmp_path / "to" / "sizes.json").read_text())
    assert sum(sizes.values()) == len(rows)


def test_huggingface_has_metadata_beside_the_files_and_a_card_that_parses(made: Path, tmp_path: Path) -> None:
    export(made, "huggingface", tmp_path / "to")
    _, front, text = (tmp_path / "to" / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(front)
    assert card["license"] == "other"
    splits = {entry["split"]: entry["path"] for entry in card["configs"][0]["data_files"]}
    assert set(splits) == {"train", "test", "_test"}
    count = 0
    for path in splits.values():
        folder = tmp_path / "to" / path.removesuffix("/**")
        found = pq.read_table(folder / "metadata.parquet").to_pylist()
        assert {entry["file_name"] for entry in found} == {clip.name for clip in folder.glob("*.mp4")}
        assert all(sha256_file(folder / entry["file_name"]) == entry["sha256"] for entry in found)
        count += len(found)
    assert count == 5
    assert "| test | 2 | 2 | 2 | 0.002 |" in text
    assert "| CC-BY | 2 |" in text


def test_many_clips_lie_in_many_folders(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.export.huggingface.FOLDER", 1)
    export(made, "huggingface", tmp_path / "to")
    folder = tmp_path / "to" / "data" / "test"
    names = [row["file_name"] for row in pq.read_table(folder / "metadata.parquet").to_pylist()]
    assert all(len(name.split("/")[0]) == 2 and (folder / name).is_file() for name in names)


def test_fomm_names_who_what_and_when_as_its_list_does(made: Path, tmp_path: Path) -> None:
    export(made, "fomm", tmp_path / "to")
    listing = lists.read(tmp_path / "to" / "vox-metadata.csv", "fomm")
    files = {path.relative_to(tmp_path / "to").as_posix() for path in (tmp_path / "to").rglob("*.mp4")}
    assert {f"{tube.split}/{tube.name}.mp4" for tube in listing.tubes} == files
    _, first, second, third, _ = listing.tubes  # the hostile id sorts first
    assert [tube.video_id for tube in (first, second)] == [YOUTUBE, YOUTUBE]
    assert first.identity_id != second.identity_id  # two faces at once are two people
    assert third.identity_id == "id3"
    assert third.span is not None
    assert (third.span.start, third.span.end, third.span.fps) == (100, 200, 29.97)
    assert third.box is not None
    assert (third.box.left, third.box.top, third.box.right, third.box.bottom) == (10, 20, 522, 532)
    assert "test/id3#video3#000100#000200.mp4" in files


def test_talkinghead1kh_names_the_last_frame(made: Path, tmp_path: Path) -> None:
    export(made, "talkinghead1kh", tmp_path / "to")
    path = tmp_path / "to" / "data_list" / "train_video_tubes.txt"
    assert path.read_text().splitlines()[0] == f"{YOUTUBE}_0000, 720, 1280, 100, 199, 10, 20, 522, 532"
    listing = lists.read(path)
    assert [video.video_id for video in listing.videos] == [YOUTUBE]
    files = {clip.stem for clip in (tmp_path / "to" / "train" / "cropped_clips").iterdir()}
    assert files == {tube.name for tube in listing.tubes}
    assert all(tube.span and (tube.span.start, tube.span.end) == (100, 200) for tube in listing.tubes)


def test_clips_are_links_where_that_is_possible(made: Path, tmp_path: Path) -> None:
    export(made, "fomm", tmp_path / "to")
    assert all(path.stat().st_nlink == 2 for path in (tmp_path / "to").rglob("*.mp4"))


def test_without_links_they_are_copies(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    export(made, "fomm", tmp_path / "to")
    copies = list((tmp_path / "to").rglob("*.mp4"))
    assert len(copies) == 5
    assert all(path.stat().st_nlink == 1 for path in copies)


def test_a_folder_of_somebody_else_is_refused(made: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("all my work")
    with pytest.raises(UserError, match="is not empty and no export"):
        export(made, "fomm", tmp_path / "mine")
    export(made, "fomm", tmp_path / "to")
    with pytest.raises(UserError, match="holds an export in the format fomm"):
        export(made, "huggingface", tmp_path / "to")
    for folder in (made, made.parent):
        with pytest.raises(UserError, match="is or holds the dataset"):
            export(made, "fomm", folder)
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "all my work"


def test_a_forged_mark_cannot_make_it_delete_elsewhere(made: Path, tmp_path: Path) -> None:
    export(made, "fomm", tmp_path / "to")
    (tmp_path / "precious").write_text("mine")
    mark = json.loads((tmp_path / "to" / "export.json").read_text())
    mark["files"]["../precious"] = "0"
    (tmp_path / "to" / "export.json").write_text(json.dumps(mark))
    export(made, "fomm", tmp_path / "to")
    assert (tmp_path / "precious").read_text() == "mine"


def test_names_that_would_leave_the_folder_or_meet_are_refused(tmp_path: Path) -> None:
    for path in ("../x", "/x", "export.json"):
        with pytest.raises(UserError, match="is no name for a file"):
            write_export(tmp_path / "to", "fomm", [text_piece(path, "")])
    with pytest.raises(UserError, match="two files of the export would be called x"):
        write_export(tmp_path / "to", "fomm", [text_piece("x", "1"), text_piece("x", "2")])


def test_a_real_dataset_through_the_command(dataset: Path, tmp_path: Path) -> None:
    arguments = [str(dataset), "--format", "huggingface", "--to", str(tmp_path / "to")]
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    clips = len(list((dataset / "clips").iterdir()))
    assert len(list((tmp_path / "to").rglob("*.mp4"))) == clips
    purge(dataset, ["long"])
    assert CliRunner().invoke(command, [*arguments, "--json"]).exit_code == 0
    assert not list((tmp_path / "to").rglob("long*"))


@given(st.text())
def test_harmless_names_are_one_part_of_a_path(name: str) -> None:
    made = harmless(name)
    assert made
    assert Path("a", made).parts == ("a", made)
    assert not made.startswith(".")
    assert harmless(made) == made
