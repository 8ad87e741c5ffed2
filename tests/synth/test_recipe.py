"""Recipes: their checks, their splits, and that a clip's id says all that decides its bytes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import UserError
from curate.synth.recipe import Recipe


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": 0}, "identities must be at least 1"),
        ({"train": -1, "test": 4}, "train must be at least 0, but is -1"),
        ({"train": 100_000}, "identities must be fewer than 100000"),
        ({"clips_per_identity": 0}, "clips per identity must be at least 1, but is 0"),
        ({"seconds": 0.0}, "seconds must be positive, but is 0"),
        ({"seconds": float("nan")}, "seconds must be positive, but is nan"),
        ({"seconds": float("inf")}, "seconds must be positive, but is inf"),
        ({"seconds": 0.05}, "seconds 0.05 at 25 fps is less than two frames"),
        ({"seconds": 1e5}, "seconds must be at most 3600"),
        ({"fps": 0.0}, r"fps must be in \[1, 240\], but is 0"),
        ({"size": 32}, r"size must be in \[64, 2048\], but is 32"),
        ({"size": 257}, "size must be even, for H.264, but is 257"),
        ({"seed": -1}, "seed must be in"),
        ({"noise": 2.0}, r"noise must be in \[0, 1\], but is 2"),
        ({"crf": 60}, r"crf must be in \[0, 51\], but is 60"),
    ],
)
def test_values_that_make_no_dataset_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        Recipe(**{"train": 2, **change})
    assert "\n" not in str(caught.value)


@given(st.integers(1, 60), st.integers(1, 3))
def test_splits_are_by_identity(identities: int, clips: int) -> None:
    recipe = Recipe.of(identities, clips_per_identity=clips)
    assert recipe.identities == identities
    made = recipe.clips()
    assert len(made) == identities * clips == len({clip.clip_id for clip in made})
    splits = {clip.identity: clip.split for clip in made}
    assert all(splits[clip.identity] == clip.split for clip in made)
    assert list(splits.values()).count("test") == recipe.test
    assert list(splits.values()).count("val") == recipe.val
    assert recipe.train >= 1
    assert (recipe.test >= 1) == (identities >= 3)
    assert (recipe.test >= 2) == (identities >= 4)


def test_more_people_to_train_with_leave_the_others_as_they_are() -> None:
    small, large = Recipe(train=3, val=1, test=2), Recipe(train=9, val=1, test=2)
    kept = {clip.clip_id: clip.split for clip in small.clips()}
    assert kept.items() <= {clip.clip_id: clip.split for clip in large.clips()}.items()


def test_the_id_changes_with_all_that_decides_the_bytes() -> None:
    clip = Recipe(train=1).clips()[0]
    changes = ({"size": 128}, {"fps": 30.0}, {"seed": 5}, {"noise": 0.5}, {"crf": 20}, {"n_frames": 7}, {"identity": 2})
    ids = {replace(clip, **change).clip_id for change in changes}
    assert len(ids | {clip.clip_id}) == len(changes) + 1
    assert replace(clip, split="test").clip_id == clip.clip_id


def test_a_recipes_fingerprint_changes_with_every_value() -> None:
    recipe = Recipe(train=4)
    others = [replace(recipe, **{name: getattr(recipe, name) + 2}) for name in ("train", "val", "size", "seed", "crf")]
    assert len({recipe.fingerprint, *(other.fingerprint for other in others)}) == 6
    assert recipe.fingerprint == Recipe(train=4).fingerprint


def test_what_is_drawn_for_a_clip_is_its_own() -> None:
    """No stream of random numbers serves twice: person, motion, scene and camera of all clips are apart."""
    clips = Recipe(train=2, clips_per_identity=2, seconds=1.0).clips()
    drawn = [clip.draw() for clip in clips]
    assert np.array_equal(drawn[0][0].coefficients, drawn[1][0].coefficients)
    assert not np.array_equal(drawn[0][0].coefficients, drawn[2][0].coefficients)
    assert len({motion.angles.tobytes() for _, motion, _ in drawn}) == 4
    assert len({scene.background for _, _, scene in drawn}) == 4
    assert len({clip.noise_seed for clip in clips}) == 4
    first = np.random.default_rng((0, 0, 0)).random()
    streams = [
        np.random.default_rng((clip.seed, clip.identity, clip.number, tag)) for clip in clips for tag in (11, 12, 13)
    ]
    assert first not in [stream.random() for stream in streams]
    again = clips[3].draw()
    assert np.array_equal(again[1].expression, drawn[3][1].expression)
    assert again[2] == drawn[3][2]
