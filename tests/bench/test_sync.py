"""SyncNet's confidence and distance: a known shift is found, what is lost is told, and a run has both or a reason."""

import numpy as np
import pytest
import torch

import bench
from bench import metrics
from bench.evaluators.suite import OPTIONAL
from bench.features import Features
from bench.metrics import sync
from bench.pair_reader import PairView
from bench.scoring import Look, score_clip
from bench.sound import NO_SOUND
from curate import video

from .conftest import FakeObservation, write_dataset
from .test_runner import scores

FRAMES = 60


def spoken(shift, frames=FRAMES, noise=0.1):
    """Embeddings of a mouth, and of a sound that says the same `shift` frames later, side by side."""
    rng = np.random.default_rng(0)
    said = rng.normal(size=(frames + 40, 16))
    lips, voice = said[20 : 20 + frames], said[20 - shift : 20 - shift + frames]
    return torch.from_numpy(np.concatenate([lips, voice + noise * rng.normal(size=voice.shape)], axis=1)).float()


@pytest.mark.parametrize("shift", [-15, -4, 0, 1, 15])
def test_a_known_shift_is_found(shift):
    lips, voice = spoken(shift).chunk(2, dim=1)
    curve = sync.shifted(lips, voice)
    assert curve.shape == (31,)
    assert int(curve.argmin()) == 15 + shift


def test_shifts_by_hand():
    lips, voice = spoken(2, frames=8).chunk(2, dim=1)
    curve = sync.shifted(lips, voice, reach=3)
    for place, shift in enumerate(range(-3, 4)):
        distances = []
        for row in range(8):
            other = voice[row + shift] if 0 <= row + shift < 8 else torch.zeros(16)
            distances.append(float((lips[row] - other + 1e-6).square().sum().sqrt()))
        assert float(curve[place]) == pytest.approx(np.mean(distances), rel=1e-5)
    with pytest.raises(ValueError, match=r"one shape \[N, D\]"):
        sync.shifted(lips, voice[:-1])


def test_confidence_and_distance_are_of_the_curve():
    seen = spoken(3)
    curve = sync.shifted(*seen.chunk(2, dim=1))
    assert float(metrics.sync_d(seen, seen)) == pytest.approx(float(curve.min()))
    assert float(metrics.sync_c(seen, seen)) == pytest.approx(float(curve.sort().values[15] - curve.min()))
    unheard = seen.clone()
    unheard[:, 16:] = torch.randn(FRAMES, 16, generator=torch.Generator().manual_seed(0))
    assert 3 * float(metrics.sync_c(unheard, seen)) < float(metrics.sync_c(seen, seen))
    assert float(metrics.sync_d(unheard, seen)) > float(metrics.sync_d(seen, seen))


def test_the_longest_stretch_is_measured():
    seen = spoken(0, frames=80)
    broken = seen.clone()
    broken[20, :16] = torch.nan  # no face
    expected = sync.shifted(*seen[21:].chunk(2, dim=1))
    assert float(metrics.sync_d(broken, seen)) == pytest.approx(float(expected.min()))
    broken[::25, :16] = torch.nan
    assert torch.isnan(metrics.sync_c(broken, seen))


def test_a_face_that_only_the_reference_shows_is_a_failure():
    lips, voice = (part.numpy() for part in spoken(0).chunk(2, dim=1))
    look = Look(np.zeros((FRAMES, 4, 4, 3), np.uint8), {"lips": lips, "voice": voice})
    blank = Look(look.frames, look.features | {"lips": np.full((FRAMES, 1), np.nan, np.float32)})
    metric = metrics.get("sync-c")
    assert score_clip(metric, look, look)[1] == "ok"
    assert score_clip(metric, blank, look)[1] == "failed"
    assert score_clip(metric, blank, blank)[1] == "missing"


PATH = np.random.default_rng(5).integers(-6, 7, (2 * FRAMES, 2))  # where the disc is


