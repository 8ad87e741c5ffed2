"""Whatever a published format can say, its writer says and its reader reads."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.lists import fomm as fomm_format
from curate.lists import read, write
from curate.lists import talkinghead1kh as tubes_format
from curate.lists.text import videos_of, youtube_url
from curate.lists.tube import RefBox, Span, Tube, Video, VideoList

IDS = st.text("aZ09-_", min_size=11, max_size=11)
FRAMES = st.tuples(st.integers(0, 10**6), st.integers(1, 10**5)).map(lambda pair: (pair[0], sum(pair)))
RATES = st.sampled_from([25.0, 29.97, 30_000 / 1001, 60.0, 12.5])
FILES = {
    "talkinghead1kh": "val_video_tubes.txt",
    "fomm": "vox.csv",
    "celebvhq": "a.json",
    "hdtf": "hdtf",
    "vfhq": "vfhq",
}


@st.composite
def pixels(draw: st.DrawFn) -> RefBox:
    left, top, wide, high = (draw(st.integers(0, 3000)) for _ in range(4))
    return RefBox(left, top, left + wide + 1, top + high + 1, draw(st.integers(1, 8000)), draw(st.integers(1, 8000)))


@st.composite
def talkinghead1kh(draw: st.DrawFn) -> Tube:
    video, part, (start, end), box = draw(IDS), draw(st.integers(0, 9999)), draw(FRAMES), draw(pixels())
    sides = (int(box.left), int(box.top), int(box.right), int(box.bottom))
    name = tubes_format.tube_name(f"{video}_{part:04d}", start, end - 1, sides)
    # the warning's text is the reader's; everything else has to come back as it went
    warning = tubes_format._warning(part)
    return Tube(name, video, Span(start, end, "frame", part=part), box, split="val", warning=warning)


@st.composite
def fomm(draw: st.DrawFn) -> Tube:
    video, (start, end), rate, person = draw(IDS), draw(FRAMES), draw(RATES), draw(st.sampled_from(["id1", "p 2"]))
    name = fomm_format.tube_name(person, video, start, end)
    span = Span(start, end, "frame", fps=rate)
    return Tube(name, video, span, draw(pixels()), person, draw(st.sampled_from(["train", "test"])), (256, 256))


@st.composite
def celebvhq(draw: st.DrawFn) -> Tube:
    start, left, top = (draw(st.floats(0, limit)) for limit in (9999, 0.5, 0.5))
    box = RefBox(left, top, left + draw(st.floats(0.01, 0.5)), top + draw(st.floats(0.01, 0.5)), 1, 1)
    more = draw(st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=9), max_size=3))
    reserved = {"ytb_id", "duration", "bbox"}
    span = Span(start, start + draw(st.floats(0.01, 60)), "second")
    attributes = {key: value for key, value in more.items() if key not in reserved and not value.strip()[:1].isdigit()}
    return Tube(draw(st.text(max_size=9)), draw(IDS), span, box, attributes=attributes)


@st.composite
def vfhq(draw: st.DrawFn) -> Tube:
    video, (start, end), person, clip = draw(IDS), draw(FRAMES), draw(st.integers(0, 9)), draw(st.integers(0, 9))
    span = Span(start + 1, end + 1, "frame", fps=draw(RATES))
    name = f"Clip+{video}+P{person}+C{clip}+F{start}-{end + 1}"
    attributes = {"person": str(person), "clip": str(clip)}
    return Tube(name, video, span, draw(pixels()), f"{video}+P{person}", attributes=attributes)


TUBES = {"talkinghead1kh": talkinghead1kh(), "fomm": fomm(), "celebvhq": celebvhq(), "vfhq": vfhq()}


@pytest.mark.parametrize("kind", TUBES)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_tubes_survive_their_format(tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject) -> None:
    tubes = tuple(data.draw(st.lists(TUBES[kind], min_size=1, max_size=4, unique_by=lambda tube: tube.name)))
    path = tmp_path_factory.mktemp(kind) / FILES[kind]
    write(VideoList(kind, videos_of(tubes), tubes), path, kind)
    again = read(path, kind)
    assert sorted(again.tubes, key=lambda tube: tube.name) == sorted(tubes, key=lambda tube: tube.name)
    assert {video.video_id: video.url for video in again.videos} == {t.video_id: youtube_url(t.video_id) for t in tubes}
    first = {file: file.read_bytes() for file in (path.iterdir() if path.is_dir() else [path])}
    write(again, path, kind)
    assert {file: file.read_bytes() for file in first} == first


@given(
    spans=st.lists(st.tuples(st.integers(0, 9999), st.integers(1, 999)), min_size=1, max_size=4),
    height=st.integers(1, 4320),
    cropped=st.lists(st.booleans(), min_size=4, max_size=4),
)
@settings(max_examples=40, deadline=None)
def test_hdtf_survives(
    tmp_path_factory: pytest.TempPathFactory, spans: list[tuple[int, int]], height: int, cropped: list[bool]
) -> None:
    video = Video("Radio1", "https://youtu.be/-5Lm-oibjJQ", attributes={"subset": "RD", "resolution": str(height)})
    tubes = tuple(
        Tube(
            f"Radio1_{index}",
            "Radio1",
            Span(start, start + length, "second"),
            RefBox(index, 2, index + 3, 9, None, height) if crop else None,
            resize=(512, 512) if crop else None,
            warning="" if crop else "the list has no crop for this clip: the whole frame is meant",
            attributes={"subset": "RD", "ratio": "1.2"} if crop else {"subset": "RD"},
        )
        for index, ((start, length), crop) in enumerate(zip(spans, cropped, strict=False))
    )
    folder = tmp_path_factory.mktemp("hdtf")
    write(VideoList("hdtf", (video,), tubes), folder, "hdtf")
    again = read(folder)
    assert (again.videos, again.tubes) == ((video,), tubes)


def test_fomm_lists_without_splits(tmp_path: Path) -> None:
    text = "video_id,start,end,bbox,fps,width,height\nv,1,9,-1-2-3-4,25,10,20\n"
    (tmp_path / "chunks.csv").write_text(text)
    listing = read(tmp_path / "chunks.csv")
    assert (listing.tubes[0].name, listing.tubes[0].split, listing.tubes[0].box) == (
        "v#000001#000009",
        None,
        RefBox(-1, 2, 3, 4, 10, 20),
    )
    write(listing, tmp_path / "again.csv", "fomm")
    assert (tmp_path / "again.csv").read_text() == text
