"""THEval's measures against plain loops, and as scores of two sets of clips."""

import itertools

import numpy as np
import pytest
import torch

from bench import metrics
from bench.metrics import theval
from bench.metrics.spread import Spread


@pytest.fixture
def clip():
    rng = np.random.default_rng(0)
    return rng.normal(size=(9, 3)) * 20, rng.uniform(0, 256, (9, 68, 2))


def distance(a, b):
    return float(np.sqrt(((a - b) ** 2).sum()))


def test_motion_by_hand(clip):
    pose, points = clip
    lips = [
        np.std([distance(frame[i], frame[j]) for frame in points]) for i, j in itertools.combinations(range(48, 68), 2)
    ]
    assert float(theval.lip_dynamics(torch.from_numpy(points))) == pytest.approx(np.mean(lips))
    centre = np.array([(frame.min(0) + frame.max(0)) / 2 for frame in points])
    spread = np.mean([np.std(pose[:, k]) for k in range(3)])
    change = np.mean([np.var(np.diff(pose[:, k])) for k in range(3)])
    expected = np.sqrt(spread * change + np.mean([np.var(centre[:, k]) for k in range(2)]))
    both = torch.from_numpy(np.concatenate([pose, points.reshape(9, -1)], axis=1))
    assert float(metrics.head_motion_68(both, both)) == pytest.approx(expected)
    sides = []
    for brow, eye in ((slice(17, 22), slice(36, 42)), (slice(22, 27), slice(42, 48))):
        heights = [
            distance(frame[brow].mean(0), frame[eye].mean(0)) / distance(frame[36:42].mean(0), frame[42:48].mean(0))
            for frame in points
        ]
        sides.append(np.mean([abs(a - b) for a, b in itertools.combinations(heights, 2)]))
    assert float(theval.eyebrow_dynamics(torch.from_numpy(points))) == pytest.approx(np.mean(sides))


def test_a_turn_past_half_a_circle_is_a_small_change():
    still = torch.zeros(4, 68, 2)
    pose = torch.tensor([[179.0, 0, 0], [-179, 0, 0], [179, 0, 0], [-179, 0, 0]])
    small = torch.tensor([[-1.0, 0, 0], [1, 0, 0], [-1, 0, 0], [1, 0, 0]])
    spread = lambda p: p.std(dim=0, unbiased=False).mean()  # noqa: E731
    found = theval.head_motion(pose, still) ** 2 / spread(pose)
    torch.testing.assert_close(found, theval.head_motion(small, still) ** 2 / spread(small))


def test_lips_and_sound(clip):
    points = clip[1]
    opening = theval.lip_opening(torch.from_numpy(points))
    frame = points[3]
    heights = [distance(frame[a], frame[b]) for a, b in ((61, 67), (62, 66), (63, 65))]
    assert float(opening[3]) == pytest.approx(np.mean(heights) / distance(frame[36], frame[45]))
    silent = torch.tensor([True] * 5 + [False] * 4)
    quiet = opening[:5].numpy()
    assert float(theval.silent_lip_stability(opening, silent)) == pytest.approx(np.median(np.abs(quiet - quiet.mean())))
    assert float(theval.lip_sync(opening, 3 * opening + 2, ~silent)) == pytest.approx(0, abs=1e-9)
    spoken = opening[5:].numpy()
    scaled = (spoken - spoken.min()) / (spoken.max() - spoken.min())
    assert float(theval.lip_sync(opening, -opening, ~silent)) == pytest.approx(np.abs(2 * scaled - 1).mean())
    with pytest.raises(ValueError, match="`silent` must be true"):
        theval.silent_lip_stability(opening, silent & False)
    with pytest.raises(ValueError, match="`speech` must be true of at least 10%"):
        theval.lip_sync(opening, opening, silent & False)
    with pytest.raises(ValueError, match="two frames at least"):
        theval.lip_dynamics(torch.zeros(1, 68, 2))


def test_scores_are_of_the_means_of_clips():
    metric = metrics.get("lip-dynamics-68-score")
    rng = np.random.default_rng(1)
    sides, values = (Spread(), Spread()), ([], [])
    for scale in (1.0, 2.0, 3.0):
        for side, values_of, factor in zip(sides, values, (1.0, 1.5), strict=True):
            points = torch.from_numpy(rng.normal(size=(6, 68, 2)) * scale * factor)
            side.add(metric.vectors(points).numpy())
            values_of.append(float(theval.lip_dynamics(points)))
    m, t = (np.mean(side) for side in values)
    assert metric.of_sets(*sides) == pytest.approx(1 - abs(m - t) / t)
    assert metric.of_sets(sides[0], sides[0]) == 1
    assert metric.vectors(torch.zeros(1, 68, 2)).shape == (0, 1)
    assert np.isnan(theval.likeness(1.0, 0.0))


def test_the_final_score_is_the_mean_of_eight(clip):
    pose, points = (torch.from_numpy(part) for part in clip)
    rng = np.random.default_rng(2)
    heard = torch.tensor([[0.1 * i, i % 2] for i in range(9)], dtype=torch.float64)
    pictures = torch.from_numpy(rng.uniform(1, 9, (9, 3)))
    flat = points.flatten(1)
    row = theval._final(torch.cat((pose, flat, pictures, heard), dim=1))
    opening, speech = theval.lip_opening(points), heard[:, 1] > 0.5
    expected = [
        *pictures.mean(dim=0).tolist(),
        float(theval.lip_dynamics(points)),
        float(theval.head_motion(pose, points)),
        float(theval.eyebrow_dynamics(points)),
        float(theval.silent_lip_stability(opening, ~speech)),
        float(theval.lip_sync(opening, heard[:, 0], speech)),
    ]
    assert row.tolist() == pytest.approx(expected)
    other = torch.cat((pose * 2, flat, pictures * 1.1, heard), dim=1)
    score = metrics.theval_final_68(other, torch.cat((pose, flat, pictures, heard), dim=1))
    turned = 1 - abs(float(theval.head_motion(pose * 2, points)) - expected[4]) / expected[4]
    assert float(score) == pytest.approx((3 * 0.9 + turned + 4) / 8)
    silent = torch.cat((pose, flat, pictures, heard * torch.tensor([1, 0])), dim=1)
    assert metrics.get("theval-final-68").vectors(silent).shape == (0, 8)
