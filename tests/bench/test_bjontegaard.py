"""Rates at equal quality: against an independent piecewise cubic and its integral, and the laws it must obey."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.interpolate import PchipInterpolator

from bench.bjontegaard import Curve, NoComparison, efficient, log_rate_difference, percent
from bench.metrics import bd_rate, rate_ratio


@st.composite
def points(draw, least: int = 3):
    """Rates and distortions [N] of a coder: the more bytes, the less distortion."""
    count = draw(st.integers(least, 7))
    step = st.floats(0.05, 1.0)
    logs = np.cumsum([draw(step) for _ in range(count)])
    distortions = 0.2 + 0.1 * np.cumsum([draw(step) for _ in range(count)])[::-1]
    return 10 ** (1 + logs / 2), distortions


def difference(one, other) -> float | None:
    try:
        return log_rate_difference(Curve.through(*one), Curve.through(*other))
    except NoComparison:
        return None


@settings(max_examples=60, deadline=None)
@given(points(), points())
def test_equal_to_scipys_piecewise_cubic_and_numeric_integration(one, other):
    found = difference(one, other)
    curves = [PchipInterpolator(d[::-1], np.log10(r[::-1])) for r, d in (one, other)]
    low, high = max(one[1].min(), other[1].min()), min(one[1].max(), other[1].max())
    if low >= high:
        assert found is None
        return
    knots = [x for x in np.concatenate((one[1], other[1])) if low < x < high]
    sides = [quad(curve, low, high, points=knots or None, limit=200)[0] / (high - low) for curve in curves]
    assert found == pytest.approx(sides[0] - sides[1], abs=1e-7)


@settings(max_examples=60, deadline=None)
@given(points(), points(), st.floats(0.01, 100), st.floats(0.01, 100))
def test_laws(one, other, factor, scale):
    found = difference(one, other)
    if found is None:
        assert difference(other, one) is None
        return
    assert difference(other, one) == pytest.approx(-found, abs=1e-9)  # antisymmetric in log rate
    assert difference((factor * one[0], one[1]), (factor * other[0], other[1])) == pytest.approx(found, abs=1e-8)
    assert difference((factor * one[0], one[1]), other) == pytest.approx(found + np.log10(factor), abs=1e-8)
    assert difference((one[0], scale * one[1]), (other[0], scale * other[1])) == pytest.approx(found, abs=1e-7)
    assert difference(one, one) == 0


@settings(max_examples=40, deadline=None)
@given(points(), st.randoms(use_true_random=False))
def test_order_and_beaten_settings_change_nothing(one, shuffler):
    rates, distortions = one
    worse = rates[0] * 1.5, distortions[0] + 0.01  # more bytes and more distortion than the first
    order = list(range(len(rates) + 1))
    shuffler.shuffle(order)
    more = (np.append(rates, worse[0])[order], np.append(distortions, worse[1])[order])
    assert difference(more, one) == 0
    assert len(efficient(*more)) == len(rates)


def test_known_values():
    anchor = torch.tensor([[100.0, 0.3], [200.0, 0.2], [400.0, 0.1], [800.0, 0.05]])
    half = anchor * torch.tensor([0.5, 1.0])
    assert float(bd_rate(half, anchor)) == pytest.approx(-50)
    assert float(bd_rate(anchor, half)) == pytest.approx(100)
    assert rate_ratio(torch.tensor([[50.0, 0.2], [400.0, 0.1]]), anchor).tolist() == pytest.approx([4, 1])
    assert percent(1) == pytest.approx(900)


def test_curves_without_a_common_quality_are_not_compared():
    low, high = (torch.tensor([[100.0, a + 0.2], [200.0, a + 0.1], [400.0, a]]) for a in (0.1, 0.5))
    with pytest.raises(NoComparison, match=r"do not overlap: 0.1 to 0.3 and 0.5 to 0.7"):
        bd_rate(low, high)
    with pytest.raises(NoComparison, match=r"reaches from 0.5 to 0.7, and this is 0.1"):
        rate_ratio(low[2:], high)
    with pytest.raises(NoComparison, match="2 settings of which none beats another: a curve needs 3"):
        bd_rate(low[:2], low)
    with pytest.raises(ValueError, match="`rates` must be positive"):
        bd_rate(low * torch.tensor([-1.0, 1.0]), low)
    with pytest.raises(ValueError, match=r"`points` must be \[N, 2\]"):
        bd_rate(low[:, :1], low)
