"""Peak memory of curating one 1080p video, by its length: it must not grow with it.

    python benchmarks/memory.py [--minutes 5 20 120] [--detector yunet]

Rendered people (two at once, each alone, nobody, one who speaks) are played again and again into videos of 1920 x 1080
at 25 frames a second with sound; each is given to `curate build` with one worker. Memory is the resident set of the
driver and of all processes under it, each at its own peak, summed: what they share counts as often as they are.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio_ffmpeg

FFMPEG: list[str | Path] = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y"]
PEOPLE = ("interview", "nobody", "sound")  # of `curate synth --raw`; the last one speaks
POLL_S = 0.2


def minute_or_so(folder: Path) -> Path:
    """The video that is played again and again."""
    from curate.synth.raw import RawRecipe, make_raw

    make_raw(folder / "raw", RawRecipe(seconds=4.0, height=360))
    given: list[str | Path] = [word for name in PEOPLE for word in ("-i", folder / "raw" / f"{name}.mp4")]
    sound: list[str | Path] = ["-stream_loop", "-1", "-i", folder / "raw" / f"{PEOPLE[-1]}.mp4"]
    large = [f"[{i}:v]scale=1920:1080,fps=25,setsar=1[v{i}]" for i in range(len(PEOPLE))]
    joined = "".join(f"[v{i}]" for i in range(len(PEOPLE)))
    graph = ";".join([*large, f"{joined}concat=n={len(PEOPLE)}:v=1:a=0[v]"])
    maps: list[str | Path] = ["-filter_complex", graph, "-map", "[v]", "-map", f"{len(PEOPLE)}:a", "-shortest"]
    x264 = ["-c:v", "libx264", "-preset", "veryfast", "-tune", "fastdecode", "-crf", "23", "-c:a", "aac"]
    path = folder / "minute.mp4"
    subprocess.run([*FFMPEG, *given, *sound, *maps, *x264, path], check=True)
    return path


def measure(path: Path, out: Path, detector: str) -> tuple[int, float, float, float, int]:
    """Frames, peak MB of all processes and of the largest, seconds, and clips of a build over one video."""
    command = ["-m", "curate", "build", "--input", path, "--out", out, "--detector", detector, "--workers", "1"]
    begun = time.perf_counter()
    build = subprocess.Popen([sys.executable, *map(str, command)], stdout=subprocess.DEVNULL)
    peaks: dict[int, int] = {}
    while build.poll() is None:
        for process in (build.pid, *descendants(build.pid)):
            peaks[process] = max(peaks.get(process, 0), peak_kb(process))
        time.sleep(POLL_S)
    seconds = time.perf_counter() - begun
    if build.returncode:
        raise SystemExit(build.returncode)
    (analysis,) = (out / "analysis").iterdir()
    frames = json.loads(analysis.read_text())["n_frames"]
    clips = sum(1 for _ in (out / "clips").iterdir())
    return frames, sum(peaks.values()) / 1024, max(peaks.values()) / 1024, seconds, clips


def descendants(process: int) -> list[int]:
    """Processes under one, by what the kernel tells (Linux)."""
    try:
        own = [int(child) for task in Path(f"/proc/{process}/task").iterdir() for child in _children(task)]
    except OSError:
        return []
    return own + [below for child in own for below in descendants(child)]


def _children(task: Path) -> list[str]:
    return (task / "children").read_text().split()


def peak_kb(process: int) -> int:
    """Largest resident set that a process had; 0 if it is gone."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[5.0, 20.0, 120.0])
    parser.add_argument("--detector", default="mtcnn")
    arguments = parser.parse_args()
    print("| minutes | frames | peak memory, MB: all processes | of it the worker | seconds | clips |")
    print("|---|---|---|---|---|---|", flush=True)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        minute = minute_or_so(folder)
        for minutes in arguments.minutes:
            path = folder / f"{minutes:g}.mp4"
            loop: list[str | Path] = ["-stream_loop", "-1", "-i", minute, "-t", str(60 * minutes), "-c", "copy", path]
            subprocess.run([*FFMPEG, *loop], check=True)
            frames, whole, worker, seconds, clips = measure(path, folder / path.stem, arguments.detector)
            print(f"| {minutes:g} | {frames} | {whole:.0f} | {worker:.0f} | {seconds:.0f} | {clips} |", flush=True)
            path.unlink()


if __name__ == "__main__":
    main()
