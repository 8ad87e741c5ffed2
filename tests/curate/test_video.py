"""The one module that opens videos: numbering, colours, sound, and what happens to bad files."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from curate import crop, video
from curate.analyse import Analysis
from curate.errors import BadVideo
from curate.frame import Frame
from curate.select import KEPT, ClipPlan
from curate.settings import SelectionSettings
from tests.curate import made

KINDS = {
    "h264, B frames": {"options": {"bf": "3"}},
    "29.97": {"rate": Fraction(30_000, 1001)},
    "variable rate": {"times": [i / 25 + 0.013 * (i % 3) + (0.4 if i > 30 else 0) for i in range(60)]},
    "hevc": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "mpeg4": {"codec": "mpeg4"},
    "full range": {"full_range": True},
    "odd size": {"size": (322, 242), "pixel_format": "yuv444p"},
}


def analysis_of(path: Path) -> Analysis:
    """What the analysis stage says of a file, less the faces."""
    times = [frame.time_s for frame in video.frames(path)]
    return Analysis("v", "", video.info(path), len(times), tuple(times), (), ())


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_has_exactly_the_frames_asked_for(kind: str, tmp_path: Path) -> None:
    path = made.encode(tmp_path / "source.mp4", 60, **KINDS[kind])
    analysis = analysis_of(path)
    height = analysis.info.height & ~1
    left = (analysis.info.width - height) // 2 & ~1
    plan = ClipPlan(0, 17, 41, (left, 0, left + height, height), KEPT)
    crop.cut(path, analysis, [(plan, tmp_path / "clip.mp4")], SelectionSettings(min_res=128))
    frames = video.read_frames(tmp_path / "clip.mp4", range(24))
    assert [made.read_stamp(frame) for frame in frames] == list(range(17, 41))
    with pytest.raises(IndexError):
        video.read_frames(tmp_path / "clip.mp4", [24])


@pytest.mark.parametrize("kind", ["h264, B frames", "variable rate", "full range"])
def test_random_access_and_decoding_show_the_same_pixels(kind: str, tmp_path: Path) -> None:
    path = made.encode(tmp_path / "source.mp4", 60, **KINDS[kind])
    decoded = [frame.rgb() for frame in video.frames(path)]
    order = [59, 0, 31, 32, 31]
    for index, picture in zip(order, video.read_frames(path, order), strict=True):
        assert made.read_stamp(picture) == index
        np.testing.assert_array_equal(picture, decoded[index])


@pytest.mark.parametrize("full_range", [False, True])
def test_colours_come_through(full_range: bool, tmp_path: Path) -> None:
    path = made.encode(tmp_path / "source.mp4", 3, full_range=full_range, options={"crf": "1"})
    want = made.stamp(1).astype(int)
    got = next(iter(video.frames(path))).rgb().astype(int)
    assert abs(want[10] - got[10]).mean() < 2.5  # the top rows carry no stamp: a ramp of reds
    plan = ClipPlan(0, 0, 3, (40, 0, 280, 240), KEPT)
    crop.cut(path, analysis_of(path), [(plan, tmp_path / "clip.mp4")], SelectionSettings(min_res=240, crf=1))
    clip = video.read_frames(tmp_path / "clip.mp4", [0])[0].astype(int)
    assert abs(want[10, 40:280] - clip[10]).mean() < 2.5


def test_what_lies_outside_the_frame_is_black(tmp_path: Path) -> None:
    path = made.encode(tmp_path / "source.mp4", 3)
    plan = ClipPlan(0, 0, 3, (-40, -20, 240, 260), KEPT)
    crop.cut(path, analysis_of(path), [(plan, tmp_path / "clip.mp4")], SelectionSettings(size="native"))
    frame = video.read_frames(tmp_path / "clip.mp4", [1])[0]
    assert frame.shape == (280, 280, 3)
    assert max(frame[:16].max(), frame[:, :36].max(), frame[-16:].max()) < 12
    assert frame[24:-24, 44:].min(axis=2).mean() > 60


@pytest.mark.parametrize("size", [64, 128, 240])
def test_a_moving_crop_keeps_a_moving_thing_in_its_place(size: int, tmp_path: Path) -> None:
    path, side = tmp_path / "source.mp4", 160
    pictures = []
    for i in range(30):
        picture = np.full((240, 320, 3), 60, np.uint8)
        picture[100:140, 80 + 2 * i : 120 + 2 * i] = 220
        pictures.append(picture)
    video.write_video(path, pictures, 25, crf=1)
    way = ((0, 20.5, 40.0), (29, 78.5, 40.0))
    plan = ClipPlan(0, 0, 30, (20, 40, 20 + side, 40 + side), KEPT, path=way)
    crop.cut(path, analysis_of(path), [(plan, tmp_path / "clip.mp4")], SelectionSettings(min_res=64, size=size, crf=1))
    clip = video.read_frames(tmp_path / "clip.mp4", range(30))[..., 1].astype(float)
    across = (clip[:, size // 2] * np.arange(0.5, size)).sum(1) - 60 * (np.arange(0.5, size)).sum()
    bright = (clip[:, size // 2] - 60).sum(1)
    places = across / bright * side / size  # centre of the bright square in source pixels of the window
    assert places == pytest.approx(np.full(30, 100 - 20.5), abs=0.6)


def test_a_bt709_source_keeps_its_colours(tmp_path: Path) -> None:
    colour = np.zeros((720, 1280, 3), np.uint8) + np.array([200, 40, 60], np.uint8)
    path = tmp_path / "hd.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        frame = av.VideoFrame.from_ndarray(colour, format="rgb24").reformat(format="yuv420p", dst_colorspace="itu709")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    for picture in (next(iter(video.frames(path))).rgb(), video.read_frames(path, [0])[0]):
        assert abs(picture.astype(int) - [200, 40, 60]).max() <= 3
    plan = ClipPlan(0, 0, 1, (0, 0, 720, 720), KEPT)
    crop.cut(path, analysis_of(path), [(plan, tmp_path / "clip.mp4")], SelectionSettings(min_res=256))
    clip = video.read_frames(tmp_path / "clip.mp4", [0])[0]
    assert abs(clip.astype(int) - [200, 40, 60]).max() <= 2


def test_sound_stays_with_the_picture(tmp_path: Path) -> None:
    path = made.flash_and_beep(tmp_path / "source.mp4", at=2.0)
    plan = ClipPlan(0, 30, 90, (0, 0, 128, 128), KEPT)  # from 1.2 s: the flash is at 0.8 s of the clip
    crop.cut(path, analysis_of(path), [(plan, tmp_path / "clip.mp4")], SelectionSettings(min_res=64))
    flash = max(video.frames(tmp_path / "clip.mp4"), key=lambda frame: frame.rgb().mean())
    assert flash.index == 20
    blocks = [item for item in video.frames_and_sound(tmp_path / "clip.mp4") if not isinstance(item, Frame)]
    sound = np.concatenate([block.to_ndarray()[0] for block in blocks])
    start = float(blocks[0].time or 0)
    click = start + int(np.argmax(np.abs(sound) > 0.2)) / video.AUDIO_RATE
    assert click == pytest.approx(0.8, abs=0.012)
    assert start + len(sound) / video.AUDIO_RATE == pytest.approx(60 / 25, abs=0.03)


def test_a_clip_is_the_same_bytes_again(tmp_path: Path) -> None:
    path = made.flash_and_beep(tmp_path / "source.mp4")
    plan = ClipPlan(0, 5, 45, (0, 0, 128, 128), KEPT)
    for name in ("a.mp4", "b.mp4"):
        crop.cut(path, analysis_of(path), [(plan, tmp_path / name)], SelectionSettings(min_res=64))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_nothing_is_left_of_a_clip_that_broke_off(tmp_path: Path) -> None:
    path = made.encode(tmp_path / "source.mp4", 30)
    plan = ClipPlan(0, 5, 40, (0, 0, 240, 240), KEPT)  # ten frames more than there are
    with pytest.raises(BadVideo, match="fewer frames"):
        crop.cut(path, analysis_of(path), [(plan, tmp_path / "out" / "clip.mp4")], SelectionSettings(min_res=64))
    assert list((tmp_path / "out").iterdir()) == []


def test_bad_files_are_named(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("this is no video")
    with pytest.raises(BadVideo, match=r"text\.mp4: not a readable video"):
        video.info(text)
    whole = made.encode(tmp_path / "whole.mkv", 200, options={"g": "10"}).read_bytes()
    cut_off = tmp_path / "cut.mp4"
    made.encode(cut_off, 200)
    cut_off.write_bytes(cut_off.read_bytes()[:-600])  # the index at its end is gone
    with pytest.raises(BadVideo, match=r"cut\.mp4"):
        list(video.frames(cut_off))
    damaged = tmp_path / "damaged.mkv"
    damaged.write_bytes(whole[: len(whole) // 2])
    assert 0 < sum(1 for _ in video.frames(damaged)) < 200  # Matroska states no count: what is there is given
    with pytest.raises(BadVideo, match="no such file"):
        video.read_frames(tmp_path / "absent.mp4", [0])


def test_a_truncated_file_with_its_index_first_is_noticed(tmp_path: Path) -> None:
    path = made.encode(tmp_path / "whole.mp4", 200, options={"movflags": "faststart"})
    front = tmp_path / "front.mp4"
    with av.open(str(path)) as source, av.open(str(front), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    content = front.read_bytes()
    front.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(BadVideo, match=r"truncated|broke off"):
        list(video.frames(front))


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        block = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), format="fltp", layout="mono")
        block.sample_rate = 48_000
        container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    with pytest.raises(BadVideo, match="no video stream"):
        video.info(path)


def test_decord_is_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import decord

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("cannot open")

    path = made.encode(tmp_path / "source.mp4", 20)
    want = video.read_frames(path, [7, 3])
    monkeypatch.setattr(decord, "VideoReader", refuse)
    np.testing.assert_array_equal(video.read_frames(path, [7, 3]), want)
    with pytest.raises(IndexError):
        video.read_frames(path, [20])


def test_a_width_that_decord_cannot_copy_is_decoded(tmp_path: Path) -> None:
    path = made.encode(tmp_path / "narrow.mp4", 12, size=(48, 48))
    pictures = video.read_frames(path, [9, 2])
    assert pictures.shape == (2, 48, 48, 3)
    assert [made.read_stamp(picture) for picture in pictures] == [9, 2]
