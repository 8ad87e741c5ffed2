"""Motion: its limits, its smoothness, that a population does everything, and that it depends on its seed alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.synth.curves import arrivals, bumps, ease, held, within
from curate.synth.motion import FACE_MM, KINDS, sample_motion
from curate.synth.parameters import ACTIVE, EXPRESSION, UNITS, Motion

FPS = 25
COLUMN = {name: column for column, name in enumerate(EXPRESSION)}


def motion(seed: int, n_frames: int = 150, **limits: object) -> Motion:
    return sample_motion(np.random.default_rng(seed), n_frames, FPS, **limits)


@pytest.fixture(scope="module")
def population() -> list[Motion]:
    return [motion(seed) for seed in range(200)]


def runs(active: np.ndarray) -> int:
    """How often it becomes true."""
    return int(active[0]) + int((~active[:-1] & active[1:]).sum())


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n_frames=st.integers(1, 80),
    fps=st.sampled_from([10, 23.976, 25, 60]),
    limits=st.tuples(st.floats(0, 60), st.floats(0, 30), st.floats(0, 30)),
    kind=st.sampled_from([None, *KINDS]),
)
def test_values_stay_in_their_ranges(
    seed: int, n_frames: int, fps: float, limits: tuple[float, float, float], kind: str | None
) -> None:
    yaw, pitch, roll = limits
    made = sample_motion(
        np.random.default_rng(seed), n_frames, fps, max_yaw=yaw, max_pitch=pitch, max_roll=roll, kind=kind
    )
    assert made.expression.shape == (n_frames, len(EXPRESSION))
    assert made.angles.shape == made.translation.shape == (n_frames, 3)
    assert {made.expression.dtype, made.angles.dtype, made.translation.dtype} == {np.dtype(np.float32)}
    assert (np.abs(made.angles) <= np.float32(limits) + 1e-5).all()
    assert (made.expression >= -1).all()
    assert (made.expression <= 1).all()
    assert (made.expression[:, : len(UNITS)] >= 0).all()
    share = FACE_MM * made.focal / made.translation[:, 2]
    assert (share > 0.33).all()
    assert (share < 0.62).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_head_stays_in_the_picture(kind: str) -> None:
    for seed in range(40):
        made = motion(seed, kind=kind)
        half = made.translation[:, 2] / (2 * made.focal)
        x, y = made.translation[:, 0], made.translation[:, 1]
        assert (np.abs(x) + 100 < half).all()
        assert (y - 145 > -half).all()
        assert (y + 115 < half).all()


def test_motion_is_smooth(population: list[Motion]) -> None:
    angle_steps = np.concatenate([np.diff(made.angles, axis=0) for made in population])
    assert np.abs(angle_steps).max() < 9  # degrees a frame: 225 degrees a second
    assert np.abs(np.diff(angle_steps, axis=0)).mean() < 0.5
    place_steps = np.concatenate([np.diff(made.translation, axis=0) for made in population])
    assert np.abs(place_steps).max() < 12  # mm
    steps = np.abs(np.concatenate([np.diff(made.expression, axis=0) for made in population])).max(axis=0)
    quick = {"blink_l", "blink_r", "eye_wide", "gaze_x", "gaze_y"}
    assert {name: step for name, step in zip(EXPRESSION, steps, strict=True) if step > 0.7}.keys() <= quick


def test_a_motion_depends_on_its_seed_alone() -> None:
    first, again, other = motion(3), motion(3), motion(4)
    for name in ("expression", "angles", "translation"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))
    assert first.focal == again.focal != other.focal


def test_every_unit_is_active_and_at_rest_somewhere(population: list[Motion]) -> None:
    expression = np.stack([made.expression for made in population])
    for unit in UNITS:
        active = expression[..., COLUMN[unit]] > ACTIVE
        assert 0.02 < active.mean() < 0.5, unit
        assert active.any(axis=1).mean() > 0.1, unit
        assert expression[..., COLUMN[unit]].max() > 0.7, unit


def test_blinks_come_as_often_as_people_blink(population: list[Motion]) -> None:
    blinks = seconds = alone = 0
    lengths: list[int] = []
    for made in population:
        left, right = (made.expression[:, COLUMN[name]] > 0.5 for name in ("blink_l", "blink_r"))
        blinks += runs(left & right)
        alone += runs(left ^ right) if (left ^ right).sum() > 2 else 0
        seconds += len(made) / FPS
        edges = np.flatnonzero(np.diff(np.concatenate([[False], left & right, [False]])))
        lengths.extend((edges[1::2] - edges[::2]).tolist())
    assert 2 < seconds / blinks < 6
    assert 0 < alone < blinks / 4
    assert 1 <= np.median(lengths) <= 6  # frames half shut or more, of 0.15 to 0.3 s in all
    closed = np.concatenate([made.expression[:, COLUMN["blink_l"]] for made in population])
    assert 0.02 < (closed > 0.5).mean() < 0.15


def test_the_mouth_opens_three_to_six_times_a_second(population: list[Motion]) -> None:
    rates = []
    for made in population:
        jaw = made.expression[:, COLUMN["jaw_open"]]
        peaks = (jaw[1:-1] > jaw[:-2]) & (jaw[1:-1] >= jaw[2:]) & (jaw[1:-1] > 0.12)
        times = np.flatnonzero(peaks) / FPS
        gaps = np.diff(times)
        rates.extend((1 / gaps[gaps < 0.5]).tolist())
    assert 3 < np.median(rates) < 6
    mouths = np.stack([made.expression[:, COLUMN["jaw_open"]] for made in population])
    assert 0.1 < (mouths < 0.03).mean() < 0.6  # pauses


def test_most_talk_is_near_frontal_and_turns_are_large(population: list[Motion]) -> None:
    yaw = np.abs(np.stack([made.angles[:, 0] for made in population]))
    assert (yaw < 25).mean() > 0.8
    turning = np.concatenate([motion(seed, kind="turning").angles for seed in range(60)])
    calm = np.concatenate([motion(seed, kind="calm").angles for seed in range(60)])
    assert (np.abs(calm[:, 0]) < 25).mean() > 0.95
    assert (np.abs(turning).max(axis=0) > [54, 26, 26]).all()
    assert 0.1 < (np.abs(turning[:, 0]) > 25).mean() < 0.5
    assert min(turning[:, 0].min(), -54) < 0 < max(turning[:, 0].max(), 54)
    assert -5 < np.median(turning[:, 0]) < 5


def test_gaze_is_held_between_jumps(population: list[Motion]) -> None:
    steps = np.abs(np.concatenate([np.diff(made.expression[:, -2:], axis=0) for made in population])).max(axis=1)
    assert (steps < 0.06).mean() > 0.7
    assert (steps > 0.3).mean() > 0.01


def test_one_seed_still_gives_the_same_motion() -> None:
    """Sampling decides clips' bytes: if this must change, raise recipe.SYNTH_VERSION."""
    made = motion(10, 50)
    assert np.allclose(made.angles[[0, 25]], PINNED_ANGLES, atol=0.01)
    assert np.allclose(made.expression[25, :6], PINNED_EXPRESSION, atol=2e-3)
    assert made.focal == pytest.approx(PINNED_FOCAL, rel=1e-6)


