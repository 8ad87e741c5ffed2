"""`curate report`: the page holds what the ledger says, counts nothing twice, and can be opened by anybody."""

import json
import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from curate.commands.dataset import report as command
from curate.errors import UserError
from curate.ledger_queries import Entry, read
from curate.report.availability import availability
from curate.report.extremes import borders, weakest
from curate.report.funnel import funnel
from curate.report.histograms import histograms
from curate.report.page import PAGE, spread_out, write_report
from curate.report.thresholds import Threshold, plausible, selection_settings, thresholds
from tests.curate.conftest import NAMED

FACE = Threshold("min_face_score", 0.9, True)


def entry(item_id: str, kind: str, verdict: str = "kept", reason: str = "", **known: Any) -> Entry:
    fields = {
        "video_id": item_id.split("/")[0],
        "parent_id": None,
        "error_class": None,
        "attempts": 1,
        "wall_s": None,
        "cpu_s": None,
        "start_frame": 0,
        "end_frame": 25,
        "seconds": 1.0,
        "scores": {},
        "others": {},
        **known,
    }
    return Entry(item_id=item_id, kind=kind, verdict=verdict, reason=reason, **fields)


class Page(HTMLParser):
    """What a page refers to, and what it shows."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_opens_alone_and_shows_every_kept_clip(finished: Path, tmp_path: Path) -> None:
    path = write_report(finished, tmp_path / "page")
    page = Page(path)
    assert path.stat().st_size < 100_000
    pictures = {link for link in page.links if link.startswith("pictures/")}
    assert pictures == {f"pictures/{picture.name}" for picture in (tmp_path / "page" / "pictures").iterdir()}
    assert len(pictures) == len(list((finished / "clips").iterdir()))
    assert {link for link in page.links if link[0] != "#"} - pictures == {"data:,", "report.json"}
    assert "script" not in page.tags
    assert "http" not in re.sub(r"http-equiv", "", path.read_text())
    assert "unreadable: 1" in page.text
    assert "all came from a folder" in page.text


def test_names_and_reasons_are_shown_as_text(dataset: Path) -> None:
    evil = '<script>alert("x")</script>\u202egpj.exe'
    with duckdb.connect(str(dataset / "ledger.duckdb")) as db:
        db.execute("UPDATE items SET reason = ? WHERE verdict = 'failed'", [f"{NAMED}: {evil}"])
        db.execute("UPDATE items SET item_id = ? WHERE verdict = 'failed'", [evil])
    page = Page(write_report(dataset))
    assert "script" not in page.tags
    assert NAMED in page.text
    assert '<script>alert("x")</script>' in page.text
    assert "\u202e" not in page.text


def test_a_second_page_has_the_same_bytes_and_no_old_pictures(finished: Path, tmp_path: Path) -> None:
    first = write_report(finished, tmp_path / "page").read_bytes()
    (tmp_path / "page" / "pictures" / "old.jpg").write_bytes(b"")
    assert write_report(finished, tmp_path / "page").read_bytes() == first
    assert not (tmp_path / "page" / "pictures" / "old.jpg").exists()


def test_dropped_items_have_pictures_where_the_videos_are(finished: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(command, [str(finished), "--to", str(tmp_path / "a")])
    assert done.stdout.strip() == str(tmp_path / "a" / PAGE)
    videos = str(finished.parent / "in")
    assert CliRunner().invoke(command, [str(finished), "--to", str(tmp_path / "b"), "--videos", videos]).exit_code == 0
    without, having = (len(list((tmp_path / name / "pictures").iterdir())) for name in "ab")
    assert having > without
    assert "no picture" in (tmp_path / "a" / PAGE).read_text()
    assert "no picture" not in (tmp_path / "b" / PAGE).read_text()


def test_a_page_of_somebody_else_is_left_alone(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(UserError, match="choose another folder with --to"):
        write_report(finished, tmp_path)
    assert (tmp_path / "index.html").read_text() == "mine"


def test_a_dataset_of_failures_has_a_page_that_says_what_it_leaves_out(dataset: Path) -> None:
    with duckdb.connect(str(dataset / "ledger.duckdb")) as db:
        db.execute("DELETE FROM clips")
        db.execute("DELETE FROM items")
        db.execute(
            """
            INSERT INTO items BY NAME
            SELECT 'v' || i AS item_id, 'video' AS kind, 'v' || i AS video_id, 'download' AS stage,
                'failed' AS verdict, repeat('private ', 30) || i AS reason, 'private' AS error_class, 1 AS attempts,
                json_object('retrieved', '2026-01-0' || (i % 3 + 1) || 'T10:00:00+00:00') AS scores
            FROM range(5000) AS numbers(i)
            """
        )
    shutil.rmtree(dataset / "clips")
    path = write_report(dataset)
    page = Page(path)
    assert path.stat().st_size < 1_000_000
    assert "200 of 5,000 failures are shown" in page.text
    assert "No clip was kept" in page.text
    assert "2026-01-011,6671,667" in re.sub(r"\s+", "", page.text)
    assert availability(read(dataset).items).days[0].states == (("private", 1667),)


def test_the_funnel_of_a_real_dataset_loses_what_it_does_not_keep(finished: Path) -> None:
    flow = funnel(read(finished).items)
    names = [step.name for step in flow.steps]
    assert names[0] == "videos"
    assert names[-1] == "clips kept"
    by_name = {step.name: step for step in flow.steps}
    assert by_name["videos"].count == 5
    assert by_name["clips kept"].count == len(read(finished).clips)
    faces = [loss.seconds for loss in flow.losses if loss.kind in ("track", "clip")]
    assert by_name["clips kept"].seconds + sum(faces) == pytest.approx(by_name["faces followed"].seconds)


def test_nothing_is_lost_twice() -> None:
    items = [
        entry("a", "video", "dropped", "frame 320 x 240 < 512", seconds=10.0),
        entry("a/s0", "shot", seconds=10.0),
        entry("a/t0", "track", "dropped", "frame 320 x 240 < 512", seconds=9.0),
        entry("b", "video", seconds=20.0),
        entry("b/s0", "shot", seconds=12.0),
        entry("b/s1", "shot", "dropped", "no face found", seconds=8.0),
        entry("b/t0", "track", seconds=12.0),
        entry("b/t1", "track", "dropped", "0.40 s < 1 s", seconds=0.4),
        entry("b/t2", "track", "dropped", "native side 200 < 512", seconds=5.0),
        entry("b/c0", "clip", parent_id="b/t0", seconds=11.5),
        entry("b/c1", "clip", "dropped", "native side 200 < 512", parent_id="b/t2", seconds=5.0),
    ]
    flow = funnel(items)
    assert [(step.name, step.count, step.seconds) for step in flow.steps] == [
        ("videos", 2, 30.0),
        ("videos worked on", 1, 20.0),
        ("shots with a face", 1, 12.0),
        ("faces followed", 3, pytest.approx(17.4)),
        ("faces that passed", 2, 17.0),
        ("clips planned", 2, 16.5),
        ("clips kept", 1, 11.5),
    ]
    assert [(loss.kind, loss.reason, loss.seconds) for loss in flow.losses] == [
        ("video", "frame 320 x 240 < 512", 10.0),
        ("shot", "no face found", 8.0),
        ("clip", "native side 200 < 512", 5.0),
        ("track", "frames beside a cut", 0.5),
        ("track", "0.40 s < 1 s", 0.4),
    ]


def test_clips_that_a_list_names_are_lost_as_clips() -> None:
    items = [
        entry("a", "video", "dropped", "no clip passed", seconds=10.0),
        entry("a/c0", "clip", "dropped", "native side 200 < 512", parent_id="a", seconds=4.0),
    ]
    flow = funnel(items)
    assert [(loss.kind, loss.seconds) for loss in flow.losses] == [("clip", 4.0)]
    assert [step.name for step in flow.steps] == ["videos", "videos worked on", "clips planned", "clips kept"]


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.booleans()), max_size=60), st.floats(-1e3, 1e3))
def test_a_histogram_counts_every_value_once(numbers: list[tuple[float, bool]], bound: float) -> None:
    items = [
        entry(f"v/t{i}", "track", "kept" if kept else "dropped", seconds=None, scores={"x": value})
        for i, (value, kept) in enumerate(numbers)
    ]
    found = histograms(items, {"x": Threshold("min_x", bound, True)})
    if len({value for value, _ in numbers}) < 2:
        assert found == []
        return
    (plot,) = found
    assert plot.n_kept + plot.n_other == len(numbers)
    counted = [tuple(map(int, re.findall(r"(\d+) (?:kept|not)", bar.text))) for bar in plot.bars]
    assert [sum(column) for column in zip(*counted, strict=True)] == [plot.n_kept, plot.n_other]
    assert max(bar.kept + bar.other for bar in plot.bars) == pytest.approx(100, abs=0.02)
    assert all(0 <= at <= 100 for at, _ in plot.ticks)
    assert all(0 <= at <= 100 for at in plot.threshold_at)
    assert plot.n_beyond <= 2 + len(numbers) // 50


def test_borderline_items_stand_on_their_side_nearest_first() -> None:
    scores = (0.95, 0.91, 0.9, 0.899, 0.5, 0.99)
    items = [entry(f"v/t{i}", "track", scores={"face_score": score}) for i, score in enumerate(scores)]
    (border,) = borders(items, {"face_score": FACE}, most=2)
    assert [item.value for item in border.passing] == [0.9, 0.91]
    assert [item.value for item in border.failing] == [0.899, 0.5]


def test_the_weakest_clips_are_those_that_stand_lowest_in_any_score() -> None:
    limits = {"face_score": FACE, "flat": Threshold("max_flat", 0.4, False)}
    scores = [(0.99, 0.1), (0.91, 0.11), (0.98, 0.39), (0.97, 0.12)]
    clips = [
        entry(f"v/c{i}", "clip", scores={"face_score": score, "flat": flat}) for i, (score, flat) in enumerate(scores)
    ]
    assert [(item.entry.item_id, item.score) for item in weakest(clips, limits, 2)] == [
        ("v/c1", "face_score"),
        ("v/c2", "flat"),
    ]


def test_a_bound_of_the_angle_bounds_both_sides() -> None:
    limits = thresholds({"max_yaw": 30.0})
    items = [
        entry(f"v/c{i}", "clip", "kept" if abs(yaw) <= 30 else "dropped", scores={"yaw_mean": yaw})
        for i, yaw in enumerate((-80.0, -31.0, -29.5, 0.0, 28.0, 33.0))
    ]
    (border,) = borders(items, limits, most=2)
    assert [item.value for item in border.passing] == [-29.5, 28.0]
    assert [item.value for item in border.failing] == [-31.0, 33.0]
    plot = next(plot for plot in histograms(items, limits) if plot.name == "yaw_mean")
    assert len(plot.threshold_at) == 2
    assert weakest(items, limits, 1)[0].value == -29.5


def test_thresholds_are_those_that_the_dataset_states(dataset: Path) -> None:
    (dataset / "settings.json").unlink(missing_ok=True)
    assert selection_settings(dataset)[1] is False
    (dataset / "settings.json").write_text(json.dumps({"selection": {"min_res": 64, "min_sharpness": 0.3, "crf": 16}}))
    stated, known = selection_settings(dataset)
    assert known
    assert {name: limit.text for name, limit in thresholds(stated).items()} == {
        "native_side": "≥ 64",
        "short_side": "≥ 64",
        "sharpness": "≥ 0.3",
    }


def test_without_them_no_threshold_is_shown_that_a_kept_item_fails() -> None:
    clips = [entry("v/c0", "clip", scores={"face_score": 0.8}), entry("v/c1", "clip", "dropped", scores={"flat": 0.5})]
    limits = {"face_score": FACE, "flat": Threshold("max_flat", 0.4, False)}
    assert list(plausible(limits, clips)) == ["flat"]


def test_days_and_states_are_counted() -> None:
    items = [
        entry("a", "video", others={"retrieved": "2026-02-01T10:00:00"}),
        entry("b", "video", "failed", error_class="private", scores={"retrieved": "2026-02-01"}),
        entry("c", "video", "dropped", "no face found", scores={"retrieved": "2026-01-31"}),
        entry("d", "video"),  # of a folder
    ]
    found = availability(items)
    assert [(day.date, day.states) for day in found.days] == [
        ("2026-01-31", (("available", 1),)),
        ("2026-02-01", (("available", 1), ("private", 1))),
    ]
    assert found.states == (("available", 2), ("private", 1))
    assert found.undated == 1


@given(st.integers(0, 300), st.integers(1, 100))
def test_a_sheet_is_spread_evenly(count: int, most: int) -> None:
    entries = [entry(f"v{i}", "clip") for i in range(count)]
    shown = spread_out(entries, most)
    assert len(shown) == min(count, most)
    places = [entries.index(one) for one in shown]
    assert places == sorted(set(places))
    gaps = {b - a for a, b in pairwise(places)}
    assert not gaps or max(gaps) - min(gaps) <= 1
