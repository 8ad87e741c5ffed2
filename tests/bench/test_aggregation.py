"""Scores depend on the frames alone: not on shards, order, how many frames are scored at once, or a run in two goes."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bench
from bench import metrics, scoring
from bench.scoring import Look, SetScore
from leaderboard.aggregate import aggregate
from leaderboard.records import SAMPLES_SCHEMA

from .conftest import FRAMES, write_dataset

PAIRS = 4


def looks(seed: int, count: int) -> tuple[Look, Look]:
    """Frames and features of `count` frames on two sides; in some there is no face."""
    random = np.random.default_rng(seed)
    sides = []
    for _ in range(2):
        features = {
            "landmarks": random.uniform(0, 255, (count, 68, 2)).astype(np.float32),
            "identity": random.normal(size=(count, 8)).astype(np.float32),
            "frechet": random.normal(size=(count, 6)).astype(np.float32),
        }
        features["landmarks"][random.random(count) < 0.15] = np.nan
        frames = random.integers(0, 256, (count, 16, 16, 3)).astype(np.uint8)
        sides.append(Look(frames, features))
    return sides[0], sides[1]


def samples(pred: Look, target: Look, cuts: list[int], at_once: int, order: list[int]) -> pa.Table:
    """Samples of a pass that takes the frames in the parts between `cuts`, the parts in some order."""
    count = len(pred.frames)
    bounds = sorted({0, count, *(cut % count for cut in cuts)})
    parts = list(pairwise(bounds))
    parts = [parts[i] for i in sorted(range(len(parts)), key=lambda i: order[i % len(order)])]
    rows = []
    fd = SetScore(metrics.get("fd"))
    before, scoring.AT_ONCE = scoring.AT_ONCE, at_once
    try:
        for start, end in parts:
            sides = [look.taken(np.arange(start, end)) for look in (pred, target)]
            fd.add(*sides)
            for name in ("l1", "psnr", "ssim", "akd", "csim"):
                for i, (value, status, error) in enumerate(scoring.score(metrics.get(name), *sides)):
                    where = (f"p{(start + i) % PAIRS}", "c", f"person{(start + i) % PAIRS}", start + i)
                    rows.append((*where, name, value, status, error, 1))
    finally:
        scoring.AT_ONCE = before
    (value, status, error), n = fd.outcome()
    rows.append((None, None, None, None, "fd", value, status, error, n))
    return pa.Table.from_pylist([dict(zip(SAMPLES_SCHEMA.names, row, strict=True)) for row in rows], SAMPLES_SCHEMA)


@given(
    seed=st.integers(0, 999),
    count=st.integers(3, 20),
    cuts=st.lists(st.integers(0, 99), max_size=4),
    at_once=st.integers(1, 16),
    order=st.lists(st.integers(0, 99), min_size=1, max_size=5),
)
@settings(max_examples=25, deadline=None)
def test_scores_depend_on_no_part_order_or_batch(seed, count, cuts, at_once, order):
    pred, target = looks(seed, count)
    penalties = {"l1": 1.0, "akd": 256.0}
    whole = aggregate(samples(pred, target, [], 16, [0]), (), penalties, "penalise")
    parts = aggregate(samples(pred, target, cuts, at_once, order), (), penalties, "penalise")
    assert [score.metric for score in whole] == [score.metric for score in parts]
    for a, b in zip(whole, parts, strict=True):
        counts = ("n_attempted", "n_ok", "n_failed", "n_missing", "n_persons", "failures")
        assert [getattr(a, name) for name in counts] == [getattr(b, name) for name in counts]
        for name in ("mean", "ci_low", "ci_high", "dropped", "penalised"):
            one, other = getattr(a, name), getattr(b, name)
            assert (one is None) == (other is None), (a.metric, name)
            if one is not None:
                assert one == pytest.approx(other, rel=1e-5, abs=1e-6), (a.metric, name)


def test_a_run_in_two_goes_gives_the_samples_of_one(suite, outside, tmp_path):
    """The first pairs of one run and the others of another, in either order, give the scores of one whole run, to the
    last bit: no pair's samples depend on the pairs beside it."""
    people = [0, 1, 2]
    whole = bench.run("same-id", "shifter", write_dataset(tmp_path / "data", people), out=tmp_path / "whole")[0]
    table = pd.read_parquet(whole / "samples.parquet").dropna(subset=["pair_id"])
    first = bench.run("same-id", "shifter", tmp_path / "data", limit=2, out=tmp_path / "first")[0]
    begun = pd.read_parquet(first / "samples.parquet").dropna(subset=["pair_id"])
    rest = table[~table.pair_id.isin(begun.pair_id)]
    assert set(begun.pair_id) | set(rest.pair_id) == set(table.pair_id)
    for parts in ([begun, rest], [rest, begun]):
        joined = pa.Table.from_pandas(pd.concat(parts), SAMPLES_SCHEMA, preserve_index=False)
        ours = aggregate(joined)
        assert ours == aggregate(pa.Table.from_pandas(table, SAMPLES_SCHEMA, preserve_index=False))
    assert {score.n_attempted for score in ours} == {len(people) * FRAMES}
