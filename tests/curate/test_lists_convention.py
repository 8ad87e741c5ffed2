"""What boxes and spans of lists mean, against the authors' formulas worked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.lists import convention
from curate.lists.tube import RefBox, Span

SIZES = st.integers(16, 4096)


def test_talkinghead1kh_scales_each_edge_and_cuts_it_off() -> None:
    box = RefBox(504, 63, 792, 351, 1280, 720)
    assert convention.talkinghead1kh(box, 1280, 720) == (504, 63, 792, 351)
    assert convention.talkinghead1kh(box, 1920, 1080) == (756, 94, 1188, 526)  # 94.5 and 526.5 cut off
    assert convention.talkinghead1kh(box, 640, 352) == (252, 30, 396, 171)  # 63 / 720 * 352 = 30.8, 171.6
    assert convention.talkinghead1kh_floats(box, 1280, 720) == (504, 62, 792, 351)


def test_a_box_without_a_frame_width_goes_by_the_height() -> None:
    assert convention.talkinghead1kh(RefBox(100, 50, 300, 250, None, 720), 1920, 1080) == (150, 75, 450, 375)
    assert convention.talkinghead1kh(RefBox(100, 50, 300, 250, None, None), 1920, 1080) == (100, 50, 300, 250)


@given(width=SIZES, height=SIZES, data=st.data())
def test_a_frame_of_the_lists_size_keeps_the_box(width: int, height: int, data: st.DataObject) -> None:
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    box = RefBox(left, top, right, bottom, width, height)
    assert convention.fomm(box, width, height) == (left, top, right, bottom)
    assert convention.talkinghead1kh(box, width, height) == (left, top, right, bottom)
    for got, edge in zip(convention.talkinghead1kh_floats(box, width, height), (left, top, right, bottom), strict=True):
        assert edge - 1 <= got <= edge


def test_fomm_scales_by_the_ratio_of_the_frames() -> None:
    box = RefBox(624, 48, 1018, 553, 1280, 720)
    assert convention.fomm(box, 640, 360) == (312, 24, 509, 276)


def test_fomm_expands_to_a_square_of_1_2_of_the_longer_side() -> None:
    # w 200, h 100: wi = max(.1, (120 - 200) / 400) = .1, hi = max(.1, (240 - 100) / 200) = .7
    assert convention.fomm_expanded((400, 300, 600, 400), 1280, 720) == (380, 230, 620, 470)
    # w 100, h 200: wi = .7, hi = .1
    assert convention.fomm_expanded((300, 400, 400, 600), 1280, 720) == (230, 380, 470, 620)


def test_fomm_drops_what_leaves_the_frame_or_cuts_it() -> None:
    face = (10, 300, 210, 400)
    assert convention.fomm_expanded(face, 1280, 720) is None
    assert convention.fomm_expanded(face, 1280, 720, "clamp") == (0, 230, 230, 470)
    assert convention.fomm_expanded((400, 300, 600, 400), 620, 470) == (380, 230, 620, 470)
    assert convention.fomm_expanded((400, 300, 600, 400), 619, 470) is None


@given(left=st.integers(500, 900), top=st.integers(500, 900), w=st.integers(10, 400), h=st.integers(10, 400))
def test_fomm_squares_any_face(left: int, top: int, w: int, h: int) -> None:
    box = convention.fomm_expanded((left, top, left + w, top + h), 4000, 4000)
    assert box is not None
    for side in (box[2] - box[0], box[3] - box[1]):
        assert side == pytest.approx(1.2 * max(w, h), abs=1.01)
    assert box[0] <= left < left + w <= box[2]


def test_celebvhq_adds_a_margin_and_squares_with_the_shorter_side() -> None:
    # 1280 x 720, left .1964, right .6922 -> .1764, .7122 -> 226, 912 (686); top 0, bottom .8815 -> 0, .9015 -> 649
    # half = 649 // 2 = 324; centres 569 and 324.5
    box = RefBox(0.1964, 0.0, 0.6922, 0.8815, 1, 1)
    assert convention.celebvhq(box, 1280, 720) == (245, 0, 893, 648)
    assert convention.celebvhq(RefBox(0, 0, 1, 1, 1, 1), 1920, 1080) == (420, 0, 1500, 1080)


@given(
    left=st.floats(0, 0.5),
    top=st.floats(0, 0.5),
    w=st.floats(0.1, 0.5),
    h=st.floats(0.1, 0.5),
    width=SIZES,
    height=SIZES,
)
def test_celebvhq_is_square_and_inside(left: float, top: float, w: float, h: float, width: int, height: int) -> None:
    box = convention.celebvhq(RefBox(left, top, left + w, top + h, 1, 1), width, height)
    assert box[2] - box[0] == box[3] - box[1]
    assert 0 <= box[0] < box[2] <= width
    assert 0 <= box[1] < box[3] <= height


def test_each_list_has_a_convention() -> None:
    assert convention.of_list("celebvhq") == "celebvhq"
    assert convention.of_list("hdtf") == "talkinghead1kh"


def test_own_frames_are_the_span() -> None:
    assert convention.frame_indices(Span(300, 401, "frame"), 29.97, 5000) == range(300, 401)
    assert convention.frame_indices(Span(300, 401, "frame"), 29.97, 350) == range(300, 350)
    assert convention.frame_indices(Span(300, 401, "frame"), 29.97, 100) == range(100, 100)
    assert convention.frame_indices(None, 25, 7) == range(7)


def test_frames_of_a_chunk_are_counted_from_its_start() -> None:
    span = Span(10, 20, "frame", part=2)
    assert convention.frame_indices(span, 30, 5000, chunk_start=3600) == range(3610, 3620)
    assert convention.frame_indices(Span(10, 20, "frame"), 30, 5000, chunk_start=3600) == range(10, 20)


def test_seconds_mean_the_frames_whose_times_lie_in_them() -> None:
    assert convention.frame_indices(Span(1.1, 1.2, "second"), 30, 100) == range(33, 36)  # 1.1 * 30 > 33 in floats
    assert convention.frame_indices(Span(20, 95, "second"), 30_000 / 1001, 10_000) == range(600, 2848)


@given(
    start=st.integers(0, 3000),
    length=st.integers(1, 500),
    rate=st.sampled_from([25.0, 29.97, 30.0, 15.79]),
    fps=st.sampled_from([25.0, 30.0, 30_000 / 1001, 50.0, 12.5, 24_000 / 1001]),
)
def test_frames_at_a_rate_follow_the_authors_rule(start: int, length: int, rate: float, fps: float) -> None:
    end = start + length
    count = int(end * fps / rate) + 5
    by_rule = [i for i in range(count) if start * fps <= i * rate < end * fps]
    assert list(convention.frame_indices(Span(start, end, "frame", fps=rate), fps, count)) == by_rule


@given(start=st.integers(0, 9000), length=st.integers(1, 900), fps=st.floats(5, 120))
def test_frames_at_the_videos_own_rate_are_themselves(start: int, length: int, fps: float) -> None:
    span = Span(start, start + length, "frame", fps=fps)
    assert convention.frame_indices(span, fps, 10_000) == range(start, min(start + length, 10_000))


def test_chunks_begin_at_keyframes() -> None:
    every_250 = [(frame, frame / 30) for frame in range(0, 9000, 250)]
    assert convention.chunk_start(every_250, 0) == 0
    assert convention.chunk_start(every_250, 1) == 2000  # 66.7 s: the first keyframe after 60 s
    assert convention.chunk_start(every_250, 2) == 3750  # 125 s
    assert convention.chunk_start(every_250, 9) is None
    sparse = [(0, 0.0), (3900, 130.0), (4000, 133.3), (6000, 200.0)]
    assert [convention.chunk_start(sparse, part) for part in (1, 2, 3)] == [3900, 4000, 6000]