@pytest.fixture
def reading(suite, monkeypatch, tmp_path):
    """Two clips of a disc that jumps about, a network that reads its place off its box, and a voice that tells it.

    Gives the dataset, and how many frames were read at once.
    """

    def picture(person, step):
        y, x = np.mgrid[0:64, 0:64]
        ground = np.full((64, 64, 3), 60, np.uint8)
        ground[(x - 32 - PATH[step, 0]) ** 2 + (y - 32 - PATH[step, 1]) ** 2 < 14**2] = [250, 200 - 60 * person, 40]
        return ground

    def lips(frames, boxes):
        read.append(len(frames))
        return ((boxes[:, :2] + boxes[:, 2:]) / 512 - 0.5).astype(np.float32)

    read = []
    monkeypatch.setattr("tests.bench.conftest.picture", picture)
    monkeypatch.setattr("bench.metrics.available", lambda: {metric.id: metric for metric in sync.VARIANTS})
    monkeypatch.setattr("bench.sound.spoken", lambda clip, indices: places(indices, clip))
    suite.missing = dict.fromkeys(OPTIONAL - {"lips"}, "no such file")
    suite.lips, suite.voice = lips, lambda cepstra: cepstra[:, :2, 0]
    boxes = property(lambda seen: np.concatenate([seen.landmarks[:, 0], seen.landmarks[:, -1]], axis=1))
    monkeypatch.setattr(FakeObservation, "boxes", boxes, raising=False)
    return write_dataset(tmp_path / "jumping", [0, 1], frames=40), read


def places(indices, clip):
    """Of the disc's middle, where cepstra are; the clip's number delays its path."""
    at = (PATH[np.array(indices) + int(clip.clip_id[-1])] * 4 + 1.5) / 256
    return np.repeat(at[:, :, None], 20, axis=2).astype(np.float32)


def test_a_run_tells_who_moves_with_the_sound(reading, tmp_path):
    dataset, read = reading
    copied, true, *_ = bench.run("same-id", "source-copy", dataset, variants=True, out=tmp_path / "runs")
    found = {row: scores(folder) for row, folder in (("copied", copied), ("true", true))}
    assert found["true"]["sync-d-open"].mean < 0.02 < found["copied"]["sync-d-open"].mean
    assert found["true"]["sync-c-open"].mean > 2 * found["copied"]["sync-c-open"].mean
    assert found["true"]["sync-c-open"].n_ok == found["copied"]["sync-c-open"].n_ok
    assert set(read) == {40}


def test_a_run_without_sound_says_so_and_reads_no_lips(reading, tmp_path, monkeypatch):
    dataset, read = reading
    monkeypatch.setattr("bench.sound.spoken", lambda clip, indices: NO_SOUND)
    mute = bench.run("same-id", "source-copy", dataset, variants=True, limit=1, out=tmp_path / "mute")[0]
    assert NO_SOUND in scores(mute)["sync-c-open"].failures
    assert scores(mute)["sync-c-open"].n_failed == 0
    assert read == []


def test_nothing_is_heard_for_a_network_that_is_not_there(reading, suite, tmp_path, monkeypatch):
    dataset, read = reading
    monkeypatch.setattr("bench.sound.spoken", lambda clip, indices: pytest.fail("nobody asked"))
    suite.missing["lips"] = "no such file"
    absent = bench.run("same-id", "source-copy", dataset, variants=True, limit=1, out=tmp_path / "absent")[0]
    assert "no such file" in scores(absent)["sync-d-open"].failures
    assert read == []


def test_lips_are_read_on_the_beat(reading, suite):
    dataset, read = reading
    frames = video.resize(video.read_frames(dataset / "clips" / "clip0.mp4", range(8)), 256)
    beat = np.array([0, 2, 3, 5])
    found = Features(suite).of(frames, {"lips", "pose"}, beat)
    assert set(found) == {"lips", "pose"}
    assert read == [4]
    np.testing.assert_array_equal(found["lips"][beat], Features(suite).of(frames, {"lips"})["lips"][beat])
    assert np.isnan(found["lips"][[1, 4, 6, 7]]).all()
    assert [kind for kind, count in suite.seen].count("pose") == 1


def test_frames_between_the_beat_are_not_compared():
    seen = spoken(2)
    between = torch.full((2 * FRAMES, seen.shape[1]), torch.nan)
    between[::2] = seen
    assert float(metrics.sync_c(between, between)) == float(metrics.sync_c(seen, seen))


def test_frames_that_are_lost_leave_a_gap():
    look = Look(np.zeros((4, 4, 4, 3), np.uint8), {"voice": np.zeros((4, 2), np.float32)})
    view = PairView([0, 1, 2, 3], look.frames, look.frames, look, look, None, beat=np.array([0, 1, 3]))
    later = view.without(np.array([True, False, False, False]))
    assert (later.unheard, later.beat.tolist()) == ({}, [0, 2])
    assert "follow each other" in view.without(np.array([False, True, False, False])).unheard["voice"]
