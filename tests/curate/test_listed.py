"""Clips that a list names: the frames are those that it means, in every kind of file, and nothing else is decoded."""

import json
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import pyarrow.parquet as pq
import pytest

from curate import crop, video
from curate.listed import Wish, read_headers, select_listed
from curate.lists.tube import RefBox, Span, Tube
from curate.select import Selection
from curate.settings import SelectionSettings
from tests.curate import made

KINDS = {
    "h264, B frames": {"options": {"bf": "3", "g": "50"}},
    "29.97": {"rate": Fraction(30_000, 1001), "options": {"g": "40"}},
    "variable rate": {"times": [i / 25 + 0.013 * (i % 3) + (0.4 if i > 230 else 0) for i in range(450)]},
    "hevc": {"codec": "libx265", "options": {"x265-params": "log-level=none:keyint=60"}},
    "mpeg4": {"codec": "mpeg4"},
    "full range": {"full_range": True},
    "one keyframe": {"options": {"g": "1000"}},
}
SETTINGS = SelectionSettings(min_res=64, size="native")
MIDDLE = RefBox(40, 0, 280, 240, 320, 240)


def tube(start: float, end: float, unit: str = "frame", **kwargs: object) -> Tube:
    return Tube(f"{start}-{end}", "v", Span(start, end, unit, **kwargs), MIDDLE)


def cut(path: Path, tubes: Sequence[Tube], out: Path, **wish: object) -> tuple[Selection, dict[str, list[int]]]:
    """Cut tubes; the frame numbers in each clip by the tube's name."""
    headers = read_headers(path, "v")
    selection = select_listed(headers, Wish(tuple(tubes), "talkinghead1kh", **wish), SETTINGS)
    kept = [plan for plan in selection.clips if plan.verdict.verdict == "kept"]
    plans = [(plan, out / f"{plan.list_name}.mp4") for plan in kept]
    crop.cut(path, headers.analysis, plans, SETTINGS, headers.stamps)
    return selection, {
        str(plan.list_name): [made.read_stamp(frame.rgb()) for frame in video.frames(target)] for plan, target in plans
    }


@pytest.mark.parametrize("kind", KINDS)
def test_frames_300_to_400_are_101_frames_of_the_source(kind: str, tmp_path: Path) -> None:
    path = made.encode(tmp_path / "source.mp4", 450, **KINDS[kind])
    _, stamps = cut(path, [tube(300, 401), tube(2, 5)], tmp_path)
    assert stamps == {"300-401": list(range(300, 401)), "2-5": [2, 3, 4]}


@pytest.mark.parametrize("kind", ["h264, B frames", "hevc", "mpeg4"])
def test_an_edit_list_hides_frames_and_the_numbers_know(kind: str, tmp_path: Path) -> None:
    whole, path = made.encode(tmp_path / "whole.mp4", 450, **KINDS[kind]), tmp_path / "source.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-ss", "3.1", "-i", whole, "-c", "copy", path]
    subprocess.run(command, check=True)
    shown = [made.read_stamp(frame.rgb()) for frame in video.frames(path)]
    assert shown == list(range(shown[0], 450))
    headers = read_headers(path, "v")
    assert headers.analysis.n_frames == len(shown)
    _, stamps = cut(path, [tube(300, 340)], tmp_path)
    assert stamps["300-340"] == shown[300:340]


def test_what_lies_before_a_clip_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made.encode(tmp_path / "source.mp4", 1500, options={"g": "25"})
    decoded = []
    whole = video.frames_and_sound

    def counted(*arguments: object, **kwargs: object) -> object:
        for item in whole(*arguments, **kwargs):
            decoded.append(item.index)
            yield item

    monkeypatch.setattr(video, "frames_and_sound", counted)
    _, stamps = cut(path, [tube(1400, 1410), tube(30, 40)], tmp_path)
    assert stamps == {"1400-1410": list(range(1400, 1410)), "30-40": list(range(30, 40))}
    assert len(decoded) < 150


def test_spans_at_another_rate_and_in_seconds(tmp_path: Path) -> None:
    path = made.encode(tmp_path / "source.mp4", 450, rate=Fraction(30))
    at_25, seconds = tube(100, 200, fps=25.0), tube(2.0, 4.0, "second")
    _, stamps = cut(path, [at_25, seconds], tmp_path)
    assert stamps[at_25.name] == [i for i in range(450) if 100 * 30 <= i * 25 < 200 * 30]
    assert stamps[seconds.name] == list(range(60, 120))
    late = tmp_path / "late.mp4"  # a section that begins 4 s into the video
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-ss", "4", "-i", path, "-crf", "12", late], check=True
    )
    (tmp_path / "late").mkdir()
    wished = [tube(150, 200, fps=25.0), tube(5.0, 6.0, "second")]
    _, stamps = cut(late, wished, tmp_path / "late", offset_s=4.0)
    assert list(stamps.values()) == [list(range(180, 240)), list(range(150, 180))]


