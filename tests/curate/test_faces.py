"""Which frames the detector sees, and what is taken to lie between two looks."""

from collections.abc import Callable

import av
import numpy as np
import pytest

from curate.faces import FaceSampler
from curate.frame import Frame
from curate.perception.interface import Faces, NetworkInfo

Where = Callable[[int], list[tuple[float, float]]]


class Counting:
    """A detector that reads a frame's number from its grey level and is told where faces are then."""

    info = NetworkInfo("counting", "", "")

    def __init__(self, where: Where) -> None:
        self.where, self.seen = where, []

    def detect(self, frames):
        found = []
        for frame in frames:
            index = round((float(frame[0, 0].mean()) - 15.4) / 2)
            self.seen.append(index)
            spots = self.where(index)
            boxes = np.array([(x - 20, y - 20, x + 20, y + 20) for x, y in spots], np.float32).reshape(-1, 4)
            points = np.array(
                [[(x - 8, y - 8), (x + 8, y - 8), (x, y), (x - 6, y + 9), (x + 6, y + 9)] for x, y in spots]
            )
            found.append(
                Faces(boxes, np.full(len(spots), 0.9, np.float32), points.astype(np.float32).reshape(-1, 5, 2))
            )
        return found


def frames(count: int):
    for index in range(count):
        picture = np.full((120, 160, 3), 16 + 2 * index, np.uint8)
        raw = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p", dst_colorspace=5)
        raw.colorspace = 5
        yield Frame(raw, index, index / 25)


def run(where: Where, count: int = 101, cuts: dict[int, list[int]] | None = None):
    detector = Counting(where)
    sampler = FaceSampler(detector, 5, 120)
    for frame in frames(count):
        sampler.feed(frame, (cuts or {}).get(frame.index, []))
    sampler.finish()
    return detector, sampler


def test_a_face_at_rest_is_looked_for_half_as_often() -> None:
    detector, sampler = run(lambda _: [(80, 60)])
    assert sorted(detector.seen) == [*range(0, 101, 10)]
    assert [d.frame for d in sampler.detections] == [*range(0, 101, 5)]
    assert sampler.looked_at == {*range(0, 101, 5)}
    assert all(d.box == pytest.approx((60, 40, 100, 80), abs=0.01) for d in sampler.detections)


def test_a_slow_face_lies_between_and_a_fast_one_is_looked_for() -> None:
    detector, sampler = run(lambda i: [(60 + i / 5, 60)])
    assert sorted(detector.seen) == [*range(0, 101, 10)]
    assert [d.box[0] for d in sampler.detections] == pytest.approx([40 + f / 5 for f in range(0, 101, 5)], abs=0.02)
    detector, sampler = run(lambda i: [(30 + i, 60)])  # 10 pixels of 40 from one sure look to the next
    assert sorted(detector.seen) == [*range(0, 101, 5)]
    assert [d.box[0] for d in sampler.detections] == pytest.approx([10 + f for f in range(0, 101, 5)], abs=0.02)


def test_who_comes_or_goes_is_looked_for_and_two_keep_their_places() -> None:
    detector, sampler = run(lambda i: [(40, 60), (120, 60)] if i < 52 else [(120, 60)])
    assert sorted(detector.seen) == sorted([*range(0, 101, 10), 55])
    assert [sum(d.frame == f for d in sampler.detections) for f in (45, 50, 55, 60)] == [2, 2, 1, 1]


def test_both_sides_of_a_cut_are_looked_at_and_nothing_lies_across_it() -> None:
    detector, sampler = run(lambda i: [(40, 60)] if i < 43 else [(110, 60)], cuts={45: [43]})  # known two frames late
    assert {42, 43} <= set(detector.seen)
    assert {d.box[0] for d in sampler.detections if d.frame < 43} == {20.0}
    assert {d.box[0] for d in sampler.detections if d.frame >= 43} == {90.0}
    assert [d.frame for d in sampler.detections] == sorted({*range(0, 101, 5), 42, 43})


def test_the_last_frame_is_looked_at() -> None:
    detector, sampler = run(lambda _: [(80, 60)], count=8)
    assert sorted(detector.seen) == [0, 7]
    assert [d.frame for d in sampler.detections] == [0, 5, 7]
