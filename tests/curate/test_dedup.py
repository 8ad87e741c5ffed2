"""Hashes of faces and clips that show the same stretch: what must stay equal, what must be found, what must not."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from curate.dedup import Match, duplicate_of, near_duplicates
from curate.hashes import distance, face_hash

BOX = (150.0, 60.0, 260.0, 200.0)
Sequence = list[tuple[float, int]]


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return np.ascontiguousarray(data.astronaut())


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    done, code = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))


def test_a_hash_survives_encoding_size_light_and_bars(astronaut: np.ndarray) -> None:
    own = face_hash(astronaut, BOX)
    half = cv2.resize(astronaut, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    barred = np.pad(astronaut, ((60, 60), (0, 0), (0, 0)))
    variants = {
        "jpeg": face_hash(jpeg(astronaut, 25), BOX),
        "half": face_hash(half, tuple(side / 2 for side in BOX)),
        "light": face_hash((astronaut * 0.7 + 20).astype(np.uint8), BOX),
        "bars": face_hash(barred, (BOX[0], BOX[1] + 60, BOX[2], BOX[3] + 60)),
        "moved": face_hash(astronaut, tuple(side + 2 for side in BOX)),
    }
    assert {name: distance(own, value) for name, value in variants.items() if distance(own, value) > 6} == {}
    assert distance(own, face_hash(astronaut[:, ::-1], BOX)) > 20


def test_a_known_hash_stays_as_it_is() -> None:
    """Stored hashes are compared with new ones, on every machine."""
    y, x = np.mgrid[:90, :120]
    picture = np.stack([x * 2, (x * y) % 256, (x * x + 3 * y * y) // 97 % 256], axis=2).astype(np.uint8)
    assert f"{face_hash(picture, (30.25, 20.5, 70.75, 66.0)):016x}" == "4953e3df93238342"


@given(st.tuples(*[st.floats(-300, 600)] * 2), st.floats(0.01, 900), st.floats(0.01, 900))
def test_any_box_has_a_hash(corner: tuple[float, float], width: float, height: float) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    value = face_hash(picture, (*corner, corner[0] + width, corner[1] + height))
    assert 0 <= value < 1 << 63


@pytest.mark.parametrize(
    "box", [(5, 5, 5, 5), (9, 9, 3, 3), (0, 0, float("nan"), float("nan")), (0, 0, float("inf"), 9)]
)
def test_a_box_without_area_has_none(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="area"):
        face_hash(np.zeros((20, 20, 3), np.uint8), box)


class Person:
    """Made hashes: a person in a room, whose face moves."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._looks = rng.random(64) < 0.5
        self._lively = rng.random(64) < 0.5

    def take(self, moments: int) -> np.ndarray:
        """Bits [moments, 64] of one take."""
        bits = np.tile(self._looks ^ (self._rng.random(64) < 0.03), (moments, 1))
        for bit in np.flatnonzero(self._lively):
            changes = np.cumsum(self._rng.random(moments) < 0.15)
            bits[:, bit] ^= changes % 2 == 1
        return bits


def sequence(bits: np.ndarray, start: float = 0.0, flips: float = 0.0, seed: int = 0) -> Sequence:
    noisy = bits ^ (np.random.default_rng(seed).random(bits.shape) < flips)
    packed = np.packbits(noisy, axis=1)
    return [(start + 0.2 * k, int.from_bytes(row.tobytes(), "big")) for k, row in enumerate(packed)]


def test_a_copy_with_another_start_is_found_with_its_offset() -> None:
    rng = np.random.default_rng(0)
    person = Person(rng)
    take = person.take(60)
    clips = {"a": sequence(take[:40]), "copy": sequence(take[15:], 7.0, 0.08), "other": sequence(person.take(40))}
    (match,) = near_duplicates(clips)
    assert (match.a, match.b) == ("a", "copy")
    assert match.offset_s == pytest.approx(7.0 - 15 * 0.2, abs=0.01)
    assert match.shared == 25
    assert match.shared_s == pytest.approx(4.8)
    assert match.distance == pytest.approx(64 * 0.08, abs=1.5)


def test_the_same_person_in_the_same_room_is_no_copy() -> None:
    rng = np.random.default_rng(1)
    people = [Person(rng) for _ in range(4)]
    clips = {f"{p}-{k}": sequence(person.take(40)) for p, person in enumerate(people) for k in range(12)}
    assert near_duplicates(clips) == []


def test_clips_of_one_video_are_not_compared() -> None:
    take = Person(np.random.default_rng(2)).take(40)
    clips = {"a": sequence(take), "b": sequence(take)}
    assert len(near_duplicates(clips)) == 1
    assert len(near_duplicates(clips, videos={"a": "x", "b": "y"})) == 1
    assert near_duplicates(clips, videos={"a": "x", "b": "x"}) == []


