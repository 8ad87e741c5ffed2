"""CPU seconds and bytes of cutting listed tubes: `curate`'s one decoding pass against one FFmpeg command a tube.

    python benchmarks/listed_clips.py VIDEO

VIDEO, of 1280 x 720, is played again and again for a minute; nine tubes of it are cut both ways with the same x264
settings (crf 23, medium, a keyframe every 250). One FFmpeg command a tube is what TalkingHead-1KH's own script
does: decode all, `trim` to frames S to E without resetting their time stamps, `crop`, encode. An FFmpeg that keeps the
frame rate constant, as those of that time did, then writes a frozen frame for every frame before S. FFmpeg is that of
the imageio-ffmpeg wheel.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio_ffmpeg

from curate import crop, video
from curate.listed import Wish, read_headers, select_listed
from curate.lists.tube import RefBox, Span, Tube
from curate.settings import SelectionSettings

PUBLISHED = "one command a tube, as published"
FRAMES, FPS = 1810, 30
# First and last frame, left, top, right, bottom: TalkingHead-1KH's nine training tubes of its chunk --Y9imYnfBw_0000
# (metadata under the MIT licence), 1,118 frames in all.
TUBES = (
    (0, 271, 504, 63, 792, 351),
    (1015, 1107, 488, 23, 824, 359),
    (1154, 1253, 437, 0, 853, 384),
    (1254, 1285, 541, 25, 845, 329),
    (1286, 1409, 443, 19, 811, 387),
    (1410, 1474, 499, 18, 835, 354),
    (1583, 1803, 431, 31, 815, 415),
    (272, 423, 493, 60, 781, 348),
    (424, 482, 519, 76, 791, 348),
)


def cpu_of(work: Callable[[], None]) -> tuple[float, float]:
    """User CPU seconds (this process and those it waited for) and wall seconds."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    before, wall = sum(resource.getrusage(who).ru_utime for who in both), time.perf_counter()
    work()
    return sum(resource.getrusage(who).ru_utime for who in both) - before, time.perf_counter() - wall


def ffmpeg(*arguments: object) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True)


def make_chunk(source: Path, chunk: Path) -> None:
    settings = ("-c:v", "libx264", "-crf", 20, "-preset", "medium", "-g", 250, "-pix_fmt", "yuv420p", "-an")
    ffmpeg("-stream_loop", -1, "-i", source, "-r", FPS, "-frames:v", FRAMES, *settings, chunk)


def one_command_a_tube(chunk: Path, folder: Path, *, constant_rate: bool = False, reset: bool = False) -> None:
    clock, mode = ",setpts=PTS-STARTPTS" if reset else "", ("-fps_mode", "cfr") if constant_rate else ()
    for start, last, left, top, right, bottom in TUBES:
        box = f"{right - left}:{bottom - top}:{left}:{top}"
        chain = f"trim=start_frame={start}:end_frame={last + 1}{clock},crop={box}"
        x264 = ("-c:v", "libx264", "-crf", 23, "-preset", "medium")
        ffmpeg("-i", chunk, "-vf", chain, *mode, *x264, folder / f"{start}.mp4")


def one_pass(chunk: Path, folder: Path) -> None:
    tubes = [
        Tube(str(start), "chunk", Span(start, last + 1, "frame"), RefBox(left, top, right, bottom, 1280, 720))
        for start, last, left, top, right, bottom in TUBES
    ]
    settings = SelectionSettings(min_res=64, size="native", crf=23, keyint=250)
    headers = read_headers(chunk, "chunk")
    plans = select_listed(headers, Wish(tuple(tubes), "talkinghead1kh"), settings).clips
    crop.cut(
        chunk, headers.analysis, [(plan, folder / f"{plan.start}.mp4") for plan in plans], settings, headers.stamps
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    ways: dict[str, Callable[[Path, Path], None]] = {
        PUBLISHED: lambda chunk, out: one_command_a_tube(chunk, out, constant_rate=True),
        "the same, rate not kept": lambda chunk, out: one_command_a_tube(chunk, out),
        "the same, time stamps reset": lambda chunk, out: one_command_a_tube(chunk, out, reset=True),
        "curate": one_pass,
    }
    rows: dict[str, tuple[float, float, int, int]] = {}
    with TemporaryDirectory() as scratch:
        chunk = Path(scratch) / "chunk.mp4"
        make_chunk(arguments.video, chunk)
        for i, (name, way) in enumerate(ways.items()):
            out = Path(scratch) / str(i)
            out.mkdir()
            cpu, wall = cpu_of(lambda way=way, out=out: way(chunk, out))
            clips = sorted(out.glob("*.mp4"))
            size = sum(path.stat().st_size for path in clips)
            rows[name] = (cpu, wall, size, sum(sum(1 for _ in video.frames(path)) for path in clips))
    first = rows[PUBLISHED]
    print("| way | user CPU, s | of the first | wall, s | bytes | of the first | frames |")
    print("|---|---|---|---|---|---|---|")
    for name, (cpu, wall, size, frames) in rows.items():
        print(f"| {name} | {cpu:.1f} | {cpu / first[0]:.2f} | {wall:.1f} | {size} | {size / first[2]:.3f} | {frames} |")


if __name__ == "__main__":
    main()
