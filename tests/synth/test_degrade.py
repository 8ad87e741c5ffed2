"""Camera noise: none at strength 0, more with strength, and a frame's noise does not depend on its batch."""

import numpy as np
import pytest

from curate.errors import UserError
from curate.synth.degrade import camera, degrade

RNG = np.random.default_rng(0)
FRAMES = np.stack([np.kron(RNG.integers(20, 236, (8, 8, 3)), np.ones((12, 12, 1))) for _ in range(6)]).astype(np.uint8)


def test_strength_0_changes_nothing() -> None:
    assert degrade(FRAMES, 0.0, seed=1) is FRAMES


def test_a_frame_is_the_same_in_any_batch() -> None:
    whole = degrade(FRAMES, 0.6, seed=5)
    parts = np.concatenate([degrade(FRAMES[:1], 0.6, 5, first=0), degrade(FRAMES[1:5], 0.6, 5, first=1)])
    assert np.array_equal(whole[:5], parts)
    assert whole.dtype == np.uint8
    assert whole.shape == FRAMES.shape
    assert not np.array_equal(whole, degrade(FRAMES, 0.6, seed=6))
    still = np.repeat(FRAMES[:1], 2, axis=0)
    assert not np.array_equal(*degrade(still, 0.6, seed=5))  # the noise moves


def test_more_strength_is_more_noise() -> None:
    for seed in range(5):
        errors = [np.abs(degrade(FRAMES, s, seed).astype(int) - FRAMES).mean() for s in (0.01, 0.1, 0.3, 0.6, 1.0)]
        assert errors == sorted(errors)
        assert errors[0] < 2
        assert 4 < errors[-1] < 60


def test_noise_grows_with_light_as_photons_do() -> None:
    """In linear light the variance of a pixel is read noise plus a part in proportion to the light."""
    lens = camera(3)
    flat = np.stack([np.full((64, 64, 3), level, np.uint8) for level in (30, 120, 200)])
    centre = degrade(flat, 0.25, seed=3)[:, 24:40, 24:40].astype(float) / 255
    spread = (centre**2.2).std(axis=(1, 2)).mean(axis=1)
    assert spread[0] < spread[1] < spread[2]
    assert lens.gains[0] != lens.gains[2]


def test_corners_lose_light() -> None:
    grey = np.full((1, 128, 128, 3), 180, np.uint8)
    recorded = degrade(grey, 1.0, seed=2)[0].astype(float)
    assert recorded[:20, :20].mean() < recorded[54:74, 54:74].mean() - 3


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan")])
def test_other_strengths_are_refused(strength: float) -> None:
    with pytest.raises(UserError, match=r"noise must be in \[0, 1\]"):
        degrade(FRAMES, strength, 0)
