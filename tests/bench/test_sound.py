"""What is heard of a clip: loudness by hand, silence of a made sound, the sound of a real clip."""

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
