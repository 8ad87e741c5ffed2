"""Splits: nobody in two, nobody moved by others, shares that hold."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import UserError
from curate.splits import assign

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
names = st.text(min_size=1, max_size=6)
identities = st.dictionaries(names, st.sampled_from("abcdefghij"), max_size=20)


@given(identities, st.integers(0, 9))
def test_nobody_is_in_two_splits(who: dict[str, str], seed: int) -> None:
    splits = assign(who, SHARES, seed)
    assert splits.keys() == who.keys()
    places = defaultdict(set)
    for clip, person in who.items():
        places[person].add(splits[clip])
    assert all(len(found) == 1 for found in places.values())


@given(identities, identities, st.integers(0, 9))
def test_others_move_nobody_and_order_does_not_matter(who: dict[str, str], others: dict[str, str], seed: int) -> None:
    before = assign(who, SHARES, seed)
    after = assign(dict(reversed(({**others, **who}).items())), SHARES, seed)
    assert {clip: after[clip] for clip in who} == before


@given(identities, st.lists(st.tuples(names, names), max_size=8), st.integers(0, 9))
def test_pairs_stay_together(who: dict[str, str], pairs: list[tuple[str, str]], seed: int) -> None:
    clips = sorted(who)
    pairs += list(zip(clips[::3], clips[1::3], strict=False))
    splits = assign(who, SHARES, seed, together=pairs)
    assert splits == assign(who, SHARES, seed, together=[(b, a) for a, b in reversed(pairs)])
    assert all(splits[a] == splits[b] for a, b in pairs if a in who and b in who)
    places = defaultdict(set)
    for clip, person in who.items():
        places[person].add(splits[clip])
    assert all(len(found) == 1 for found in places.values())


def test_a_pair_moves_only_its_own_persons() -> None:
    who = {f"clip{n}": f"person{n:03}" for n in range(300)}
    before = assign(who, SHARES, 0)
    after = assign(who, SHARES, 0, together=[("clip7", "clip250")])
    assert {clip for clip in who if before[clip] != after[clip]} <= {"clip250"}


def test_shares_hold_and_the_seed_decides() -> None:
    who = {str(n): str(n) for n in range(4000)}
    counts = Counter(assign(who, {"train": 8, "val": 1, "test": 1}, 1).values())
    assert counts["train"] == pytest.approx(3200, abs=100)
    assert counts["val"] == pytest.approx(400, abs=80)
    assert assign(who, SHARES, 1) != assign(who, SHARES, 2)
    assert set(assign(who, {"train": 0, "test": 1}, 1).values()) == {"test"}


def test_a_known_draw_stays_as_it_is() -> None:
    """Datasets that exist depend on it."""
    drawn = assign({name: name for name in "abcdefghij"}, SHARES, 0)
    assert "".join(drawn[name][:2] for name in "abcdefghij") == "trvatrtrvatrtrtrtrtr"


@pytest.mark.parametrize("shares", [{}, {"train": 0.0}, {"train": -1.0, "test": 2.0}, {"train": float("nan")}])
def test_shares_that_say_nothing(shares: dict[str, float]) -> None:
    with pytest.raises(UserError, match="share"):
        assign({"a": "b"}, shares, 0)
