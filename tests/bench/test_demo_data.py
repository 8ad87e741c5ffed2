"""The demo's videos: what they promise to hold."""

import numpy as np
import pytest

from bench.demo_data import FPS, make_videos
from curate import video


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return make_videos(tmp_path_factory.mktemp("videos"), seconds=0.8, size=384)


def test_six_square_videos_of_the_asked_length_one_with_sound(videos):
    about = [video.info(path) for path in videos]
    assert [path.stem for path in videos] == [
        "person1-a",
        "person1-b",
        "person2-a",
        "person3-a",
        "person4-a",
        "two-shots",
    ]
    assert {(info.width, info.height, float(info.fps)) for info in about} == {(384, 384, FPS)}
    assert [info.has_audio for info in about] == [True, False, False, False, False, False]
    assert video.read_frames(videos[0], range(20)).shape == (20, 384, 384, 3)
    with pytest.raises(IndexError):
        video.read_frames(videos[0], [20])


def test_heads_move_over_a_background_that_stays(videos):
    for path in videos[:5]:
        frames = video.read_frames(path, range(20)).astype(float)
        change = np.abs(frames - frames[0]).max(axis=0).mean(axis=-1)
        assert change[100:280, 100:280].mean() > 10
        assert change[:, :12].mean() < 4


def test_one_video_has_a_hard_cut_in_its_middle(videos):
    def jumps(path):
        frames = video.read_frames(path, range(20)).astype(float)
        return np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))

    assert jumps(videos[-1]).argmax() == 9
    assert jumps(videos[-1])[9] > 5 * np.delete(jumps(videos[-1]), 9).max()
    assert jumps(videos[0]).max() < 5


def test_a_face_detector_finds_the_face(videos):
    from facenet_pytorch import MTCNN

    detector = MTCNN(post_process=False)
    for path in videos:
        boxes, scores = detector.detect(video.read_frames(path, [5])[0])
        left, top, right, bottom = boxes[0]
        assert scores[0] > 0.99
        assert bottom - top > 120
        assert 100 < (left + right) / 2 < 284
        assert top > 40


def test_the_seed_decides_the_motion(tmp_path):
    made = [
        make_videos(tmp_path / name, seconds=0.4, size=128, seed=seed)[1]
        for name, seed in [("a", 0), ("b", 0), ("c", 1)]
    ]
    first, again, other = (video.read_frames(path, range(10)) for path in made)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("seconds", "size"), [(0.1, 128), (1, 64), (1, 129)])
def test_too_little_is_refused(tmp_path, seconds, size):
    with pytest.raises(ValueError, match=r"expected seconds >= 0\.4 and an even size >= 128"):
        make_videos(tmp_path, seconds=seconds, size=size)
