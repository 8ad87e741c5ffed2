"""`curate plan`: what it says of lists is what the lists say, and it touches nothing."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from curate.commands.plan import plan
from curate.lists.tube import RefBox, Span, Tube, Video, VideoList
from curate.plan import covered, estimate, of_list
from curate.settings import SelectionSettings, Settings


def tube(name: str, start: float, end: float, side: int = 600, **known: object) -> Tube:
    box = RefBox(0, 0, side, side, 1920, 1080)
    return Tube(name, "v", Span(start, end, "second"), box, **known)  # type: ignore[arg-type]


def test_the_list_that_ships_is_estimated_by_default() -> None:
    done = CliRunner().invoke(plan, ["--json", "--workers", "4"])
    found = json.loads(done.stdout)
    assert (found["videos"], found["tubes"], found["too_small"]) == (26, 38, 1)
    lines = (Path("data_manifests") / "talkinghead1kh" / "val_video_tubes.txt").read_text().splitlines()
    frames = sum(int(cells[4]) - int(cells[3]) + 1 for cells in (line.split(", ") for line in lines))
    assert found["hours_asked"] == pytest.approx(frames / 25 / 3600)
    assert found["wall_hours"] == pytest.approx(found["cpu_hours"] / 4)
    text = CliRunner().invoke(plan, []).stdout
    assert text.startswith("26 videos, 38 tubes, 1 of them too small for 512 (talkinghead1kh)")
    assert "2 more videos have no tube in the list" in text


def test_what_two_tubes_share_is_downloaded_once() -> None:
    listing = VideoList("own", (), (tube("a", 10, 20), tube("b", 15, 30), tube("c", 100, 110, side=100)))
    found = of_list(listing, Settings(), workers=1)
    assert found.hours_asked == pytest.approx((10 + 15 + 10) / 3600)
    assert found.hours_to_download == pytest.approx((24 + 14) / 3600)
    assert found.too_small == 1
    assert found.gb_clips is not None
    assert found.gb_clips == pytest.approx(25 * 25 * 600 * 600 * 0.25 / 8e9)


def test_frames_of_a_chunk_are_seconds_of_the_video() -> None:
    late = Tube("a", "v", Span(0, 250, "frame", part=2), None)
    early = Tube("b", "v", Span(0, 240, "frame", fps=24.0), None)
    found = of_list(VideoList("talkinghead1kh", (), (late, early)), Settings(), workers=1)
    assert found.hours_to_download == pytest.approx((14 + 12) / 3600)  # one begins at 0: nothing before it


def test_without_times_nothing_is_pretended() -> None:
    listing = VideoList("ids", (Video("a", None), Video("b", None)))
    found = of_list(listing, Settings(), workers=1)
    assert (found.videos, found.tubes, found.hours_asked, found.cpu_hours) == (2, None, None, None)
    assert "known when they are asked for" in found.assumptions[0]


def test_a_folder_is_measured_by_its_headers(finished: Path, tmp_path: Path) -> None:
    source, out = finished.parent / "in", tmp_path / "out"
    found = estimate(source, out, Settings(selection=SelectionSettings(min_res=64)), workers=2)
    assert (found.videos, found.unreadable, found.too_small) == (4, 1, 1)
    assert found.hours_asked == pytest.approx((40 + 80 + 15 + 30) / 25 / 3600)
    sizes = {path.name: path.stat().st_size for path in source.iterdir()}
    assert found.gb_raw == pytest.approx((sum(sizes.values()) - sizes["broken.mp4"]) / 1e9)
    assert not out.exists()
    faster = estimate(source, out, Settings.model_validate({"analysis": {"detector": "yunet"}}), workers=2)
    assert faster.cpu_hours is not None
    assert any("yunet (measured)" in text for text in faster.assumptions)


def test_wrong_use_is_named() -> None:
    for arguments, message in (
        (["--min-res", "255"], "--min-res 255"),
        (["--detector", "mtcn"], "did you mean mtcnn"),
        (["--input", "nowhere"], "nowhere: no such file or folder"),
    ):
        assert message in str(CliRunner().invoke(plan, arguments).exception)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=8))
def test_a_union_has_the_length_of_what_it_covers(pairs: list[tuple[int, int]]) -> None:
    intervals = [(float(min(pair)), float(max(pair))) for pair in pairs]
    cells = {cell for start, end in intervals for cell in range(int(start), int(end))}
    assert covered(intervals) == len(cells)
