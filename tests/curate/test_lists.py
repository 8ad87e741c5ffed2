"""Published lists: read for what they mean, written back to the same bytes; bad lines are named."""

import json
import os
from pathlib import Path

import pytest

from curate.errors import UserError
from curate.lists import FORMATS, default_list, detect, distinct, read, write
from curate.lists.text import path_in, youtube_id
from curate.lists.tube import RefBox, Span, Tube, Video, VideoList

TUBE = "-5Lm-oibjJQ_0002, 720, 1280, 300, 400, 504, 63, 792, 351"
VOX = "video_id,start,end,bbox,fps,width,height,partition,person_id\n"


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "kind", "videos", "tubes"),
    [
        ("video-preprocessing/vox-metadata.csv", "fomm", 3442, 20_075),
        ("video-preprocessing/taichi-metadata.csv", "fomm", 280, 3_334),
        ("talkinghead1kh_yuangan-fork/small_video_tubes.txt", "talkinghead1kh", 2, 4),
        ("talkinghead1kh_yuangan-fork/train_video_tubes.txt", "talkinghead1kh", 2_872, 7_684),
        ("talkinghead1kh_yuangan-fork/val_video_tubes.txt", "talkinghead1kh", 28, 38),
        ("talkinghead1kh_yuangan-fork/train_video_ids.txt", "ids", 2_872, 0),
        ("talkinghead1kh_yuangan-fork/val_video_ids.txt", "ids", 28, 0),
        ("hdtf", "hdtf", 370, 436),
    ],
)
def test_published_lists_come_back_byte_for_byte(
    shared: Path, tmp_path: Path, name: str, kind: str, videos: int, tubes: int
) -> None:
    source = shared / "data" / "lists" / name
    listing = read(source)
    assert (listing.format, len(listing.videos), len(listing.tubes)) == (kind, videos, tubes)
    target = tmp_path / source.name
    write(listing, target, kind)
    written = sorted(target.iterdir()) if target.is_dir() else [target]
    for file in written:
        original = source / file.name if source.is_dir() else source
        assert file.read_bytes() == original.read_bytes(), file.name
    assert len(written) == (15 if kind == "hdtf" else 1)
    beside = tmp_path / source.name.replace("tubes", "ids")
    if kind == "talkinghead1kh":
        assert beside.read_bytes() == source.with_name(beside.name).read_bytes()
    if tubes < 5_000:  # through our own format, too
        write(listing, tmp_path / "own.parquet", "parquet")
        again = read(tmp_path / "own.parquet")
        assert (again.videos, again.tubes) == (listing.videos, listing.tubes)


def test_a_talkinghead1kh_tube_includes_its_last_frame(tmp_path: Path) -> None:
    put(tmp_path / "train_video_ids.txt", "zzzzzzzzzzz\n-5Lm-oibjJQ")
    listing = read(put(tmp_path / "train_video_tubes.txt", TUBE + "\n" + TUBE.replace("_0002", "_0000")))
    later, first = listing.tubes
    assert later.span == Span(300, 401, "frame", part=2)
    assert later.box == RefBox(504, 63, 792, 351, 1280, 720)
    assert later.name == "-5Lm-oibjJQ_0002_S300_E400_L504_T63_R792_B351"
    assert (later.video_id, later.split) == ("-5Lm-oibjJQ", "train")
    assert "keyframe after 120 s" in later.warning
    assert first.warning == ""
    assert [video.video_id for video in listing.videos] == ["zzzzzzzzzzz", "-5Lm-oibjJQ"]
    assert listing.videos[1].url == "https://www.youtube.com/watch?v=-5Lm-oibjJQ"


def test_a_fomm_row(tmp_path: Path) -> None:
    row = "WMh3ye5tBsE,3657,3994,624-48-1018-553,25,1280,720,train,id10005\n"
    path = put(tmp_path / "vox.csv", VOX + row + row.replace(",25,", ",25.00,").replace("3657", "3658"))
    listing = read(path)
    assert listing.tubes[0] == Tube(
        name="id10005#WMh3ye5tBsE#003657#003994",
        video_id="WMh3ye5tBsE",
        span=Span(3657, 3994, "frame", fps=25),
        box=RefBox(624, 48, 1018, 553, 1280, 720),
        identity_id="id10005",
        split="train",
        resize=(256, 256),
    )
    assert listing.videos == (
        Video("WMh3ye5tBsE", "https://www.youtube.com/watch?v=WMh3ye5tBsE", None, "train", "id10005"),
    )
    write(listing, tmp_path / "again.csv", "fomm")
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()


