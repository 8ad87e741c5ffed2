"""What is heard of a clip: loudness by hand, silence of a made sound, the sound of a real clip."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest

from bench import sound
from curate import video

RATE = video.AUDIO_RATE


def tone(seconds, loud):
    return (loud * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def test_volume_is_the_root_mean_square_of_50_ms():
    samples = np.concatenate([tone(0.5, 0.8), tone(0.5, 0.0)])
    found = sound.volumes(samples, np.array([0.25, 0.5, 0.75, 9.0]))
    np.testing.assert_allclose(found, [0.8 / 2**0.5, 0.4, 0, 0], atol=2e-3)


def test_only_long_quiet_is_silence():
    samples = np.concatenate([tone(0.5, 0.5), tone(0.2, 0.001), tone(0.5, 0.5), tone(0.5, 0.001), tone(0.3, 0.5)])
    silent = sound.silence(samples)
    assert len(silent) == 200
    assert not silent[:118].any()  # 200 ms are a pause
    assert silent[124:166].all()
    assert not silent[172:].any()
    assert sound.silence(tone(1, 0.0)).all()
    assert not sound.silence(tone(1, 0.5)).any()


def test_the_sound_of_a_real_clip_is_as_long_as_its_pictures(clips):
    path = clips / "retalking__3.mp4"
    info = video.info(path)
    samples = video.sound(path)
    assert len(samples) / RATE == pytest.approx(info.n_frames / float(info.fps), abs=0.2)
    heard = sound.heard(SimpleNamespace(path=path, fps=float(info.fps)), [0, 10, 20])
    assert heard.shape == (3, 2)
    assert set(heard[:, 1]) <= {0.0, 1.0}
    assert 0 < heard[:, 0].max() < 1


def test_a_clip_without_sound_has_none(tmp_path):
    video.write_video(tmp_path / "mute.mp4", [np.zeros((64, 64, 3), np.uint8)] * 3, 25.0)
    assert video.sound(tmp_path / "mute.mp4") is None
    assert sound.heard(SimpleNamespace(path=tmp_path / "mute.mp4", fps=25.0), [0]) is None


def cepstra_by_hand(samples):
    """Mel cepstra of 25 ms every 10 ms, a spectrum and a filter at a time, by the formulas of textbooks."""
    pcm = [float(max(-32768, min(32767, round(float(s) * 32768)))) for s in samples]
    signal = [pcm[0]] + [now - 0.97 * before for before, now in itertools.pairwise(pcm)]
    corners = [
        math.floor(513 * 700 * (10 ** (i * 2595 * math.log10(1 + 8000 / 700) / 27 / 2595) - 1) / 16000)
        for i in range(28)
    ]
    rows = []
    for start in range(0, max(len(signal) - 400, 0) + 160, 160):
        if start and start - 160 + 400 >= len(signal):
            break
        frame = (signal[start : start + 400] + [0.0] * 400)[:400]
        power = np.abs(np.fft.fft(frame, 512))[:257] ** 2 / 512
        logs = []
        for low, middle, high in zip(corners, corners[1:], corners[2:], strict=False):
            rising = sum(power[i] * (i - low) / (middle - low) for i in range(low, middle))
            falling = sum(power[i] * (high - i) / (high - middle) for i in range(middle, high))
            logs.append(math.log(rising + falling or np.finfo(float).eps))
        row = [math.log(power.sum() or np.finfo(float).eps)]
        for k in range(1, 13):
            cosine = sum(value * math.cos(math.pi * k * (2 * n + 1) / 52) for n, value in enumerate(logs))
            row.append(math.sqrt(2 / 26) * cosine * (1 + 11 * math.sin(math.pi * k / 22)))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("count", [300, 400, 401, 2000, 2160])
def test_cepstra_by_hand(count):
    samples = np.random.default_rng(count).normal(0, 0.4, count).astype(np.float32)  # some beyond full scale
    found = sound.cepstra(samples)
    assert found.shape == (1 + max(0, math.ceil((count - 400) / 160)), 13)
    np.testing.assert_allclose(found, cepstra_by_hand(samples), atol=1e-8)


def test_cepstra_of_nothing():
    assert np.isfinite(sound.cepstra(np.zeros(800, np.float32))).all()
    assert sound.cepstra(np.zeros(0, np.float32)).shape == (0, 13)


@pytest.fixture
def spoken_clip(tmp_path):
    """50 frames at 25 a second; a tone that climbs, and breaks off 0.1 s before the pictures."""
    time = np.arange(round(1.9 * RATE)) / RATE
    samples = (0.5 * np.sin(2 * np.pi * (200 + 800 * time) * time)).astype(np.float32)
    path = tmp_path / "spoken.mp4"
    video.write_video(path, [np.zeros((64, 64, 3), np.uint8)] * 50, 25.0, sound=(samples, RATE))
    return SimpleNamespace(path=path, fps=25.0)


def test_what_syncnet_hears_begins_with_the_frame(spoken_clip):
    found = sound.spoken(spoken_clip, range(3, 50))
    assert found.shape == (47, 13, 20)
    from scipy.signal import resample_poly

    every = sound.cepstra(resample_poly(video.sound(spoken_clip.path), 1, 3))
    np.testing.assert_allclose(found[0], every[12:32].T, rtol=1e-6)
    np.testing.assert_allclose(found[7], every[40:60].T, rtol=1e-6)
    last = (len(every) - 20) // 4 - 3  # a window needs all of its 0.2 s
    assert np.isfinite(found[: last + 1]).all()
    assert np.isnan(found[last + 1 :]).all()
    assert len(found) - last > 5


def test_faster_clips_are_heard_on_the_beat(spoken_clip):
    slow = sound.spoken(spoken_clip, range(40))
    fast = sound.spoken(SimpleNamespace(path=spoken_clip.path, fps=50.0), range(80))
    np.testing.assert_array_equal(fast[::2], slow)
    assert np.isnan(fast[1::2]).all()
    assert sound.beat(7, 30.0).tolist() == [0, 1, 2, 4, 5, 6]
    assert sound.beat(4, 25.0).tolist() == [0, 1, 2, 3]
    assert sound.beat(61, 29.97).tolist() == [round(k * 29.97 / 25) for k in range(51)]


def test_why_syncnet_cannot_listen(spoken_clip, tmp_path):
    assert "follow each other" in sound.spoken(spoken_clip, range(0, 50, 2))
    assert "1.44 s of frames" in sound.spoken(spoken_clip, range(35))
    assert "the driving clip has 24" in sound.spoken(SimpleNamespace(path=spoken_clip.path, fps=24.0), range(40))
    video.write_video(tmp_path / "mute.mp4", [np.zeros((64, 64, 3), np.uint8)] * 3, 25.0)
    assert sound.spoken(SimpleNamespace(path=tmp_path / "mute.mp4", fps=25.0), range(40)) == sound.NO_SOUND