def test_copies_are_found_in_a_crowd_that_looks_alike() -> None:
    """Of 100 clips of one person most keys are shared by more clips than are compared pair by pair."""
    rng = np.random.default_rng(3)
    person = Person(rng)
    takes = [person.take(30) for _ in range(100)]
    clips = {f"clip{k:03}": sequence(take) for k, take in enumerate(takes)}
    clips |= {f"copy{k:03}": sequence(takes[k], 2.0, 0.05, k) for k in range(0, 100, 10)}
    found = {(match.a, match.b) for match in near_duplicates(clips)}
    copies = {(f"clip{k:03}", f"copy{k:03}") for k in range(0, 100, 10)}
    assert found >= copies
    assert len(found - copies) <= 5  # of 5,985 pairs


def test_many_clips_take_seconds() -> None:
    rng = np.random.default_rng(4)
    people = [Person(rng) for _ in range(100)]
    takes = [people[k % 100].take(20) for k in range(2000)]
    clips = {str(k): sequence(take) for k, take in enumerate(takes)}
    clips |= {f"copy{k}": sequence(takes[k], 0, 0.05, k) for k in range(0, 2000, 40)}
    began = time.process_time()
    found = {
        (match.a, match.b) for match in near_duplicates(clips, videos={str(k): f"v{k % 100}" for k in range(2000)})
    }
    assert time.process_time() - began < 10
    assert len(found & {(str(k), f"copy{k}") for k in range(0, 2000, 40)}) >= 49
    assert len(found) <= 51


def test_order_does_not_matter_and_short_clips_are_passed_over() -> None:
    take = Person(np.random.default_rng(5)).take(40)
    clips = {"b": sequence(take), "a": sequence(take, 1), "short": sequence(take[:9]), "none": []}
    assert near_duplicates(clips) == near_duplicates(dict(reversed(clips.items())))
    assert [(match.a, match.b) for match in near_duplicates(clips)] == [("a", "b")]
    assert near_duplicates({}) == []


def match(a: str, b: str) -> Match:
    return Match(a, b, 0.0, 20, 4.0, 3.0, 2.0)


def test_the_original_is_the_longest_then_the_largest_then_the_first() -> None:
    matches = [match("a", "b"), match("b", "c"), match("d", "e"), match("f", "g")]
    order = {"a": (5, 256), "b": (9, 256), "c": (4, 512), "d": (3, 256), "e": (3, 512), "f": (1, 1), "g": (1, 1)}
    assert duplicate_of(matches, order) == {"a": "b", "c": "b", "d": "e", "g": "f"}


def test_clips_that_share_nothing_stay_although_both_match_a_third() -> None:
    assert duplicate_of([match("a", "b"), match("b", "c")], {"a": (9,), "b": (5,), "c": (8,)}) == {"b": "a"}


@given(st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"))), st.permutations("abcdef"))
def test_an_original_is_never_a_duplicate(pairs: set[tuple[str, str]], order: list[str]) -> None:
    matches = [match(a, b) for a, b in sorted(pairs) if a < b]
    found = duplicate_of(matches, {name: (place,) for place, name in enumerate(order)})
    assert not set(found) & set(found.values())
    near = {frozenset((m.a, m.b)) for m in matches}
    assert all(frozenset(pair) in near for pair in found.items())
    assert all(m.a in found or m.b in found for m in matches)


def test_real_clips_are_found_smaller_cropped_and_encoded_again(
    clips: Path, real_networks: Path, tmp_path: Path
) -> None:
    from curate import video
    from curate.perception import load_detector

    detector = load_detector("yunet")

    def hashed(pictures: list[np.ndarray]) -> Sequence:
        small = [cv2.resize(picture, (360, 360), interpolation=cv2.INTER_AREA) for picture in pictures[::5]]
        found = detector.detect(np.stack(small))
        return [
            (0.2 * k, face_hash(picture, tuple(faces.boxes[0].tolist())))
            for k, (picture, faces) in enumerate(zip(small, found, strict=True))
            if len(faces)
        ]

    sequences = {}
    for name in ("retalking__5.mp4", "liveportrait__driving_d12.mp4"):
        frames = [frame.rgb(400) for frame in video.frames(clips / name) if frame.index < 125]
        height, width = frames[0].shape[:2]
        top, left = round(height * 0.05), round(width * 0.05)
        cropped = [frame[top : height - top, left : width - left] for frame in frames[5:]]
        again = tmp_path / "again.mp4"
        smaller = (cv2.resize(frame, (300, 300), interpolation=cv2.INTER_AREA) for frame in cropped)
        video.write_video(again, smaller, 25, crf=28)
        sequences[name] = hashed(frames)
        sequences[f"{name} again"] = hashed([frame.rgb() for frame in video.frames(again)])
    found = near_duplicates(sequences)
    assert [(match.a, match.b) for match in found] == [(a, f"{a} again") for a in sorted(sequences) if "again" not in a]
    assert [match.offset_s for match in found] == pytest.approx([-0.2] * 2, abs=0.11)
