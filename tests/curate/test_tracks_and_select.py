"""Tracks and selection: pure functions over boxes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.analyse import Analysis
from curate.faces import Detection
from curate.framing import iou
from curate.quality import FaceScores
from curate.select import select
from curate.settings import SelectionSettings
from curate.shots import Shot
from curate.tracks import Track, link
from curate.video import VideoInfo

INFO = VideoInfo(1280, 720, 25.0, 0, 0.0, 1_000_000, "h264", "yuv420p", 0.0, 0.0)
SETTINGS = SelectionSettings(min_res=256)


def face(
    frame: int, x: float = 640, y: float = 360, side: float = 200, score: float = 0.999, flat: float = 0.1
) -> Detection:
    looks = FaceScores(flat, 1.0, 0.5, 0.3, 0.1, 0.2, 5.0, 0.0, 0.0)
    return Detection(frame, (x - side / 2, y - side / 2, x + side / 2, y + side / 2), score, looks)


def tracks_of(detections: list[Detection], shots: list[Shot] | None = None, gap: int = 25) -> list[Track]:
    end = max(d.frame for d in detections) + 1
    shots = shots or [Shot(0, 0, end, False)]
    return link(detections, shots, set(range(0, end, 5)), min_iou=0.3, max_gap=gap)


def analysis(detections: list[Detection], shots: list[Shot] | None = None, n_frames: int = 0) -> Analysis:
    n_frames = n_frames or max(d.frame for d in detections) + 1
    shots = shots or [Shot(0, 0, n_frames, False)]
    return Analysis("v", "", INFO, n_frames, None, tuple(shots), tuple(tracks_of(detections, shots)))


def test_two_faces_that_pass_close_by_stay_two_tracks() -> None:
    left = [face(f, 300 + f) for f in range(0, 101, 5)]
    right = [face(f, 700 - f) for f in range(0, 101, 5)]
    tracks = tracks_of(sorted(left + right, key=lambda d: (d.frame, d.box)))
    assert len(tracks) == 2
    assert [len(track.frames) for track in tracks] == [21, 21]
    assert tracks[0].boxes[-1] == left[-1].box


def test_a_missed_face_is_bridged_but_not_for_long() -> None:
    seen = [face(f) for f in range(0, 101, 5) if not 30 <= f <= 45]
    assert [(t.start, t.end, len(t.frames), t.looked_at) for t in tracks_of(seen)] == [(0, 101, 17, 21)]
    assert [(t.start, t.end) for t in tracks_of(seen, gap=10)] == [(0, 26), (50, 101)]


def test_a_fast_face_is_followed_by_its_motion_through_a_gap() -> None:
    fast = [face(f, 100 + 12 * f) for f in range(0, 91, 5)]  # 60 pixels from one look to the next
    seen = [d for d in fast if not 40 <= d.frame <= 55]  # and 300 while it is not seen: boxes of 200 do not meet
    assert iou(seen[7].box, seen[8].box) == 0
    assert [(t.start, t.end, len(t.frames)) for t in tracks_of(seen)] == [(0, 91, 15)]


def test_no_track_crosses_a_cut_or_enters_a_blank() -> None:
    shots = [Shot(0, 0, 50, False), Shot(1, 50, 60, True), Shot(2, 60, 101, False)]
    tracks = tracks_of([face(f) for f in range(0, 101, 5)], shots)
    assert [(t.shot, t.start, t.end) for t in tracks] == [(0, 0, 46), (2, 60, 101)]


boxes = st.tuples(*[st.floats(0, 100) for _ in range(2)], *[st.floats(1, 50) for _ in range(2)]).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@given(boxes, boxes)
def test_iou_is_symmetric_and_one_for_the_same_box(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    assert iou(a, b) == pytest.approx(iou(b, a))
    assert 0 <= iou(a, b) <= 1 + 1e-9
    assert iou(a, a) == pytest.approx(1)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1280), st.floats(0, 720), st.floats(20, 600)), min_size=1),
    st.sampled_from(["shift", "drop", "clamp"]),
    st.sampled_from(["default", "fomm", "liveportrait", "talkinghead1kh"]),
    st.integers(0, 3),
)
def test_every_clip_is_square_even_inside_the_frame_and_its_track(
    faces: list[tuple[int, float, float, float]], policy: str, crop: str, guard: int
) -> None:
    detections = sorted(
        {d.frame: d for d in (face(f * 5, x, y, s) for f, x, y, s in faces)}.values(), key=lambda d: d.frame
    )
    state = analysis(detections, [Shot(0, 0, 60, False), Shot(1, 60, 151, False)], 151)
    settings = SelectionSettings(min_res=64, box_policy=policy, crop=crop, guard_frames=guard, min_seconds=0.2)
    selection = select(state, settings)
    assert len(selection.tracks) == len(state.tracks)
    spans: dict[int, int] = {}
    for plan in selection.clips:
        left, top, right, bottom = plan.box
        assert right - left == bottom - top == plan.native_side
        assert not any(side % 2 for side in plan.box)
        assert min(left, top) >= 0
        assert right <= 1280
        assert bottom <= 720
        track = state.tracks[plan.track]
        shot = state.shots[track.shot]
        assert track.start <= plan.start < plan.end <= track.end
        assert plan.end - plan.start <= settings.max_frames
        if shot.start > 0:
            assert plan.start >= shot.start + guard
        if shot.end < 151:
            assert plan.end <= shot.end - guard
        assert spans.get(plan.track, 0) <= plan.start  # the clips of a track share no frame
        spans[plan.track] = plan.end
        assert bool(plan.verdict.reason) == (plan.verdict.verdict != "kept")
        if plan.verdict.verdict == "kept":
            assert plan.native_side >= settings.min_res


def reasons(detections: list[Detection], settings: SelectionSettings = SETTINGS) -> set[str]:
    selection = select(analysis(detections), settings)
    return {v.verdict + ": " + v.reason for v in selection.tracks} | {
        c.verdict.verdict + ": " + c.verdict.reason for c in selection.clips
    }


def steady(**kwargs: float) -> list[Detection]:
    return [face(f, **kwargs) for f in range(0, 101, 5)]


def test_reasons() -> None:
    assert reasons(steady()) == {"kept: "}
    assert "dropped: native side 180 < 256" in reasons(steady(side=100))
    assert "dropped: the face leaves the frame" in reasons(steady(x=40))
    assert "dropped: the face fills the frame: crop 720 < 1.15 x face 640" in reasons(steady(side=640))
    assert "dropped: the crop leaves the frame" in reasons(
        steady(x=130), SETTINGS.model_copy(update={"box_policy": "drop"})
    )
    assert "doubtful: face score 0.850 < 0.9" in reasons(steady(score=0.85))
    assert "doubtful: face in 52% of the frames < 75%" in reasons([face(f) for f in range(0, 101, 10)])
    assert "doubtful: perhaps a drawing: 60% of the face without texture" in reasons(steady(flat=0.6))
    assert "dropped: 0.84 s < 1 s" in reasons([face(f) for f in range(0, 21, 5)])
    assert "dropped: another face in the crop" in reasons(
        sorted(steady() + steady(x=790, side=120), key=lambda d: (d.frame, d.box))
    )


def test_a_video_below_the_bit_rate_or_size_is_dropped_whole() -> None:
    state = analysis(steady())
    low = select(state, SelectionSettings(min_res=256, min_bitrate=2_000_000))
    assert low.video.reason == "bit rate 1000000 < 2000000"
    assert low.clips == ()
    small = select(replace(state, info=replace(INFO, height=240)), SETTINGS)
    assert small.video.reason == "frame 1280 x 240 < 256"


def test_a_long_track_is_cut_into_equal_parts_and_a_wandering_one_where_it_left_its_place() -> None:
    long = select(analysis([face(f) for f in range(0, 2501, 5)]), SETTINGS)
    assert [(c.start, c.end) for c in long.clips] == [(0, 834), (834, 1667), (1667, 2501)]
    wander = select(analysis([face(f, 300 + 2 * f) for f in range(0, 301, 5)]), SETTINGS)
    assert len(wander.clips) > 1
    assert [c.start for c in wander.clips][1:] == [c.end for c in wander.clips][:-1]


def test_a_crop_that_would_leave_the_frame_is_moved_padded_or_shrunk() -> None:
    near_the_edge = analysis(steady(x=150, y=300))  # 360 wide: it lacks 30 pixels on the left

    def box_of(policy: str) -> tuple[int, int, int, int]:
        return select(near_the_edge, SETTINGS.model_copy(update={"box_policy": policy})).clips[0].box

    assert box_of("shift") == (0, 102, 360, 462)
    assert box_of("pad") == (-30, 102, 330, 462)
    assert box_of("clamp") == (0, 132, 300, 432)


def test_conventions_differ_in_size_and_place() -> None:
    def box_of(crop: str) -> tuple[int, int, int, int]:
        return (
            select(analysis(steady(side=200)), SETTINGS.model_copy(update={"crop": crop, "min_res": 64})).clips[0].box
        )

    assert box_of("fomm") == (520, 240, 760, 480)
    assert box_of("liveportrait") == (410, 72, 870, 532)
    left, top, right, bottom = box_of("talkinghead1kh")
    assert (right - left, bottom - top) == (352, 352)
    written = SETTINGS.model_copy(update={"crop": "talkinghead1kh"}).written((left, top, right, bottom))
    assert written == (352, 352)


def test_a_smooth_crop_follows_the_face_without_a_jump() -> None:
    wander = [face(f, 300 + 2 * f + 6 * (f % 10 == 0)) for f in range(0, 301, 5)]  # it trembles by 6 pixels
    (plan,) = select(analysis(wander), SETTINGS.model_copy(update={"box_motion": "smooth"})).clips
    assert plan.verdict.verdict == "kept"
    lefts = [plan.corner(frame)[0] for frame in range(plan.start, plan.end)]
    steps = [b - a for a, b in pairwise(lefts)]
    assert max(abs(step - 2) for step in steps[20:-20]) < 0.75
    for at in range(0, 301, 5):
        left, top, right, bottom = plan.window(at)
        assert left < 300 + 2 * at - 100
        assert right > 300 + 2 * at + 106
        assert (right - left, bottom - top) == (plan.native_side, plan.native_side)


def test_thresholds_on_how_a_clip_looks() -> None:
    def said(**thresholds: float | bool) -> set[str]:
        return reasons(steady(), SETTINGS.model_copy(update=thresholds))

    assert said(min_sharpness=0.9, min_brightness=0.5, max_occlusion=0.1, max_yaw=10.0) == {"kept: "}
    assert "dropped: sharpness 1.000 < 1.5" in said(min_sharpness=1.5)
    assert "dropped: brightness 0.500 < 0.6" in said(min_brightness=0.6)
    assert "dropped: occlusion 0.100 > 0.05" in said(max_occlusion=0.05)
    assert "dropped: mean yaw 5 beyond 4 degrees" in said(max_yaw=4.0)
    assert "dropped: no sound" in said(need_sound=True)


def test_a_track_is_cut_where_another_person_takes_the_place() -> None:
    one, other = np.eye(8, dtype=np.float32)[:2]
    seen = [replace(face(f), embedding=one if f < 100 else other) for f in range(0, 201, 5)]
    assert [(track.start, track.end) for track in tracks_of(seen)] == [(0, 96), (100, 201)]
    assert [track.embedding for track in tracks_of(seen)] == [tuple(one.tolist()), tuple(other.tolist())]