def test_a_chunk_begins_at_the_first_keyframe_after_its_minute(tmp_path: Path) -> None:
    path = made.encode(tmp_path / "source.mp4", 700, rate=Fraction(10), options={"g": "35"})
    _, stamps = cut(path, [tube(5, 9, part=1)], tmp_path)
    assert stamps["5-9"] == [635, 636, 637, 638]  # 630 is the first multiple of 35 from 600 on
    chunk = made.encode(tmp_path / "v_0001.mp4", 60, rate=Fraction(10))
    _, stamps = cut(chunk, [tube(5, 9, part=1)], tmp_path, part=1)
    assert stamps["5-9"] == [5, 6, 7, 8]


def test_boxes_are_scaled_to_the_size_at_hand_and_made_square(tmp_path: Path) -> None:
    path = made.encode(tmp_path / "source.mp4", 30)  # 320 x 240
    headers = read_headers(path, "v")

    def box_of(box: RefBox) -> tuple[int, int, int, int]:
        wish = Wish((Tube("a", "v", Span(0, 9, "frame"), box),), "talkinghead1kh")
        return select_listed(headers, wish, SETTINGS).clips[0].box

    assert box_of(RefBox(160, 80, 800, 720, 1280, 960)) == (40, 20, 200, 180)
    assert box_of(RefBox(41, 21, 141, 121, 320, 240)) == (40, 20, 140, 120)  # even corners, as FFmpeg's crop
    assert box_of(RefBox(100, 50, 200, 200, 320, 240)) == (76, 50, 226, 200)  # 100 x 150 becomes 150 x 150


def test_what_the_video_does_not_have_is_dropped_with_the_reason(tmp_path: Path) -> None:
    path = made.encode(tmp_path / "source.mp4", 100)
    selection, stamps = cut(path, [tube(90, 101), tube(0, 10)], tmp_path)
    assert list(stamps) == ["0-10"]
    assert selection.clips[0].verdict.reason.startswith("frames 90 to 100 of a video of 100: another encoding")
    small = Tube("small", "v", None, RefBox(0, 0, 50, 50, 320, 240))
    selection, _ = cut(path, [small], tmp_path)
    assert selection.clips[0].verdict.reason == "native side 50 < 64"
    assert selection.video.reason == "no clip passed"


def test_the_command_takes_a_list_and_a_folder_of_videos(tmp_path: Path) -> None:
    videos, out, listed = tmp_path / "videos", tmp_path / "out", tmp_path / "tubes.txt"
    videos.mkdir()
    made.encode(videos / "-abcdefghij.mp4", 450)
    made.encode(videos / "bcdefghijkl_0001.mp4", 60)
    listed.write_text(
        "-abcdefghij_0000, 240, 320, 300, 400, 40, 0, 280, 240\n"
        "-abcdefghij_0000, 240, 320, 440, 460, 40, 0, 280, 240\n"
        "bcdefghijkl_0001, 480, 640, 10, 19, 80, 0, 560, 480\n"
        "cdefghijklm_0000, 480, 640, 10, 19, 80, 0, 560, 480\n"
    )
    command = [sys.executable, "-m", "curate", "build", "--input", listed, "--videos", videos, "--out", out]
    command = [*map(str, command), "--min-res", "128", "--offline", "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1, result.stderr  # one video is not there
    assert "cdefghijklm: not in the folder" in result.stderr
    rows = {row["list_name"]: row for row in pq.read_table(out / "manifest.parquet").to_pylist()}
    assert set(rows) == {
        "-abcdefghij_0000_S300_E400_L40_T0_R280_B240",
        "bcdefghijkl_0001_S10_E19_L80_T0_R560_B480",
    }
    first, second = rows.values()
    assert (first["n_frames"], second["n_frames"], second["native_side"]) == (101, 10, 240)
    assert first["source_url"] == "https://www.youtube.com/watch?v=-abcdefghij"
    for row in (first, second):
        shown = [made.read_stamp(frame.rgb()) for frame in video.frames(out / row["path"])]
        assert shown == list(range(row["start_frame"], row["end_frame"]))
    manifest = (out / "manifest.parquet").read_bytes()
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert json.loads(again.stdout)["done_before"] == 2
    assert (out / "manifest.parquet").read_bytes() == manifest
