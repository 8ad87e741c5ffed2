"""Short videos are decoded once: what is kept of them gives the same clips as decoding again."""

from pathlib import Path

import numpy as np
import pytest

from curate import crop, video
from curate.analyse import analyse
from curate.held import Held
from curate.select import KEPT, select
from curate.settings import AnalysisSettings, SelectionSettings
from tests.curate.quick import Middle, textured

SETTINGS = SelectionSettings(min_res=64)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tone = 0.2 * np.sin(np.arange(16_000 * 2) / 9).astype(np.float32)
    video.write_video(tmp_path / "raw.mp4", textured(50, 1), 25, sound=(tone, 16_000))
    return tmp_path / "raw.mp4"


def clips(path: Path, held: Held | None, out: Path) -> list[bytes]:
    analysis = analyse(path, "raw", Middle(), AnalysisSettings(), held=held)
    kept = [plan for plan in select(analysis, SETTINGS).clips if plan.verdict == KEPT]
    plans = [(plan, out / f"{number}.mp4") for number, plan in enumerate(kept)]
    crop.cut(path, analysis, plans, SETTINGS, held=held)
    return [target.read_bytes() for _, target in plans]


def test_clips_are_the_same_bytes_and_nothing_is_decoded_again(path, tmp_path, monkeypatch) -> None:
    passes = []
    decode = video.frames_and_sound
    monkeypatch.setattr(video, "frames_and_sound", lambda *args, **kw: (passes.append(args), decode(*args, **kw))[1])
    again = clips(path, None, tmp_path / "again")
    assert len(passes) == 2
    held = Held()
    assert clips(path, held, tmp_path / "once") == again
    assert again
    assert len(passes) == 3
    assert not held.is_whole  # given once


def test_what_is_too_large_is_not_kept(path, tmp_path) -> None:
    frame = next(iter(video.frames(path)))
    held = Held(most=10 * frame.n_bytes)
    assert frame.n_bytes >= 160 * 160 * 3 // 2
    again = clips(path, None, tmp_path / "again")
    assert clips(path, held, tmp_path / "large") == again
    assert not held.is_whole
    assert not list(held.take())


def test_a_video_that_breaks_off_is_not_whole(path) -> None:
    held = Held()
    for item in video.frames_and_sound(path):
        held.add(item)
    assert not held.is_whole
