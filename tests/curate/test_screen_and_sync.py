"""Scores of a whole video's pictures, and the hint whether mouth and sound go together, on made pictures and curves."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.quality.screen import Screen, ScreenScores
from curate.quality.sync import Envelope, sync_hint

HEIGHT, WIDTH = 144, 256


def scene(seed: int, frame: int, light: float = 1.0) -> np.ndarray:
    """A textured place over which the camera moves."""
    noise = np.random.default_rng(seed).integers(0, 255, (24, 40, 3), dtype=np.uint8)
    big = cv2.resize(noise, (WIDTH + 80, HEIGHT + 80), interpolation=cv2.INTER_CUBIC)
    x, y = 40 + round(38 * np.sin(frame / 9)), 40 + round(30 * np.cos(frame / 7))
    return np.asarray(big[y : y + HEIGHT, x : x + WIDTH] * light, np.uint8)


def scored(pictures: list[np.ndarray], **options: int) -> ScreenScores:
    every = options.pop("every", 5)
    screen = Screen(**options)
    for index, picture in enumerate(pictures):
        screen.feed(cv2.resize(picture, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA))
        if index % every == 0:
            screen.look(picture)
    return screen.scores()


def barred(picture: np.ndarray, left: int, top: int, right: int, bottom: int) -> np.ndarray:
    out = np.zeros_like(picture)
    inside = (slice(top, HEIGHT - bottom), slice(left, WIDTH - right))
    out[inside] = np.maximum(picture[inside], 2)
    return out


def banner(picture: np.ndarray) -> np.ndarray:
    out = picture.copy()
    cv2.rectangle(out, (30, 112), (150, 130), (20, 30, 110), -1)
    cv2.putText(out, "JANE DOE", (36, 127), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return out


@pytest.mark.parametrize("bars", [(0, 0, 0, 0), (0, 18, 0, 18), (32, 0, 32, 0), (20, 10, 30, 14)])
def test_bars_are_measured_to_a_line(bars: tuple[int, int, int, int]) -> None:
    found = scored([barred(scene(1, i), *bars) for i in range(60)], every=1).letterbox
    assert np.abs(np.array(found) * (WIDTH, HEIGHT, WIDTH, HEIGHT) - bars).max() <= 1


def test_darkness_is_no_bar() -> None:
    night = [(scene(2, i) * np.linspace(0, 1, HEIGHT)[:, None, None] ** 3).astype(np.uint8) for i in range(60)]
    assert scored(night, every=1).letterbox == (0, 0, 0, 0)
    assert scored([scene(2, i, 0.05) for i in range(60)], every=1).letterbox == (0, 0, 0, 0)


def test_bars_survive_noise_and_a_dark_scene_among_others() -> None:
    rng = np.random.default_rng(0)
    pictures = [barred(scene(i // 40, i, 0.06 if 40 <= i < 80 else 1.0), 0, 18, 0, 18) for i in range(160)]
    noisy = [np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8) for picture in pictures]
    assert scored(noisy, every=1).letterbox == pytest.approx((0, 0.125, 0, 0.125), abs=0.008)


def test_a_banner_over_a_moving_picture_is_an_overlay() -> None:
    plain = [scene(3, i) for i in range(80)]
    before, after = scored(plain, every=1), scored([banner(picture) for picture in plain], every=1)
    assert before.overlays == ()
    assert (before.overlay, before.overlay_lower) == (0, 0)
    box = np.array(after.overlays[0].box) * (WIDTH, HEIGHT, WIDTH, HEIGHT)
    assert box == pytest.approx([30, 112, 151, 131], abs=5)
    assert after.overlays[0].share == 1
    assert after.overlay_lower > 0.1 > after.overlay


def test_a_banner_for_half_of_the_time_has_its_share() -> None:
    pictures = [banner(scene(3, i)) if i < 120 else scene(4, i) for i in range(240)]
    (found,) = scored(pictures, every=1).overlays
    assert found.share == pytest.approx(0.5)


def test_black_bars_are_no_overlay() -> None:
    assert scored([barred(scene(5, i), 0, 18, 0, 18) for i in range(80)], every=1).overlays == ()


def test_repeated_and_black_pictures_are_counted() -> None:
    moving = [scene(6, i) for i in range(30)]
    black = [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * 10
    scores = scored([moving[0]] * 20 + moving[1:] + black + moving[:1])
    assert (scores.pictures, scores.frozen_run) == (60, 19)
    assert scores.frozen == pytest.approx(19 / 60, abs=1e-4)
    assert scores.black == pytest.approx(10 / 60, abs=1e-4)
    assert scored(moving).motion == pytest.approx(scored([p for p in moving for _ in range(3)]).motion)


def test_scores_of_few_pictures() -> None:
    assert scored([]).pictures == 0
    assert scored([scene(1, 0)]).motion == 0
    screen = Screen()
    screen.feed(scene(1, 0))
    with pytest.raises(ValueError, match="one size"):
        screen.feed(scene(1, 0)[:100])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 900), max_size=12), st.sampled_from([8000, 11025, 48000]))
def test_loudness_does_not_depend_on_the_blocks(sizes: list[int], rate: int) -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, sum(sizes)).astype(np.float32)
    whole, parts = Envelope(rate), Envelope(rate)
    whole.feed(samples)
    for end, size in zip(np.cumsum(sizes), sizes, strict=True):
        parts.feed(samples[end - size : end])
    assert parts.values() == pytest.approx(whole.values())
    assert abs(len(whole.values()) - len(samples) * 25 / rate) <= 1


def talk(seconds: float, seed: int) -> np.ndarray:
    """Loudness of speech at 25 Hz: syllables and pauses."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * 25)) / 25
    starts = np.cumsum(rng.uniform(0.2, 0.7, round(seconds * 3)))
    beats = sum(np.exp(-(((times - start) / 0.08) ** 2)) for start in starts)
    return np.asarray(0.01 + 0.2 * beats)


@pytest.mark.parametrize("delay", [0.0, 0.4, -0.4])
def test_the_hint_finds_the_lag_of_a_mouth_that_moves_with_the_sound(delay: float) -> None:
    sound = talk(30, 0)
    times = np.arange(0, 30, 0.2)
    mouth = np.interp(times + delay, (np.arange(len(sound)) + 0.5) / 25, np.log10(sound))
    rng = np.random.default_rng(1)
    own = sync_hint(times, mouth + rng.normal(0, 0.2, len(times)), sound)
    other = sync_hint(times, mouth, talk(30, 7))
    assert own is not None
    assert other is not None
    assert own.lag_s == pytest.approx(delay, abs=0.1)
    assert own.correlation > 0.6 > other.correlation + 0.1
    assert own.margin > other.margin + 0.2


def test_no_hint_without_motion_sound_or_time() -> None:
    times = np.arange(0, 10, 0.2)
    assert sync_hint(times, np.zeros(50), talk(10, 0)) is None
    assert sync_hint(times, np.sin(times * 9), np.full(250, 0.1)) is None
    assert sync_hint(times[:12], np.sin(times[:12] * 9), talk(10, 0)) is None
    assert sync_hint(times, np.sin(times * 9), np.zeros(0)) is None
