"""What the detector sees: whole pictures now and then, small ones about known faces between, and what lies between."""

from collections.abc import Callable

import av
import cv2
import numpy as np
import pytest

from curate.faces import GLANCE, FaceSampler
from curate.frame import Frame
from curate.perception.interface import Faces, NetworkInfo

Where = Callable[[int], list[tuple[int, int]]]
"""Centres of the faces in a frame."""

WIDTH, HEIGHT, SIDE = 480, 360, 40
LAST = 100  # frame
FIVE = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)  # points in a face's box


class White:
    """A detector that finds white squares, and reads a frame's number from the grey around them."""

    info = NetworkInfo("white", "", "")

    def __init__(self) -> None:
        self.wholes, self.glances = [], []

    def detect(self, frames):
        return [self._detect(frame[..., 1]) for frame in frames]

    def _detect(self, grey):
        ground = grey[(grey > 10) & (grey < 230)]
        seen = self.glances if grey.shape == (GLANCE, GLANCE) else self.wholes
        seen.append(round((float(np.median(ground)) - 15.4) / 2))
        _, _, places, _ = cv2.connectedComponentsWithStats((grey > 235).astype(np.uint8))
        corners = np.array([(x, y, x + w, y + h) for x, y, w, h, _ in places[1:]], np.float32).reshape(-1, 4)
        points = corners[:, None, :2] + FIVE * (corners[:, None, 2:] - corners[:, None, :2]) - np.float32(0.5)
        return Faces(corners, np.full(len(corners), 0.9, np.float32), points)


def frames(where: Where, side: int):
    for index in range(LAST + 1):
        picture = np.full((HEIGHT, WIDTH, 3), 16 + 2 * index, np.uint8)
        for x, y in where(index):
            picture[y - side // 2 : y + side // 2, max(0, x - side // 2) : x + side // 2] = 255
        raw = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p", dst_colorspace=5)
        raw.colorspace = 5
        yield Frame(raw, index, index / 25)


def run(where: Where, side: int = SIDE, cuts: dict[int, list[int]] | None = None):
    detector = White()
    sampler = FaceSampler(detector, 5, HEIGHT)
    for frame in frames(where, side):
        sampler.feed(frame, (cuts or {}).get(frame.index, []))
    sampler.finish()
    return detector, sampler


def lefts(sampler: FaceSampler) -> list[float]:
    return [detection.box[0] for detection in sampler.detections]


EVERY = [*range(0, LAST + 1, 5)]


def test_a_face_at_rest_is_seen_in_whole_every_fourth_time_and_glanced_at_once_between() -> None:
    detector, sampler = run(lambda _: [(200, 160)])
    assert detector.wholes == [*range(0, 101, 20)]
    assert detector.glances == [*range(10, 101, 20)]
    assert [d.frame for d in sampler.detections] == EVERY
    assert sampler.looked_at == set(EVERY)
    for detection in sampler.detections:
        assert detection.box == pytest.approx((180, 140, 220, 180), abs=0.1)


def test_a_face_that_moves_is_followed_by_glances() -> None:
    detector, sampler = run(lambda i: [(100 + i, 160)])  # 20 of its 40 pixels from one whole look to the next
    assert detector.wholes == [*range(0, 101, 20)]
    assert detector.glances == [i for n in range(0, 100, 20) for i in (n + 10, n + 5, n + 15)]
    assert lefts(sampler) == pytest.approx([80 + i for i in EVERY], abs=0.6)


def test_a_face_that_swings_is_found_where_it_is() -> None:
    where = {10: 30, 5: 15, 15: 15}  # back in place at every whole look
    _, sampler = run(lambda i: [(100 + where.get(i % 20, 0), 160)])
    assert lefts(sampler) == pytest.approx([80 + where.get(i % 20, 0) for i in EVERY], abs=0.6)


@pytest.mark.parametrize("side", [30, 100, 120])
def test_glances_tell_places_in_the_whole_picture(side: int) -> None:
    detector, sampler = run(lambda i: [(70 + i // 5, 161)], side)
    assert detector.glances
    for detection in sampler.detections:
        x = 70 + detection.frame // 5
        wanted = (max(0, x - side // 2), 161 - side // 2, x + side // 2, 161 + side // 2)
        assert detection.box == pytest.approx(wanted, abs=1.3 if side > GLANCE / 2 else 0.6)


def test_who_comes_or_goes_is_looked_for_in_whole_pictures() -> None:
    detector, sampler = run(lambda i: [(100, 160), (300, 160)] if i < 52 else [(300, 160)])
    assert detector.glances.count(45) == detector.wholes.count(45) == 0  # as before and after it
    assert {50, 55} <= set(detector.wholes)
    assert [sum(d.frame == f for d in sampler.detections) for f in (45, 50, 55, 60)] == [2, 2, 1, 1]


def test_a_face_that_leaves_between_two_whole_looks_is_missed_there() -> None:
    _, sampler = run(lambda i: [] if 48 <= i < 53 else [(200, 160)])
    assert [d.frame for d in sampler.detections] == [i for i in EVERY if i != 50]


def test_many_faces_are_looked_for_at_once() -> None:
    detector, sampler = run(lambda _: [(60 + 80 * n, 160) for n in range(5)])  # five glances cost more than a look
    assert not detector.glances
    assert len(sampler.detections) == 5 * len(EVERY)


def test_nobody_is_nobody_between() -> None:
    detector, sampler = run(lambda _: [])
    assert (detector.wholes, detector.glances, sampler.detections) == ([*range(0, 101, 20)], [], [])
    assert sampler.looked_at == set(EVERY)


def test_both_sides_of_a_cut_are_looked_at_and_nothing_lies_across_it() -> None:
    detector, sampler = run(lambda i: [(100, 160)] if i < 43 else [(300, 160)], cuts={45: [43]})  # known two late
    assert {42, 43} <= set(detector.wholes)
    assert {d.box[0] for d in sampler.detections if d.frame < 43} == {80.0}
    assert {d.box[0] for d in sampler.detections if d.frame >= 43} == {280.0}
    assert [d.frame for d in sampler.detections] == sorted({*EVERY, 42, 43})


def test_the_last_frame_is_looked_at() -> None:
    detector = White()
    sampler = FaceSampler(detector, 5, HEIGHT)
    for frame in frames(lambda _: [(200, 160)], SIDE):
        if frame.index < 8:
            sampler.feed(frame, ())
    sampler.finish()
    assert detector.wholes == [0, 7]
    assert [d.frame for d in sampler.detections] == [0, 5, 7]
