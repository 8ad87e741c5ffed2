from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap

from leaderboard.aggregate import aggregate
from leaderboard.records import SAMPLES_SCHEMA

VALUES = st.floats(-1e6, 1e6, allow_nan=False)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["l1", "psnr", "csim"]),
        st.sampled_from(["ann", "ben", "cat", "dan"]),
        VALUES | st.sampled_from(["failed", "missing"]),
    ),
    max_size=40,
)


def row(metric="l1", person="ann", outcome=1.0, frame=0):
    ok = not isinstance(outcome, str)
    return {
        "pair_id": "p",
        "clip_id": "c",
        "person": person,
        "frame": frame,
        "metric": metric,
        "value": outcome if ok else None,
        "status": "ok" if ok else outcome,
        "error": None if ok else f"why {outcome}",
        "n": 1,
    }


def table(rows):
    return pa.Table.from_pylist([row(*r, i) if isinstance(r, tuple) else r for i, r in enumerate(rows)], SAMPLES_SCHEMA)


@given(ROWS)
@settings(max_examples=150, deadline=None)
def test_counts_and_means_equal_a_plain_reference(rows):
    scores = {score.metric: score for score in aggregate(table(rows))}
    assert set(scores) == {metric for metric, _, _ in rows}
    for metric, score in scores.items():
        mine = [(person, outcome) for name, person, outcome in rows if name == metric]
        values = [outcome for _, outcome in mine if not isinstance(outcome, str)]
        assert score.n_ok == len(values)
        assert score.n_failed == sum(outcome == "failed" for _, outcome in mine)
        assert score.n_missing == sum(outcome == "missing" for _, outcome in mine)
        assert score.n_attempted == score.n_ok + score.n_failed
        assert score.n_persons == len({person for person, outcome in mine if not isinstance(outcome, str)})
        assert (score.mean is None) == (not values)
        if values:
            exact = sum(map(Fraction, values)) / len(values)
            least = Fraction(1, 10**300)  # of subnormal numbers half may not exist
            slack = max(Fraction(max(map(abs, values))) * Fraction(1, 10**14), least)
            assert abs(Fraction(score.mean) - exact) <= slack
        assert (score.ci_low is None) == (score.n_persons < 2)
        assert (score.reason is None) == (score.ci_low is not None)
        if score.ci_low is not None:
            by_person = {}
            for person, outcome in mine:
                if not isinstance(outcome, str):
                    by_person.setdefault(person, []).append(outcome)
            means = [np.mean(of_person) for of_person in by_person.values()]
            slack = 1e-9 * max(1, *map(abs, values))
            assert min(means) - slack <= score.ci_low <= score.ci_high <= max(means) + slack


@given(ROWS, st.integers(0, 2**32), st.integers(0, 40))
@settings(max_examples=100, deadline=None)
def test_bit_equal_for_any_order_shards_encoding_and_frame_type(rows, seed, cut):
    whole = table(rows)
    shuffled = whole.take(pa.array(np.random.default_rng(seed).permutation(len(rows))))
    shards = pa.concat_tables([shuffled.slice(cut), shuffled.slice(0, cut)])
    encoded = pa.concat_tables(
        [
            shard.set_column(4, "metric", shard["metric"].dictionary_encode())
            for shard in (shuffled.slice(0, cut), shuffled.slice(cut))
        ]
    )
    expected = repr(aggregate(whole))
    assert repr(aggregate(shards)) == expected
    assert repr(aggregate(encoded)) == expected
    assert repr(aggregate(shuffled.to_pandas())) == expected


def test_sums_do_not_drift_with_magnitude():
    values = [1e16, 1.0, -1e16, 1.0] * 250
    (score,) = aggregate(table([("l1", "ann", value) for value in values]))
    assert score.mean == 0.5


