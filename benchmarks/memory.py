"""Peak memory of curating one 1080p video, by its length: it must not grow with it.

    python benchmarks/memory.py [--minutes 5 20 120] [--detector yunet]

A rendered face is played again and again into videos of 1920 x 1080 at 30 frames a second, each worked on by a process
of its own: analysis, selection and crops.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio_ffmpeg


def work(path: Path, out: Path, detector: str) -> None:
    """In a process of its own: curate one video and print what it took."""
    from curate.files import sha256_file
    from curate.rows import VideoTask
    from curate.settings import AnalysisSettings, SelectionSettings, Settings
    from curate.worker import process

    settings = Settings(analysis=AnalysisSettings(detector=detector), selection=SelectionSettings(min_res=512))
    begun = time.perf_counter()
    result = process(VideoTask(path, "video", sha256_file(path), out, settings, 1))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak": peak, "seconds": time.perf_counter() - begun, "clips": len(result.clips)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[5.0, 20.0, 120.0])
    parser.add_argument("--detector", default="mtcnn")
    parser.add_argument("--work", nargs=2, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(*arguments.work, arguments.detector)
        return
    print("| minutes | peak memory, MB | seconds | clips |")
    print("|---|---|---|---|")
    with TemporaryDirectory() as scratch:
        from curate.synth.raw import RawRecipe, make_raw

        folder = Path(scratch)
        make_raw(folder / "raw", RawRecipe(seconds=2.0, height=360))
        rendered = folder / "raw" / "sound.mp4"  # one person
        ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y"]
        large = folder / "large.mp4"
        x264 = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-c:a", "aac"]
        scale = ["-vf", "scale=1920:1080", "-r", "30"]
        subprocess.run([*ffmpeg, "-i", rendered, *scale, *x264, large], check=True)
        for minutes in arguments.minutes:
            path = folder / f"{minutes:g}.mp4"
            loop = ["-stream_loop", "-1", "-i", large, "-t", str(60 * minutes), "-c", "copy", path]
            subprocess.run([*ffmpeg, *loop], check=True)
            command = [sys.executable, __file__, "--detector", arguments.detector, "--work", path, folder / path.stem]
            done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            print(f"| {minutes:g} | {found['peak']:.0f} | {found['seconds']:.0f} | {found['clips']} |", flush=True)


if __name__ == "__main__":
    main()
