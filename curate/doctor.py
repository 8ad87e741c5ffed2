"""What a machine has and lacks for curation, each thing that is missing with the one command that mends it."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.cookiejar import LoadError, MozillaCookieJar
from pathlib import Path
from typing import Literal

from curate.errors import UserError

PYTHON = (3, 11)
PACKAGES = {  # distribution: module
    "av": "av",
    "decord": "decord",
    "duckdb": "duckdb",
    "numpy": "numpy",
    "opencv-python-headless": "cv2",
    "pyarrow": "pyarrow",
    "pydantic": "pydantic",
    "torch": "torch",
    "facenet-pytorch": "facenet_pytorch",
    "yt-dlp": "yt_dlp",
    "imageio-ffmpeg": "imageio_ffmpeg",
}
SITE = "https://www.youtube.com/robots.txt"


@dataclass(frozen=True)
class Check:
    """One thing looked at. missing: curation cannot do without. note: only some of it needs that."""

    name: str
    state: Literal["ok", "missing", "note"]
    found: str
    mend: str = ""  # one command


def examine(
    folder: Path, *, detector: str = "mtcnn", cookies: Path | None = None, network: bool = False
) -> Iterator[Check]:
    """Look at everything that a build into `folder` with this detector needs, in order of what rests on what.

    With `network`, what downloads need is needed too, and one small file is asked for; without it nothing is sent.
    """
    yield _python()
    yield from (_package(name, module) for name, module in PACKAGES.items())
    yield _ray()
    yield _tried("encode and decode", _codecs, "pip install --force-reinstall av decord")
    yield _tried("ffmpeg", _ffmpeg, "pip install --force-reinstall imageio-ffmpeg")
    yield from _networks(detector)
    yield _disk(folder)
    yield from _youtube(needed=network)
    if cookies is not None:
        yield _cookies(cookies)
    if network:
        yield _reach()


def _tried(name: str, look: Callable[[], str], mend: str) -> Check:
    try:
        return Check(name, "ok", look())
    except Exception as error:  # noqa: BLE001  whatever is wrong with a package is what is asked here
        return Check(name, "missing", f"{type(error).__name__}: {error}".splitlines()[0], mend)


def _python() -> Check:
    good = sys.version_info >= PYTHON
    wanted = ".".join(map(str, PYTHON))
    return Check(
        "python",
        "ok" if good else "missing",
        f"{platform.python_version()} ({platform.system()} {platform.machine()}, {os.cpu_count()} cores)",
        "" if good else f"install Python {wanted} or newer",
    )


def _package(name: str, module: str) -> Check:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, "missing", "not installed", f"pip install {name}")
    if importlib.util.find_spec(module) is None:
        return Check(name, "missing", f"{version}, but without its module", f"pip install --force-reinstall {name}")
    return Check(name, "ok", version)


def _ray() -> Check:
    check = _package("ray", "ray")
    if check.state == "ok":
        return check
    return Check("ray", "note", "not installed; only --engine ray needs it", "pip install ray")


def _codecs() -> str:
    """A video of two frames with sound is written and read back, by both readers."""
    import numpy as np

    from curate import video

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.mp4"
        pictures = [np.full((64, 64, 3), grey, np.uint8) for grey in (60, 180)]
        video.write_video(path, pictures, 25, sound=(np.zeros(3840, np.float32), 48_000))
        info = video.info(path)
        by_decoder = sum(1 for _ in video.frames(path))
        by_seeking = len(video.read_frames(path, [0, 1]))
    if (info.codec, info.has_audio, by_decoder, by_seeking) != ("h264", True, 2, 2):
        raise RuntimeError(f"two frames came back as {by_decoder} and {by_seeking}, {info}")
    return "H.264 (libx264) and AAC written and read"


def _ffmpeg() -> str:
    from curate.download.agent import ffmpeg_path

    path = ffmpeg_path()
    done = subprocess.run([str(path), "-version"], capture_output=True, text=True, check=True, timeout=60)
    words = done.stdout.split()
    return f"{words[2]} ({path.name})"


def _networks(detector: str) -> Iterator[Check]:
    """The detector that is asked for must load; of the other networks it is said whether their files are there."""
    from curate.perception import detector_names, load_detector
    from curate.perception.spec import read_spec, spec_files

    for name in sorted({detector, *(name for name in detector_names() if name not in spec_files())}):
        try:
            info = load_detector(name).info
            yield Check(f"detector {name}", "ok", f"{info.sha256[:8]}, licence {info.licence}")
        except (UserError, ImportError) as error:
            state: Literal["missing", "note"] = "missing" if name == detector else "note"
            what, _, mend = str(error).splitlines()[0].partition("): ")
            found = f"{what})" if mend else what
            yield Check(f"detector {name}", state, found, mend or "curate doctor --detector mtcnn")
    for name, path in sorted(spec_files().items()):
        if name == detector:
            continue
        try:
            spec = read_spec(path)
            spec.locate()
            yield Check(f"network {name}", "ok", f"{spec.info.sha256[:8]}, licence {spec.licence}")
        except UserError as error:
            what, _, mend = str(error).partition("): ")
            yield Check(f"network {name}", "note", f"{what})" if mend else what, mend)


def _disk(folder: Path) -> Check:
    from curate.download.options import Options

    place = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return Check("disk", "missing", f"{place} cannot be written", "choose another folder with --out")
    usage = shutil.disk_usage(place)
    said = f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB free in {place}"
    if usage.free < Options().free_bytes:
        return Check("disk", "missing", said, "make room, or choose another folder with --out")
    return Check("disk", "ok", said)


def _youtube(*, needed: bool) -> Iterator[Check]:
    """YouTube gives its better formats only to who can run its scripts."""
    lacking: Literal["missing", "note"] = "missing" if needed else "note"
    if importlib.util.find_spec("yt_dlp_ejs") is None:
        yield Check("YouTube scripts", lacking, "yt-dlp-ejs is not installed", "pip install 'yt-dlp[default]'")
    else:
        yield Check("YouTube scripts", "ok", f"yt-dlp-ejs {importlib.metadata.version('yt-dlp-ejs')}")
    try:
        found = _runtimes()
    except ImportError as error:
        yield Check("JavaScript", lacking, str(error), "pip install --upgrade yt-dlp")
        return
    if good := [said for said, supported in found if supported]:
        yield Check("JavaScript", "ok", ", ".join(good))
    else:
        said = ", ".join(said for said, _ in found) or "no runtime (deno, node, bun or quickjs)"
        yield Check("JavaScript", lacking, f"{said}: too old or absent", "pip install 'yt-dlp[deno]'")


def _runtimes() -> list[tuple[str, bool]]:
    """JavaScript runtimes that yt-dlp finds: name and version, and whether it takes them."""
    import yt_dlp

    from curate.download.child import RUNTIMES

    with yt_dlp.YoutubeDL({"quiet": True, "js_runtimes": RUNTIMES}) as downloader:
        known = [runtime.info for runtime in downloader._js_runtimes.values() if runtime is not None]
    return [(f"{info.name} {info.version}", info.supported is not False) for info in known if info is not None]


def _cookies(path: Path) -> Check:
    export = "export them again from a signed-in browser, as a Netscape cookies.txt"
    jar = MozillaCookieJar(path)
    try:
        jar.load(ignore_discard=True, ignore_expires=True)
    except (LoadError, OSError, UnicodeDecodeError) as error:
        return Check("cookies", "missing", f"{path}: {getattr(error, 'strerror', None) or 'no Netscape file'}", export)
    alive = [cookie for cookie in jar if not cookie.is_expired()]
    sites = sorted({cookie.domain.lstrip(".") for cookie in alive})
    if not alive:
        return Check("cookies", "missing", f"{path}: all {len(jar)} have expired", export)
    return Check("cookies", "ok", f"{len(alive)} of {len(jar)} valid, for {', '.join(sites[:4])}")


def _reach() -> Check:
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    mend = "set HTTPS_PROXY if this network has one, or take videos from a folder with --videos"
    started = time.monotonic()
    try:
        with urlopen(Request(SITE), timeout=15) as answer:
            answer.read(1)
    except (URLError, OSError) as error:
        return Check("network", "missing", f"www.youtube.com does not answer ({getattr(error, 'reason', error)})", mend)
    return Check("network", "ok", f"www.youtube.com answers in {time.monotonic() - started:.1f} s")
