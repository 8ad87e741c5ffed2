"""Our own lists: whatever a tube can say survives JSONL and Parquet, and a dataset's manifest is a list."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import manifest
from curate.lists import read, write
from curate.lists.tube import RefBox, Span, Tube, Video, VideoList

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
MAYBE = st.none() | TEXT
NUMBER = st.integers(0, 10_000) | st.floats(0, 10_000, allow_nan=False)
ATTRIBUTES = st.dictionaries(TEXT | st.sampled_from(["sha256", "fps", "motion", "split", "path", "start_s"]), TEXT)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    if draw(st.booleans()):
        start = draw(st.integers(0, 10**6))
        fps = draw(st.none() | st.floats(1, 120))
        part = draw(st.none() | st.integers(0, 999))
        return Span(start, start + draw(st.integers(1, 10**6)), "frame", fps, part)
    start = draw(st.floats(0, 10**5))
    return Span(start, start + draw(st.floats(0.01, 100)), "second")


@st.composite
def boxes(draw: st.DrawFn) -> RefBox:
    left, top = draw(NUMBER), draw(NUMBER)
    size = (1, 1) if draw(st.booleans()) else draw(st.tuples(*[st.none() | st.integers(1, 9999)] * 2))
    return RefBox(left, top, left + draw(st.integers(1, 99)), top + draw(st.integers(1, 99)), *size)


TUBES = st.builds(
    Tube,
    name=TEXT,
    video_id=st.sampled_from(["-5Lm-oibjJQ", "x", "../y", "ü"]),
    span=st.none() | spans(),
    box=st.none() | boxes(),
    identity_id=MAYBE,
    split=MAYBE,
    resize=st.none() | st.tuples(st.integers(2, 999), st.integers(2, 999)),
    warning=st.just("") | TEXT,
    attributes=ATTRIBUTES,
)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@given(tubes=st.lists(TUBES, max_size=4), url=MAYBE, file=MAYBE, attributes=ATTRIBUTES)
@settings(max_examples=60, deadline=None)
def test_all_that_a_list_says_survives(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    tubes: list[Tube],
    url: str | None,
    file: str | None,
    attributes: dict[str, str],
) -> None:
    ids = dict.fromkeys([*(tube.video_id for tube in tubes), "alone"])
    videos = tuple(Video(name, url, file, None, "somebody", attributes) for name in ids)
    path = tmp_path_factory.mktemp("own") / f"list.{kind}"
    write(VideoList("any", videos, tuple(tubes)), path, kind)
    again = read(path)
    assert again.format == kind
    assert again.tubes == tuple(tubes)
    assert again.videos == videos


ROW = {
    "clip_id": "c",
    "path": "clips/c.mp4",
    "sha256": "ab",
    "video_id": "v-12345678",
    "start_s": 4.0,
    "end_s": 8.0,
    "start_frame": 100,
    "end_frame": 200,
    "n_frames": 100,
    "fps": 25.0,
    "width": 512,
    "height": 512,
    "box_left": 10,
    "box_top": 20,
    "box_right": 622,
    "box_bottom": 632,
    "ref_width": 1280,
    "ref_height": 720,
    "has_audio": True,
    "identity_id": "p",
    "split": "test",
}


def test_a_manifest_is_a_list(tmp_path: Path) -> None:
    manifest.write(tmp_path, [ROW])
    listing = read(tmp_path)
    assert read(tmp_path / "manifest.parquet") == listing
    assert read(tmp_path / "manifest.jsonl").tubes == listing.tubes
    assert listing.videos == (Video("v-12345678", None, None, "test", "p"),)
    tube = listing.tubes[0]
    assert tube.span == Span(100, 200, "frame", fps=25)
    assert tube.box == RefBox(10, 20, 622, 632, 1280, 720)
    assert (tube.name, tube.resize, tube.identity_id, tube.split) == ("c", (512, 512), "p", "test")
    assert tube.attributes["sha256"] == "ab"
    assert tube.attributes["has_audio"] == "true"
    assert tube.attributes["start_s"] == "4.0"


def test_a_list_of_a_manifest_has_the_manifests_values_in_its_columns(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    manifest.write(tmp_path, [ROW])
    write(read(tmp_path), tmp_path / "list.parquet", "parquet")
    table = pq.read_table(tmp_path / "list.parquet")
    assert table.schema.field("box_left").type == "int64"
    assert {name: value for name, value in table.to_pylist()[0].items() if value is not None} == ROW


def test_the_convention_of_a_list_outlives_its_format(tmp_path: Path) -> None:
    box = RefBox(0.1, 0.1, 0.5, 0.5, 1, 1)
    for name in ("celebvhq", "hdtf"):
        write(VideoList(name, (), (Tube("a", "v", None, box),)), tmp_path / "a.jsonl", "jsonl")
        assert read(tmp_path / "a.jsonl").format == ("celebvhq" if name == "celebvhq" else "jsonl")


def test_a_video_may_be_named_by_its_link_alone(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"source_url": "https://youtu.be/-5Lm-oibjJQ"}\n\n')
    assert read(tmp_path / "a.jsonl").videos == (Video("-5Lm-oibjJQ", "https://youtu.be/-5Lm-oibjJQ"),)