def test_a_video_in_two_splits_belongs_to_neither(tmp_path: Path) -> None:
    row = "WMh3ye5tBsE,1,9,4-8-18-53,25,1280,720,train,id10005\n"
    listing = read(put(tmp_path / "vox.csv", VOX + row + row.replace("train", "test")))
    assert (listing.videos[0].split, listing.videos[0].identity_id) == (None, "id10005")
    once, left_out = distinct(listing)
    assert (once.tubes, left_out) == (listing.tubes[:1], 1)


CLIP = {
    "ytb_id": "M2Ohb0FAaJU",
    "duration": {"start_sec": 81.62, "end_sec": 86},
    "bbox": {"top": 0.0, "bottom": 0.8815, "left": 0.1964, "right": 0.6922},
    "attributes": {"appearance": [0, 1], "emotion": {"sep_flag": False, "labels": "neutral"}},
    "version": "v0.1",
}


@pytest.mark.parametrize(("indent", "end"), [(None, ""), (4, "\n")])
def test_celebvhq(tmp_path: Path, indent: int | None, end: str) -> None:
    table = {"meta_info": {"appearance_mapping": ["Blurry", "Malé"]}, "clips": {"M2Ohb0FAaJU_1": CLIP}}
    path = put(tmp_path / "celebvhq_info.json", json.dumps(table, indent=indent) + end)
    listing = read(path)
    tube = listing.tubes[0]
    assert (tube.name, tube.video_id) == ("M2Ohb0FAaJU_1", "M2Ohb0FAaJU")
    assert tube.span == Span(81.62, 86, "second")
    assert tube.box == RefBox(0.1964, 0.0, 0.6922, 0.8815, 1, 1)
    assert tube.attributes["version"] == "v0.1"
    assert json.loads(tube.attributes["attributes"]) == CLIP["attributes"]
    write(listing, tmp_path / "again.json", "celebvhq")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def hdtf(folder: Path) -> Path:
    put(
        folder / "RD_video_url.txt",
        "\ufeffB2 https://youtu.be/CPCoMyuBRM0\nA1 https://www.youtube.com/watch?v=y-JQqnqmEgg",
    )
    put(folder / "RD_resolution.txt", "A1.mp4 720\nB2.mp4 0\n")
    put(folder / "RD_annotion_time.txt", "A1.mp4 00:30-01:00 100:30-102:30 \nB2.mp4 00:05-00:06\n")
    put(folder / "RD_crop_wh.txt", "A1_1.mp4 557 478 3 470\nB2_0.mp4 1 2 3 4\n")
    put(folder / "RD_crop_ratio.txt", "A1_1.mp4 1.2\nB2_0.mp4 0.95\n")
    return folder


def test_hdtf(tmp_path: Path) -> None:
    folder = hdtf(tmp_path / "in")
    listing = read(folder)
    assert read(folder / "RD_crop_wh.txt") == listing
    without, cropped, unsized = listing.tubes
    assert (without.name, without.box, without.span) == ("A1_0", None, Span(30, 60, "second"))
    assert "no crop" in without.warning
    assert cropped.box == RefBox(557, 3, 557 + 478, 3 + 470, None, 720)
    assert (cropped.span, cropped.resize) == (Span(6030, 6150, "second"), (512, 512))
    assert cropped.attributes == {"subset": "RD", "ratio": "1.2"}
    assert unsized.box == RefBox(1, 3, 3, 7, None, None)
    assert "frame height" in unsized.warning
    assert [youtube_id(video.url) for video in listing.videos] == ["CPCoMyuBRM0", "y-JQqnqmEgg"]
    write(listing, tmp_path / "out", "hdtf")
    for file in folder.iterdir():
        assert (tmp_path / "out" / file.name).read_bytes() == file.read_bytes(), file.name