PINNED_ANGLES = [[14.0, -0.05, 0.71], [11.56, 0.8, -0.71]]
PINNED_EXPRESSION = [0.483, 0.404, 0.307, 0.0, 0.587, 0.005]
PINNED_FOCAL = 2.8258085


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_frames": 0}, "n_frames >= 1"),
        ({"fps": 0}, "fps > 0"),
        ({"fps": float("nan")}, "fps > 0"),
        ({"max_yaw": 95}, "must be in"),
        ({"max_roll": -1}, "must be in"),
        ({"kind": "dancing"}, "unknown kind of motion 'dancing'"),
    ],
)
def test_arguments_that_make_no_motion_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample_motion(np.random.default_rng(0), **{"n_frames": 10, "fps": 25, **arguments})


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20), st.floats(0, 90))
def test_within_bends_values_under_the_limit_and_keeps_their_order(values: list[float], limit: float) -> None:
    values = sorted(values)
    bent = within(values, limit)
    assert (np.abs(bent) <= limit).all()
    assert (np.diff(bent) >= -1e-9).all()
    small = np.abs(values) <= 0.7 * limit
    assert np.allclose(bent[small], np.array(values)[small])


def test_curves_pass_through_their_ends() -> None:
    times = np.linspace(0, 3, 61)
    assert ease([-1, 0, 0.5, 1, 2]).tolist() == [0, 0, 0.5, 1, 1]
    path = held(times, [0.5, 1.5], [0.5, 0.5], [[0, 1], [4, 1], [-2, 3]])
    assert path[0].tolist() == [0, 1]
    assert path[25].tolist() == pytest.approx([4, 1])
    assert path[-1].tolist() == pytest.approx([-2, 3])
    pulse = bumps(times, 0.5, 0.25, 0.5, 0.25)[:, 0]
    assert pulse[[0, 10, 20, 40]].tolist() == pytest.approx([0, 0, 1, 0])


def test_arrivals_keep_their_distance_and_their_rate() -> None:
    times = arrivals(np.random.default_rng(0), 10_000, 4.0, 0.5)
    gaps = np.diff(times)
    assert gaps.min() >= 0.5
    assert gaps.mean() == pytest.approx(4.0, rel=0.05)
    assert times[0] >= 0
    assert times[-1] < 10_000
