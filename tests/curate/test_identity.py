"""Clusters of identities and changes of person: constraints, order, ids, made and real embeddings."""

import csv
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.identity import clusters, switches
from curate.perception import load_detector, load_identifier

NAMES = "abcdefgh"
pairs = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=6)
vectors = st.lists(st.tuples(*[st.integers(-3, 3)] * 3), min_size=len(NAMES), max_size=len(NAMES))


def embeddings(rows: list[tuple[int, ...]]) -> dict[str, np.ndarray]:
    return {name: np.array(row, np.float32) for name, row in zip(NAMES, rows, strict=True)}


def person(rng: np.random.Generator, count: int, spread: float = 0.5) -> np.ndarray:
    """Embeddings [count, 64] of a made person."""
    centre = rng.normal(size=64)
    made = centre / np.linalg.norm(centre) + spread * rng.normal(size=(count, 64)) / 8
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True))


def groups(found: dict[str, str]) -> set[frozenset[str]]:
    return {frozenset(name for name in found if found[name] == identity) for identity in found.values()}


@settings(deadline=None)
@given(vectors, pairs, pairs, st.permutations(NAMES))
def test_the_order_of_things_does_not_matter(
    rows: list[tuple[int, ...]], together: list[tuple[str, str]], apart: list[tuple[str, str]], order: list[str]
) -> None:
    given_ = embeddings(rows)
    one = clusters(given_, threshold=0.6, together=together, apart=apart)
    turned = [(b, a) for a, b in reversed(together)]
    other = clusters({name: given_[name] for name in order}, threshold=0.6, together=turned, apart=apart[::-1])
    assert one == other


@settings(deadline=None)
@given(vectors, pairs, pairs)
def test_what_is_apart_stays_apart_and_what_is_together_is_if_it_can_be(
    rows: list[tuple[int, ...]], together: list[tuple[str, str]], apart: list[tuple[str, str]]
) -> None:
    found = clusters(embeddings(rows), threshold=0.6, together=together, apart=apart)
    assert set(found) == set(NAMES)
    assert all(found[a] != found[b] for a, b in apart if a != b)
    if not apart:
        assert all(found[a] == found[b] for a, b in together)


@settings(deadline=None)
@given(vectors)
def test_it_is_average_linkage(rows: list[tuple[int, ...]]) -> None:
    """No two groups that are left are alike enough on average; every group's best cut in two would be."""
    given_ = embeddings(rows)
    unit = {name: row / max(1e-12, float(np.linalg.norm(row))) for name, row in given_.items()}
    found = groups(clusters(given_, threshold=0.6))
    for one, other in combinations(found, 2):
        assert np.mean([unit[a] @ unit[b] for a in one for b in other]) < 0.6 + 1e-4
    for group in (group for group in found if len(group) > 1):
        parts = [set(part) for size in range(1, len(group)) for part in combinations(sorted(group), size)]
        best = max(np.mean([unit[a] @ unit[b] for a in part for b in group - part]) for part in parts)
        assert best >= 0.6 - 1e-4


def test_made_people_are_told_apart_and_keep_their_ids_when_others_come() -> None:
    rng = np.random.default_rng(0)
    people = {f"p{p}-{k}": row for p in range(30) for k, row in enumerate(person(rng, 8))}
    found = clusters(people, threshold=0.5)
    assert groups(found) == {frozenset(f"p{p}-{k}" for k in range(8)) for p in range(30)}
    more = clusters(people | {f"q{k}": row for k, row in enumerate(person(rng, 8))}, threshold=0.5)
    assert {name: more[name] for name in people} == found
    assert len(set(found.values())) == 30
    assert all(len(identity) == 13 for identity in found.values())


def test_two_seen_at_once_are_two_even_if_they_look_the_same() -> None:
    rng = np.random.default_rng(1)
    twin = person(rng, 4, 0.1)
    given_ = dict(zip(("a1", "a2", "b1", "b2"), twin, strict=True))
    found = clusters(given_, threshold=0.5, apart=[("a1", "b1"), ("a2", "b2")])
    assert found["a1"] != found["b1"]
    assert found["a2"] != found["b2"]
    assert len(set(found.values())) == 2


def test_edges() -> None:
    nothing = np.full(3, np.nan, np.float32)
    assert clusters({}, threshold=0.5) == {}
    found = clusters({"a": nothing, "b": nothing, "c": np.zeros(3, np.float32)}, threshold=0.1)
    assert len(set(found.values())) == 3
    assert (
        len(set(clusters({"a": nothing, "b": nothing}, threshold=0.1, together=[("a", "b"), ("a", "x")]).values())) == 1
    )
    with pytest.raises(ValueError, match="threshold"):
        clusters({"a": nothing}, threshold=0)


def test_a_change_of_person_is_found_where_it_is() -> None:
    rng = np.random.default_rng(2)
    first, second = person(rng, 30), person(rng, 20)
    assert switches(np.concatenate([first, second])) == [30]
    assert switches(np.concatenate([first, second, first])) == [30, 50]
    assert switches(first) == []
    assert switches(first[:4]) == []
    assert switches(np.concatenate([first, second[:3], first])) == []  # soon back: a bad frame, a hand
    gap = np.full((4, 64), np.nan)
    assert switches(np.concatenate([first, gap, second])) == [34]
    assert switches(gap) == []


@pytest.mark.parametrize("at", [5, 9, 15, 41])
def test_a_change_near_an_end_is_found(at: int) -> None:
    rng = np.random.default_rng(at)
    assert switches(np.concatenate([person(rng, at), person(rng, 46 - at)])) == [at]


def test_real_people_are_told_apart(clips: Path, real_networks: Path) -> None:
    pytest.importorskip("openvino")
    from curate import video

    detector, identifier = load_detector("yunet"), load_identifier("face-reidentification-retail-0095")
    chosen = (
        "retalking__3.mp4", "talkvid__AOC_gt.mp4", "intel__no.mkv", "intel__brother.mkv", "retalking__2.mp4",
        "retalking__5.mp4", "pcavs__pose_517600055.mp4", "pcavs__input_00002.mp4", "pyfeat__single_face.mp4",
    )  # fmt: skip
    with (clips / "clips.csv").open() as lines:
        people = {row["file"]: row["person"] for row in csv.DictReader(lines) if row["file"] in chosen}
    found = {}
    for name in chosen:
        frames = np.stack([frame.rgb(360) for frame in video.frames(clips / name) if frame.index % 20 == 0])[:5]
        faces = detector.detect(frames)
        seen = [k for k, face in enumerate(faces) if len(face)]
        found[name] = identifier.embed(frames[seen], [faces[k] for k in seen]).mean(axis=0)
    identities = clusters(found, threshold=0.5)
    for a, b in combinations(chosen, 2):
        assert (identities[a] == identities[b]) == (people[a] == people[b]), (a, b)