def test_hdtf_lines_follow_what_the_list_says_now(tmp_path: Path) -> None:
    listing = read(hdtf(tmp_path / "in"))
    added = Tube("C_0", "C", Span(0, 61, "second"), None)
    videos = (listing.videos[1], Video("C", "https://example.org/c.mp4"))
    write(VideoList("hdtf", videos, (listing.tubes[1], added), listing.extra), tmp_path / "WDA_video_url.txt", "hdtf")
    assert (tmp_path / "WDA_annotion_time.txt").read_text() == "A1.mp4 100:30-102:30\nC.mp4 00:00-01:01\n"
    assert (tmp_path / "WDA_crop_wh.txt").read_text() == "A1_0.mp4 557 478 3 470\n"
    write(VideoList("hdtf", listing.videos[1:], listing.tubes[:2], listing.extra), tmp_path / "out", "hdtf")
    assert (tmp_path / "out" / "RD_annotion_time.txt").read_text() == "A1.mp4 00:30-01:00 100:30-102:30 \n"
    assert (tmp_path / "out" / "RD_resolution.txt").read_text() == "A1.mp4 720\n"


def test_vfhq_leaves_out_the_frames_that_cuts_leak_into(tmp_path: Path) -> None:
    text = "Video ID: -5Lm-oibjJQ\nH 720\nW 1280\nFPS 29.97\n\n10 1 5 5 9 9\nCROP: 420 20 1032 632\n"
    path = put(tmp_path / "in" / "Clip+-5Lm-oibjJQ+P0+C2+F10-250.txt", text)
    put(tmp_path / "in" / "readme.txt", "not a clip")
    listing = read(tmp_path / "in")
    assert read(path) == listing
    tube = listing.tubes[0]
    assert tube.span == Span(11, 250, "frame", fps=29.97)
    assert tube.box == RefBox(420, 20, 1032, 632, 1280, 720)
    assert (tube.video_id, tube.identity_id) == ("-5Lm-oibjJQ", "-5Lm-oibjJQ+P0")
    write(listing, tmp_path / "out", "vfhq")
    assert [file.name for file in (tmp_path / "out").iterdir()] == [path.name]
    assert (tmp_path / "out" / path.name).read_text() == text
    write(VideoList("jsonl", listing.videos, listing.tubes), tmp_path / "bare", "vfhq")
    assert read(tmp_path / "bare").tubes == listing.tubes


def test_folders_name_their_people(tmp_path: Path) -> None:
    put(tmp_path / "vox" / "dev" / "mp4" / "id00012" / "21Uxsk56VDQ" / "00001.mp4", "")
    put(tmp_path / "vox" / "dev" / "mp4" / "id00012" / "21Uxsk56VDQ" / "00001.txt", "")
    put(tmp_path / "CelebV" / "Kathleen" / "b.mp4", "")
    put(tmp_path / "ravdess" / "Actor_12" / "02-01-06-01-02-01-12.mp4", "")
    (vox,), (celebv,), (ravdess,) = (read(tmp_path / name).videos for name in ("vox", "CelebV", "ravdess"))
    assert vox.video_id == "id00012#21Uxsk56VDQ#00001"
    assert (vox.file, vox.split, vox.identity_id) == ("dev/mp4/id00012/21Uxsk56VDQ/00001.mp4", "dev", "id00012")
    assert vox.attributes["youtube_id"] == "21Uxsk56VDQ"
    assert (celebv.video_id, celebv.identity_id) == ("Kathleen#b", "Kathleen")
    assert (ravdess.video_id, ravdess.identity_id) == ("02-01-06-01-02-01-12", "Actor_12")
    assert ravdess.attributes == {
        "modality": "video only",
        "channel": "speech",
        "emotion": "fearful",
        "intensity": "normal",
        "statement": "Dogs are sitting by the door",
        "repetition": "1",
    }
    with pytest.raises(UserError, match="can only be read"):
        write(read(tmp_path / "vox"), tmp_path / "out", "voxceleb2")
    assert detect(tmp_path / "CelebV" / "Kathleen") is None


def test_a_folder_is_of_a_layout_only_if_all_its_videos_are(tmp_path: Path) -> None:
    put(tmp_path / "02-01-08-01-02-01-12.mp4", "")
    assert detect(tmp_path) == "ravdess"
    put(tmp_path / "02-01-09-01-02-01-12.mp4", "")  # there is no ninth emotion
    assert detect(tmp_path) is None
    with pytest.raises(UserError, match=r"02-01-09-01-02-01-12.mp4 does not lie or is not named as videos of ravdess"):
        read(tmp_path, "ravdess")


