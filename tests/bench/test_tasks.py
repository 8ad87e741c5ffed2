"""Which pairs and which frames a task compares."""

import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import tasks
from bench.tasks.base import pair_list_sha256
from curate.dataset import Clip
from curate.errors import UserError


def clip(name: str, video: str, person: str | None) -> Clip:
    return Clip(name, Path(f"{name}.mp4"), "0" * 64, video, person, None, 100, 25.0, 256, 256)


CLIPS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=12).map(
    lambda rows: [clip(f"c{i:02}", f"v{video}", f"p{person}") for i, (video, person) in enumerate(rows)]
)


@given(CLIPS, st.integers(0, 5), st.randoms(use_true_random=False))
def test_pairs_do_not_depend_on_the_order_of_clips(clips, seed, shuffler: random.Random):
    shuffled = list(clips)
    shuffler.shuffle(shuffled)
    for task in tasks.available().values():
        try:
            expected = task.pairs(clips, seed)
        except UserError:
            with pytest.raises(UserError):
                task.pairs(shuffled, seed)
            continue
        assert task.pairs(shuffled, seed) == expected
        assert [pair.id for pair in expected] == [f"{p.source.clip_id}--{p.driving.clip_id}" for p in expected]


@given(CLIPS, st.integers(0, 5))
def test_cross_id_takes_another_person_in_another_video(clips, seed):
    possible = {a.clip_id for a in clips if any(a.person != b.person and a.video_id != b.video_id for b in clips)}
    if not possible:
        with pytest.raises(UserError, match="cross-id needs two persons in two videos"):
            tasks.get("cross-id").pairs(clips, seed)
        return
    pairs = tasks.get("cross-id").pairs(clips, seed)
    assert {pair.driving.clip_id for pair in pairs} == possible
    for pair in pairs:
        assert pair.source.person != pair.driving.person
        assert pair.source.video_id != pair.driving.video_id


def test_the_seed_changes_sources_and_the_hash():
    clips = [clip(f"c{i}", f"v{i}", f"p{i}") for i in range(10)]
    task = tasks.get("cross-id")
    first, again, other = task.pairs(clips, 0), task.pairs(clips, 0), task.pairs(clips, 1)
    assert pair_list_sha256(first) == pair_list_sha256(again) != pair_list_sha256(other)
    assert len({pair.source.clip_id for pair in first}) > 3
    assert pair_list_sha256(first[:5]) != pair_list_sha256(first)


def test_adding_a_clip_changes_few_pairs():
    clips = [clip(f"c{i:02}", f"v{i}", f"p{i}") for i in range(40)]
    task = tasks.get("cross-id")
    before, after = task.pairs(clips[:-1], 0), task.pairs(clips, 0)
    changed = sum(a != b for a, b in zip(before, after[:-1], strict=True))
    assert changed <= 5  # one in 39 is expected


def test_same_id_pairs_each_clip_with_itself():
    clips = [clip("b", "v", "p"), clip("a", "v", "p")]
    assert [pair.id for pair in tasks.get("same-id").pairs(clips, 0)] == ["a--a", "b--b"]


def test_unknown_persons_are_told_apart_by_video():
    clips = [clip("a", "v1", None), clip("b", "v1", None), clip("c", "v2", None)]
    pairs = {pair.driving.clip_id: pair.source.clip_id for pair in tasks.get("cross-id").pairs(clips, 0)}
    assert pairs["a"] == pairs["b"] == "c"
    assert pairs["c"] in "ab"


@given(st.integers(1, 5000))
def test_frames_are_distinct_evenly_spaced_and_include_the_ends(n_frames):
    indices = tasks.get("same-id").frame_indices(n_frames)
    assert len(indices) == len(set(indices)) == min(n_frames, 64)
    assert indices[0] == 0
    assert indices[-1] == n_frames - 1
    steps = {b - a for a, b in pairwise(indices)}
    assert not steps or max(steps) - min(steps) <= 1


def test_protocols_are_named_with_their_version():
    assert {task.protocol for task in tasks.available().values()} >= {"same-id@1", "cross-id@1"}


def test_unknown_task_suggests():
    with pytest.raises(UserError, match="unknown task 'crossid': did you mean cross-id"):
        tasks.get("crossid")