def test_interval_agrees_with_scipys_bootstrap_of_whole_persons():
    random_ = np.random.default_rng(3)
    persons = [random_.normal(random_.normal(0, 1), 0.2, size=random_.integers(3, 30)) for _ in range(25)]
    (score,) = aggregate(table([("l1", f"{i:02}", float(v)) for i, values in enumerate(persons) for v in values]))
    sums, counts = [p.sum() for p in persons], [len(p) for p in persons]
    other = bootstrap(
        (sums, counts),
        lambda s, c, axis: s.sum(axis) / c.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=20000,
        method="percentile",
        rng=np.random.default_rng(5),
    ).confidence_interval
    width = other.high - other.low
    assert score.ci_low == pytest.approx(other.low, abs=0.05 * width)
    assert score.ci_high == pytest.approx(other.high, abs=0.05 * width)
    naive = 2 * 1.96 * np.std(np.concatenate(persons)) / np.sqrt(sum(counts))
    assert width > 2 * naive  # frames of one person are no independent evidence


def test_interval_depends_on_persons_values_not_on_their_spelling():
    first = aggregate(table([("l1", "a", 1.0), ("l1", "b", 2.0), ("l1", "c", 4.0)]))[0]
    second = aggregate(table([("l1", "x", 1.0), ("l1", "y", 2.0), ("l1", "z", 4.0)]))[0]
    assert first == second


def test_mean_is_pooled_over_frames_not_over_persons():
    (score,) = aggregate(table([("l1", "a", 1.0), ("l1", "b", 4.0), ("l1", "b", 4.0), ("l1", "b", 4.0)]))
    assert score.mean == 3.25


def test_reasons():
    rows = [("l1", "ann", 1.0), ("csim", "ann", "failed"), ("csim", "ben", "failed"), ("csim", "ben", "missing")]
    csim, l1, psnr = aggregate(table(rows), metrics=["psnr", "l1"])
    assert (csim.mean, csim.reason) == (None, "why failed (2); why missing (1)")
    assert (l1.mean, l1.ci_low, l1.reason, l1.failures) == (1.0, None, "one person only: no interval", None)
    assert (psnr.n_attempted, psnr.mean, psnr.reason) == (0, None, "no sample")


def test_many_reasons_are_cut_after_the_most_frequent():
    rows = [row(outcome="failed", frame=i) | {"error": f"r{min(i, 4)}"} for i in range(9)]
    assert aggregate(table(rows))[0].failures == "r4 (5); r0 (1); r1 (1); and 2 more reasons"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "skipped"}, "unknown status 'skipped'"),
        ({"value": None}, "1 samples break the rule"),
        ({"status": "failed"}, "1 samples break the rule"),
        ({"value": float("nan")}, "not finite"),
        ({"value": float("-inf")}, "not finite"),
        ({"value": 1e200}, "beyond"),
        ({"person": None}, "values of pairs and a value of all pairs"),
        ({"n": None}, "do not say how many frames"),
        ({"n": 0}, "less than one frame"),
        ({"metric": None}, "no metric"),
    ],
)
def test_rows_against_the_schemas_meaning_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        aggregate(table([row(frame=0), row(frame=1) | change]))


def of_set(outcome=2.5, n=10):
    return row("fd", None, outcome) | {"pair_id": None, "clip_id": None, "frame": None, "n": n}


def test_a_value_of_all_frames_together_is_the_score_and_has_no_interval():
    lost = [row("fd", person, "failed", frame) for person in ("ann", "ben") for frame in range(2)]
    (fd,) = aggregate(table([*lost, of_set()]))
    assert (fd.mean, fd.n_ok, fd.n_failed, fd.n_attempted) == (2.5, 10, 4, 14)
    assert (fd.ci_low, fd.n_persons, fd.reason) == (None, 0, "one value of all frames together: no interval")
    assert fd.failures == "why failed (4)"
    (fd,) = aggregate(table([of_set("failed", 1)]))
    assert (fd.mean, fd.n_failed, fd.reason) == (None, 1, "why failed (1)")
    with pytest.raises(ValueError, match="two values of all pairs together"):
        aggregate(table([of_set(), of_set()]))


def test_rows_count_as_many_frames_as_they_speak_of():
    rows = [
        row(person="ann", outcome=1.0) | {"n": 3},
        row(person="ben", outcome=5.0),
        row(outcome="missing") | {"n": 7},
    ]
    (score,) = aggregate(table(rows))
    assert (score.mean, score.n_ok, score.n_missing) == (2.0, 4, 7)
    assert score.failures == "why missing (7)"


def test_no_samples():
    assert aggregate(table([])) == []