def test_two_files_of_one_id_are_an_error(tmp_path: Path) -> None:
    for part in ("speech", "song"):
        put(tmp_path / part / "01-01-06-01-02-01-12.mp4", "")
    with pytest.raises(UserError, match="would have one id"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a_video_tubes.txt", f"{TUBE}\n\n{TUBE[:-5]}", "a_video_tubes.txt:3: a line is"),
        ("a.txt", TUBE.replace("300", "401"), "a.txt:1: the tube is empty"),
        ("a.txt", TUBE.replace("-5Lm-oibjJQ", "-5Lm-oibjJQ/../x"), "no chunk's name"),
        ("a.txt", "-5Lm-oibjJQ\nshort\n", "a.txt:2: 'short' is no YouTube id"),
        ("a.txt", "-5Lm-oibjJQ\n-5Lm-oibjJQ\n", "a.txt:2: -5Lm-oibjJQ was named before"),
        ("a.txt", "hello\n", "is no list that is known"),
        ("a.csv", "video_id,start\n", "a.csv:1: the header"),
        ("a.csv", VOX + "v,9,9,1-2-3-4,25,10,10,train,p\n", "a.csv:2: the tube is empty"),
        ("a.csv", VOX + "v,1,9,1-2-3,25,10,10,train,p\n", "a.csv:2: bbox"),
        ("a.csv", VOX + "v,1,9,1-2-3-4,nan,10,10,train,p\n", "a.csv:2: fps 'nan'"),
        ("a.csv", VOX + "v,1,9,1-2-3-4,25,10,10,train\n", "a.csv:2: 8 columns"),
        ("a.csv", VOX + "v,1,9,1-2-3-4,25,10,10,train,\n", "a.csv:2: a cell is empty"),
        ("a.json", "[1,\n", "a.json:2: is no JSON"),
        ("a.json", "{}", 'has no "clips"'),
        ("a.json", json.dumps({"clips": {"c": {**CLIP, "bbox": None}}}), "clip 'c' has no ytb_id"),
        ("a.json", json.dumps({"clips": {"c": {**CLIP, "ytb_id": 3}}}), "clip 'c' is empty"),
        ("a.jsonl", "{}", "a.jsonl:1: has neither"),
        ("a.jsonl", '{"video_id": "v"}\n{"video": "v"}', "a.jsonl:2: unknown column 'video': did you mean video_id"),
        ("a.jsonl", '{"video_id": 3}', "a.jsonl:1: video_id 3 is no string"),
        ("a.jsonl", '{"video_id": "v", "start_s": 1, "end_s": 2}', "a clip needs a clip_id"),
        ("a.jsonl", '{"video_id": "v", "clip_id": "c", "start_s": 1}', "start_s and end_s belong together"),
        ("a.jsonl", '{"video_id": "v", "clip_id": "c", "start_s": NaN, "end_s": 2}', "start_s nan is no float64"),
        ("a.jsonl", '{"video_id": "v", "clip_id": "c", "box_left": 1}', "a box needs all"),
        ("a.parquet", "PAR1", "no readable Parquet"),
        ("a.csv", "\udcff", "no such list"),
        ("RD_resolution.txt", "A.mp4 720", "RD_video_url.txt: is missing"),
        ("Clip+x+P0+C0+F5-6.txt", "H 1", "no frame between"),
        ("Clip+x+P0+C0+F5-9.txt", "H 1\nW 1\nFPS 25\n", "has no line CROP"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    if "\udcff" not in text:
        put(path, text)
    with pytest.raises(UserError) as raised:
        read(path)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("kind", "line", "message"),
    [
        ("video_url", "A1 www.youtube.com", "RD_video_url.txt:1: 'www.youtube.com' is not"),
        ("annotion_time", "A1.mp4 00:30-00:30", "00:30-00:30 is no span"),
        ("annotion_time", "Z.mp4 00:30-00:40", "Z has no line in RD_video_url.txt"),
        ("crop_wh", "A1_7.mp4 1 2 3 4", "A1_7 is no clip"),
        ("crop_wh", "A1_1.mp4 1 2 3", "is not what a line of this file has"),
        ("crop_ratio", "A1_1.mp4 1\nA1_1.mp4 1", "RD_crop_ratio.txt:2: A1_1 was named before"),
    ],
)
def test_bad_lines_of_hdtf_are_named(tmp_path: Path, kind: str, line: str, message: str) -> None:
    put(hdtf(tmp_path) / f"RD_{kind}.txt", line)
    with pytest.raises(UserError) as raised:
        read(tmp_path)
    assert message in str(raised.value)


def test_control_characters_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"vox.csv:2: has the control character '\\x1b'"):
        read(put(tmp_path / "vox.csv", VOX + "a\x1b[2J,1,9,1-2-3-4,25,10,10,train,p\n"))


