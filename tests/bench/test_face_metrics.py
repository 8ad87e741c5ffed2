"""Metrics of pose, expression, perception and sets of features against formulas of their own and other packages."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_fid.fid_score import calculate_frechet_distance
from scipy.linalg import sqrtm

from bench import metrics
from bench.features import Features
from bench.metrics.fd import of_sets
from bench.metrics.spread import Spread
from bench.scoring import Look, SetScore

ANGLES = st.floats(-720, 720)


@given(st.lists(st.tuples(ANGLES, ANGLES), min_size=3, max_size=3))
def test_prmse_takes_every_angle_the_short_way_round(pairs):
    def short(a: float, b: float) -> float:
        return math.degrees(math.acos(min(1, max(-1, math.cos(math.radians(a - b))))))

    expected = math.sqrt(sum(short(a, b) ** 2 for a, b in pairs) / 3)
    pred, target = torch.tensor(pairs, dtype=torch.float64).T[:, None]
    assert float(metrics.prmse(pred, target)) == pytest.approx(expected, abs=1e-4)


def test_prmse_by_hand():
    pred, target = (
        torch.tensor([[3.0, 4.0, 0.0], [179.0, 0.0, 0.0]]),
        torch.tensor([[0.0, 0.0, 0.0], [-179.0, 0.0, 0.0]]),
    )
    np.testing.assert_allclose(metrics.prmse(pred, target), [5 / math.sqrt(3), 2 / math.sqrt(3)], rtol=1e-6)
    with pytest.raises(ValueError, match=r"`pred` must have the shape \[B, 3\]"):
        metrics.prmse(pred[:, :2], target[:, :2])


@given(st.integers(1, 4), st.integers(1, 30), st.integers(0, 10**6))
def test_aucon_is_the_share_of_units_that_agree(batch, units, seed):
    pred, target = np.random.default_rng(seed).uniform(0, 1, (2, batch, units)).astype(np.float32)
    expected = [
        sum((p > 0.3 and t > 0.3) or not (p > 0.3 or t > 0.3) for p, t in zip(a, b, strict=True)) / units
        for a, b in zip(pred, target, strict=True)
    ]
    np.testing.assert_allclose(metrics.aucon(torch.from_numpy(pred), torch.from_numpy(target)), expected, rtol=1e-6)


@given(st.integers(1, 4), st.integers(1, 300), st.integers(0, 10**6))
def test_lp_is_the_sum_of_squared_differences(batch, values, seed):
    pred, target = np.random.default_rng(seed).normal(size=(2, batch, values)).astype(np.float32)
    expected = ((pred.astype(float) - target) ** 2).sum(axis=1)
    np.testing.assert_allclose(metrics.lp(torch.from_numpy(pred), torch.from_numpy(target)), expected, rtol=1e-5)


def two_sets(seed: int, n: int, m: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of two sets: other means, other correlations, a mean far from 0 as rectified features have."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(2, width, width)) / np.sqrt(width)
    return rng.normal(size=(n, width)) @ mix[0] + 5, rng.normal(size=(m, width)) @ mix[1] + 5.3


def by_sqrtm(first: np.ndarray, second: np.ndarray) -> float:
    """Equation 6 of Heusel et al. 2017, as written."""
    c1, c2 = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (first, second))
    apart = np.sum((first.mean(axis=0) - second.mean(axis=0)) ** 2)
    return float(apart + np.trace(c1) + np.trace(c2) - 2 * np.trace(sqrtm(c1 @ c2)).real)


@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(0, 60))
@settings(max_examples=25, deadline=None)
def test_fd_is_the_formula_with_scipys_square_root(seed, width, more):
    first, second = two_sets(seed, 2 * width + 5, 2 * width + 5 + more, width)
    value = float(metrics.fd(torch.from_numpy(first), torch.from_numpy(second)))
    assert value == pytest.approx(by_sqrtm(first, second), rel=1e-6, abs=1e-9)


@pytest.mark.filterwarnings("ignore:The `disp` argument")
@pytest.mark.parametrize(("n", "width"), [(300, 16), (400, 96), (60, 96)])
def test_fd_is_what_pytorch_fid_computes(n, width):
    first, second = two_sets(n, n, n + 7, width)
    moments = [part for rows in (first, second) for part in (rows.mean(axis=0), np.cov(rows, rowvar=False))]
    expected = calculate_frechet_distance(*moments)
    value = float(metrics.fd(torch.from_numpy(first), torch.from_numpy(second)))
    # below full rank its square root is of nearly singular matrices, and is the less exact of the two
    assert value == pytest.approx(expected, rel=1e-9 if n > width else 1e-4)


def test_fd_of_known_gaussians():
    rows = np.array([[-1.0, 0], [1, 0], [0, -2], [0, 2]])
    moved = rows * [3, 1] + [10, 0]  # along the axes: the squared difference of the deviations, and of the means
    deviation = np.sqrt(2 / 3)
    assert float(metrics.fd(torch.from_numpy(moved), torch.from_numpy(rows))) == pytest.approx(
        100 + (2 * deviation) ** 2
    )
    assert float(metrics.fd(torch.from_numpy(rows), torch.from_numpy(rows))) == pytest.approx(0, abs=1e-12)


@given(
    st.integers(0, 10**6),
    st.integers(1, 9),
    st.lists(st.integers(0, 12), min_size=1, max_size=12).filter(lambda sizes: sum(sizes) > 1),
)
@settings(max_examples=60, deadline=None)
def test_fd_does_not_depend_on_how_the_frames_come(seed, width, sizes):
    first, second = two_sets(seed, sum(sizes), sum(sizes), width)
    order = np.random.default_rng(seed).permutation(len(first))
    at_once, in_parts = (Spread(), Spread()), (Spread(), Spread())
    for spread, rows in zip(at_once, (first, second), strict=True):
        spread.add(rows)
    for spread, rows in zip(in_parts, (first[order], second[order]), strict=True):
        for part in np.split(rows, np.cumsum(sizes)[:-1]):
            spread.add(part)
    assert of_sets(*in_parts) == pytest.approx(of_sets(*at_once), rel=1e-8, abs=1e-11)


@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(1, 8), st.floats(0, 1e6))
@settings(max_examples=40, deadline=None)
def test_spread_is_numpys_mean_and_covariance_at_any_distance_from_0(seed, n, width, offset):
    rows = np.random.default_rng(seed).normal(size=(n, width)) + offset
    spread = Spread()
    for row in rows:
        spread.add(row[None])
    np.testing.assert_allclose(spread.mean, rows.mean(axis=0), rtol=1e-9, atol=1e-9)
    covariance = np.cov(rows, rowvar=False).reshape(width, width)
    np.testing.assert_allclose(spread.factor.T @ spread.factor, covariance, atol=1e-9 + 1e-9 * offset)
    assert len(spread.factor) <= width


def test_spread_refuses_what_it_cannot_hold():
    spread = Spread()
    with pytest.raises(ValueError, match="at least 1 vectors, but has 0"):
        _ = spread.mean
    spread.add(np.ones((1, 3)))
    with pytest.raises(ValueError, match="at least 2 vectors, but has 1"):
        _ = spread.factor
    with pytest.raises(ValueError, match="3 values as before, but have 2"):
        spread.add(np.ones((1, 2)))
    with pytest.raises(ValueError, match="finite"):
        spread.add(np.full((1, 3), np.nan))
    with pytest.raises(ValueError, match=r"\[N, D\] and \[M, D\], got \[2, 3\] and \[2, 4\]"):
        metrics.fd(torch.zeros(2, 3), torch.zeros(2, 4))


def look(vectors: np.ndarray) -> Look:
    return Look(np.zeros((len(vectors), 8, 8, 3), np.uint8), {"frechet": vectors.astype(np.float32)})


def test_frames_that_one_side_does_not_show_belong_to_no_set():
    rows = np.random.default_rng(0).normal(size=(2, 6, 3))
    rows[0, 1] = rows[1, 4] = np.nan
    gathered = SetScore(metrics.get("fd"))
    lost = gathered.add(look(rows[0]), look(rows[1]))
    assert {i: outcome[1] for i, outcome in lost.items()} == {1: "failed", 4: "missing"}
    (value, status, _), count = gathered.outcome()
    kept = torch.from_numpy(rows[:, [0, 2, 3, 5]].astype(np.float32))
    assert (status, count) == ("ok", 4)
    assert value == pytest.approx(float(metrics.fd(*kept)))


def test_one_frame_is_no_set():
    gathered = SetScore(metrics.get("fd"))
    gathered.add(look(np.ones((1, 3))), look(np.ones((1, 3))))
    assert gathered.outcome() == ((None, "failed", "a set needs two frames at least"), 1)


def test_windows_are_looked_at_as_frames_follow_each_other():
    class Suite:
        asked = 0

        def observe(self, frames):
            Suite.asked += 1
            return SimpleNamespace(video=frames.mean(axis=(1, 2, 3), dtype=np.float32).cumsum()[:, None])

    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)[[0, 1, 1, 0, 4]]  # some are shown again
    features = Features(Suite())
    for _ in range(2):
        seen = features.of(frames, ["video"])["video"]
        np.testing.assert_allclose(seen[:, 0], frames.mean(axis=(1, 2, 3)).cumsum(), rtol=1e-5)
    assert Suite.asked == 1
    features.of(frames[::-1], ["video"])
    assert Suite.asked == 2


def test_features_that_are_asked_for_again_are_kept_longest(monkeypatch):
    seen = []

    class Suite:
        def observe(self, frames):
            seen.extend(int(frame[0, 0, 0]) for frame in frames)
            return SimpleNamespace(frechet=frames.reshape(len(frames), -1).astype(np.float32))

    monkeypatch.setattr("bench.features.KEPT", 2 * 4 * 12)  # bytes of two frames of 12 numbers
    features = Features(Suite())
    for number in (1, 2, 1, 3, 1, 2):
        features.of(np.full((1, 2, 2, 3), number, np.uint8), ["frechet"])
    assert seen == [1, 2, 3, 2]
