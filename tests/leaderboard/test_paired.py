import numpy as np
import pytest

from leaderboard.aggregate import SEED
from leaderboard.paired import holm, paired, tie_groups


def by_loops(sums, counts, resamples):
    """The bootstrap of one column, person by person, with the same draws."""
    random = np.random.default_rng(SEED)
    n = len(sums)
    drawn = random.integers(n, size=(resamples, n))
    means = []
    for people in drawn:
        means.append(sum(sums[i] for i in people) / sum(counts[i] for i in people))
    below, above = sum(m <= 0 for m in means), sum(m >= 0 for m in means)
    return np.quantile(means, [0.025, 0.975]), min(1, 2 * (min(below, above) + 1) / (resamples + 1))


def test_it_is_the_bootstrap_over_persons():
    random = np.random.default_rng(1)
    counts = random.integers(1, 9, (7, 2)).astype(float)
    sums = random.normal(0.3, 1, (7, 2)) * counts
    for c, result in enumerate(paired(sums, counts, 500)):
        interval, p = by_loops(sums[:, c], counts[:, c], 500)
        assert (result.ci_low, result.ci_high) == pytest.approx(tuple(interval))
        assert result.p == pytest.approx(p)
        assert result.difference == pytest.approx(sums[:, c].sum() / counts[:, c].sum())
        each = sums[:, c] / counts[:, c]
        assert result.effect == pytest.approx(each.mean() / each.std(ddof=1))
        assert result.above == pytest.approx((each > 0).mean())


def test_a_column_hangs_on_its_own_persons_alone():
    random = np.random.default_rng(2)
    counts = random.integers(1, 9, (9, 3)).astype(float)
    counts[4:, 1] = 0
    sums = random.normal(size=(9, 3)) * counts
    together = paired(sums, counts, 300)
    assert [result.n_persons for result in together] == [9, 4, 9]
    for c in range(3):
        own = counts[:, c] > 0
        (alone,) = paired(sums[own, c : c + 1], counts[own, c : c + 1], 300)
        assert vars(alone) == pytest.approx(vars(together[c]))


def test_draws_in_parts_are_those_of_one_go(monkeypatch):
    random = np.random.default_rng(3)
    sums, counts = random.normal(size=(5, 1)), np.ones((5, 1))
    whole = paired(sums, counts, 200)
    monkeypatch.setattr("leaderboard.paired._DRAWS_AT_ONCE", 35)
    assert vars(paired(sums, counts, 200)[0]) == pytest.approx(vars(whole[0]))


def test_without_a_difference_five_in_a_hundred_seem_to_differ():
    random = np.random.default_rng(4)
    sums = random.normal(size=(40, 1000))
    found = paired(sums, np.ones_like(sums), 1000)
    assert 0.035 < np.mean([result.p < 0.05 for result in found]) < 0.08
    assert 0.035 < np.mean([not result.ci_low <= 0 <= result.ci_high for result in found]) < 0.08


def test_a_clear_difference_is_found_and_its_sign_kept():
    (result,) = paired(np.linspace(-2, -1, 12)[:, None], np.ones((12, 1)), 2000)
    assert result.ci_high < 0
    assert result.p == pytest.approx(2 / 2001)
    assert result.above == 0
    assert result.effect < -4


def test_one_person_has_no_interval_and_none_is_an_error():
    (result,) = paired(np.array([[3.0]]), np.array([[2.0]]))
    assert (result.difference, result.ci_low, result.p, result.n_persons) == (1.5, None, None, 1)
    (equal,) = paired(np.ones((3, 1)), np.ones((3, 1)), 100)
    assert equal.effect is None
    with pytest.raises(ValueError, match="no frame in common"):
        paired(np.zeros((2, 1)), np.zeros((2, 1)))


def test_holm_by_hand():
    assert holm([0.01, None, 0.04, 0.03, 0.005]) == pytest.approx([0.03, None, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_groups_of_ties():
    differ = {("a", "c"), ("a", "d"), ("c", "d")}
    assert tie_groups("abcd", lambda x, y: (x, y) in differ) == (("a", "b"), ("c",), ("d",))
    assert tie_groups("", lambda x, y: True) == ()