def test_a_name_that_is_no_text_is_kept_as_a_path_only(tmp_path: Path) -> None:
    folder = tmp_path / "CelebV" / "Kathleen"
    folder.mkdir(parents=True)
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/a\xff\n.mp4"))
    odd.touch()
    listing = read(folder.parent)
    assert listing.videos[0].video_id == "Kathleen#a\\udcff\\n"
    assert (folder.parent / (listing.videos[0].file or "")) == odd
    for kind in ("jsonl", "parquet"):
        with pytest.raises(UserError, match="would hold"):
            write(listing, tmp_path / f"list.{kind}", kind)


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "vox.csv").write_bytes(VOX.encode() + b"\xff\xfe")
    with pytest.raises(UserError, match="no UTF-8"):
        read(tmp_path / "vox.csv")


def test_formats_say_what_they_cannot_hold(tmp_path: Path) -> None:
    seconds = Tube("a", "-5Lm-oibjJQ", Span(0.5, 2, "second"), RefBox(0.1, 0.1, 0.5, 0.5, 1, 1))
    listing = VideoList("x", (Video("-5Lm-oibjJQ", None),), (seconds,))
    for kind in ("talkinghead1kh", "fomm", "hdtf", "vfhq"):
        with pytest.raises(UserError, match=r"a: |has no URL"):
            write(listing, tmp_path / f"{kind}.txt", kind)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match="did you mean fomm"):
        write(listing, tmp_path / "x", "fom")
    with pytest.raises(UserError, match="no YouTube video"):
        write(VideoList("x", (Video("local", None),)), tmp_path / "x", "ids")


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/b", "a\\b", "a\0b", "a\nb", "a" * 300])
def test_no_name_leaves_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="cannot be the name of a file"):
        path_in(tmp_path, name)


@pytest.mark.parametrize("name", ["-dash", "--Y9imYnfBw_0000_S0", "id10005#WMh3ye5tBsE#003657#003994", "ä …", "..."])
def test_odd_names_that_are_harmless(tmp_path: Path, name: str) -> None:
    assert path_in(tmp_path, name).parent == tmp_path


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://www.youtube.com/watch?v=uBWJJvynXpA&t=6s", "uBWJJvynXpA"),
        ("https://www.youtube.com/watch?list=x&v=uBWJJvynXpA", "uBWJJvynXpA"),
        ("https://youtu.be/-BWJJvynXpA?t=6", "-BWJJvynXpA"),
        ("https://www.youtube.com/watch?v=uBWJJvynXpAA", None),
        ("https://example.org/watch?v=uBWJJvynXpA", None),
        (None, None),
    ],
)
def test_youtube_links(url: str | None, found: str | None) -> None:
    assert youtube_id(url) == found


def test_the_list_that_ships_is_the_published_one(shared: Path) -> None:
    published = shared / "data" / "lists" / "talkinghead1kh_yuangan-fork"
    listing = read(default_list())
    assert (len(listing.videos), len(listing.tubes), len({tube.video_id for tube in listing.tubes})) == (28, 38, 26)
    for name in ("val_video_ids.txt", "val_video_tubes.txt"):
        assert (default_list().parent / name).read_bytes() == (published / name).read_bytes()
    notice = (default_list().parent / "NOTICE.md").read_text()
    assert "Creative Commons BY 3.0" in notice
    assert "NVIDIA" in notice


def test_every_format_is_described() -> None:
    assert all(known.about for known in FORMATS.values())
