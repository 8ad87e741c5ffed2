"""`curate audit`: the faults of a published list, and each kind of fault in lists and datasets made for it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from curate import manifest
from curate.audit import Finding, audit, within
from curate.audit import entries_of as entries
from curate.commands.audit import audit as command
from curate.errors import UserError
from curate.lists import read, write
from curate.lists.tube import RefBox, Span, Tube, Video, VideoList

FACE = RefBox(100, 100, 400, 400, 1280, 720)
OTHER = RefBox(700, 100, 1000, 400, 1280, 720)


def tube(name: str, video: str = "v", span: tuple[int, int] = (0, 100), box: RefBox = FACE, **more: object) -> Tube:
    return Tube(name, video, Span(*span, "frame", fps=25), box, **more)  # type: ignore[arg-type]


def found(*tubes: Tube, videos: tuple[Video, ...] = ()) -> dict[str, tuple[str, ...]]:
    """What is found within a list, by kind."""
    findings = within(entries(VideoList("any", videos, tubes)))
    return {finding.kind: finding.items for finding in findings if finding.items}


def listed(path: Path, *tubes: Tube, videos: tuple[Video, ...] = ()) -> Path:
    known = {video.video_id for video in videos}
    rest = tuple(Video(name, None) for name in dict.fromkeys(t.video_id for t in tubes) if name not in known)
    write(VideoList("any", (*videos, *rest), tubes), path, "jsonl")
    return path


def test_the_faults_of_vox_metadata(shared: Path) -> None:
    report = audit(shared / "data" / "lists" / "video-preprocessing" / "vox-metadata.csv")
    by_kind = {finding.kind: finding for finding in report.findings}
    repeats = by_kind["repeated rows"].items
    assert len(repeats) == 311
    assert sum("train" in item and "test" in item for item in repeats) == 4  # two twice, one of them thrice
    assert by_kind["videos in several splits"].items == (
        "hgB5ziAudzU (train 2, test 2)",
        "ST2JZXcyYkE (train 2, test 1)",
    )
    assert by_kind["identities in several splits"].items == ("id10282 (train 2, test 44)", "id10306 (train 2, test 1)")
    assert not report.clean
    assert (report.sides[0].clips, report.sides[0].splits) == (20_075, {"train": 19_550, "test": 525})


def test_halves_of_a_track_share_a_frame_and_are_no_fault(shared: Path) -> None:
    report = audit(shared / "data" / "lists" / "talkinghead1kh_yuangan-fork" / "val_video_tubes.txt")
    assert [(finding.kind, len(finding.items)) for finding in report.findings] == [("overlapping clips", 10)]
    assert all(item.endswith("share 1 frame") for item in report.findings[0].items)
    assert report.clean


def test_the_same_video_under_two_names(shared: Path) -> None:
    report = audit(shared / "data" / "lists" / "hdtf")
    assert report.findings[0] == Finding(
        "videos under several names", "A", True, ("gh3YqnvNdio: JamesClyburn1 = WhipJimClyburn",)
    )


def test_a_clean_list_has_nothing() -> None:
    assert found(tube("a", split="train", identity_id="p"), tube("b", "w", split="test", identity_id="q")) == {}


def test_repeated_rows_and_the_splits_they_are_in() -> None:
    assert found(tube("a"), tube("a"), tube("a")) == {"repeated rows": ("a", "a")}
    across = found(tube("a", split="train"), tube("a", split="test"))
    assert across["repeated rows"] == ("a (in splits train, test)",)
    assert across["videos in several splits"] == ("v (train 1, test 1)",)


def test_identities_in_two_splits() -> None:
    rows = (tube("a", "v", split="train", identity_id="p"), tube("b", "w", split="test", identity_id="p"))
    assert found(*rows) == {"identities in several splits": ("p (train 1, test 1)",)}


def test_one_clip_under_two_names() -> None:
    assert found(tube("a"), tube("b")) == {"clips under several names": ("a = b",)}


def test_one_clip_under_two_names_by_its_videos_address() -> None:
    link = "https://www.youtube.com/watch?v=-5Lm-oibjJQ"
    videos = (Video("v", link + "&t=3s"), Video("w", link))
    assert found(tube("a", "v"), tube("b", "w"), videos=videos) == {
        "clips under several names": ("a = b",),
        "videos under several names": ("-5Lm-oibjJQ: v = w",),
    }


@pytest.mark.parametrize(
    ("span", "box", "shared"),
    [
        ((99, 200), FACE, 1),
        ((50, 60), RefBox(130, 110, 430, 410, 1280, 720), 10),
        ((50, 60), RefBox(200, 200, 800, 800, 2560, 1440), 10),  # the same place in a larger frame
        ((100, 200), FACE, 0),
        ((50, 60), OTHER, 0),
        ((50, 60), RefBox(100, 100, 150, 150, 1280, 720), 0),  # a small face in a large box
    ],
)
def test_clips_that_show_one_face_at_one_moment(span: tuple[int, int], box: RefBox, shared: int) -> None:
    overlaps = found(tube("a"), tube("b", span=span, box=box)).get("overlapping clips", ())
    assert overlaps == ((f"a and b share {shared} frame{'' if shared == 1 else 's'}",) if shared else ())


def test_utterances_of_one_video_are_no_repeats(tmp_path: Path) -> None:
    for utterance in ("00001", "00002"):
        path = tmp_path / "dev" / "id00012" / "21Uxsk56VDQ" / f"{utterance}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert audit(tmp_path).findings == ()
    ids = tmp_path / "ids.txt"
    ids.write_text("21Uxsk56VDQ\n")
    (shared,) = audit(tmp_path, ids).findings
    assert (shared.kind, shared.items) == ("videos in both", ("21Uxsk56VDQ",))


def test_two_lists_share_videos_people_and_clips(tmp_path: Path) -> None:
    a = listed(tmp_path / "a.jsonl", tube("a", "v", identity_id="p"), tube("b", "w", identity_id="q"))
    b = listed(tmp_path / "b.jsonl", tube("z", "v", identity_id="p"), tube("y", "x", identity_id="q"))
    report = audit(a, b)
    assert {finding.kind: finding.items for finding in report.findings} == {
        "clips in both": ("a = z",),
        "videos in both": ("v",),
        "identities in both": ("p", "q"),
    }
    assert all(finding.where == "A and B" for finding in report.findings)
    assert audit(a, listed(tmp_path / "c.jsonl", tube("c", "u", identity_id="r"))).clean


def dataset(folder: Path, **rows: dict[str, object]) -> Path:
    folder.mkdir()
    manifest.write(folder, [{"clip_id": name, "video_id": f"v-{name}", **row} for name, row in rows.items()])
    return folder


def test_datasets_are_known_by_content(tmp_path: Path) -> None:
    a = dataset(tmp_path / "a", one={"sha256": "11"}, two={"sha256": "11"}, three={"sha256": "33"})
    b = dataset(tmp_path / "b", four={"sha256": "33"}, five={"sha256": "55"})
    report = audit(a, b)
    assert {finding.kind: finding.items for finding in report.findings} == {
        "files of identical content": ("one = two",),
        "files of identical content in both": ("three = four",),
    }


def test_near_duplicates_that_a_manifest_marks(tmp_path: Path) -> None:
    a = dataset(
        tmp_path / "a",
        one={"split": "train"},
        two={"split": "train", "duplicate_of": "one"},
        three={"split": "test", "duplicate_of": "one"},
    )
    report = audit(a)
    assert [(finding.kind, finding.fault, finding.items) for finding in report.findings] == [
        ("near-duplicates in several splits", True, ("three is like one",)),
        ("near-duplicates in one split", False, ("two is like one",)),
    ]


def test_the_command_names_the_first_of_each_kind(tmp_path: Path) -> None:
    tubes = [tube(f"{n}{side}", f"v{n}", split=side) for n in range(7) for side in ("train", "test")]
    path = listed(tmp_path / "list.jsonl", *tubes)
    shown = CliRunner().invoke(command, [str(path)])
    assert shown.exit_code == 1, shown.output
    assert "v0 (train 1, test 1)" in shown.stdout
    assert "v6 (train 1, test 1)" not in shown.stdout
    assert "... and 2 more" in shown.stdout
    assert "not clean; not checked: identities (none are named), content" in shown.stdout
    as_json = CliRunner().invoke(command, [str(path), "--json"])
    table = json.loads(as_json.stdout)
    assert (as_json.exit_code, table["clean"]) == (1, False)
    kinds = {finding["kind"]: finding for finding in table["findings"]}
    assert kinds["videos in several splits"]["count"] == len(kinds["videos in several splits"]["items"]) == 7


def test_the_command_says_clean(tmp_path: Path) -> None:
    shown = CliRunner().invoke(command, [str(dataset(tmp_path / "a", one={"sha256": "1", "identity_id": "p"}))])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.endswith("\nclean\n")


def test_what_is_no_list_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such list"):
        audit(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="is no list that is known"):
        audit(tmp_path / "empty")


def test_all_is_found_again_after_a_round_trip(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "lists" / "hdtf"
    write(read(source), tmp_path / "hdtf.parquet", "parquet")
    assert audit(tmp_path / "hdtf.parquet").findings == audit(source).findings
