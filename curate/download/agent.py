"""The other end of `child`: starts it, watches what it writes, and ends it when nothing moves."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.download.failures import Failure, classify, clean
from curate.download.options import Options
from curate.errors import MissingPrerequisite, UserError

_POLL_S = 0.2
_START_S = 120.0  # a busy machine may take long to load yt-dlp
_LOOPBACK = "127.0.0.1,localhost,::1"


def ffmpeg_path() -> Path:
    """The ffmpeg of the wheel, or that of $IMAGEIO_FFMPEG_EXE; `MissingPrerequisite` where there is neither."""
    none = MissingPrerequisite("there is no ffmpeg in imageio-ffmpeg: pip install --force-reinstall imageio-ffmpeg")
    try:
        import imageio_ffmpeg  # type: ignore[import-untyped]  # the package has no types

        path = Path(imageio_ffmpeg.get_ffmpeg_exe())  # that of the system, where the wheel has none
    except (ImportError, RuntimeError) as error:
        raise none from error
    if not path.is_relative_to(Path(imageio_ffmpeg.__file__).parent) and not os.environ.get("IMAGEIO_FFMPEG_EXE"):
        raise none
    return path


@dataclass(frozen=True)
class Order:
    """What to download: formats by their ids, into `folder` as `name` and an extension."""

    url: str
    folder: Path
    name: str
    video: str
    audio: str | None
    ext: str | None  # None: as it comes
    section: tuple[float, float] | None = None  # seconds; None: all of it


class Agent:
    """One process of yt-dlp, started when it is needed first and again after it had to be ended."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._private: Path | None = None  # a folder of our own for the copy of the cookies, which yt-dlp rewrites

    def probe(self, url: str) -> dict[str, Any]:
        """yt-dlp's info dict; `Failure`."""
        answer = self._ask({"job": "probe", "url": url}, None)
        info: dict[str, Any] = answer["info"]
        return info

    def fetch(self, order: Order) -> Path:
        """Download; parts stay in the order's folder when it fails, and the next try goes on from them. `Failure`."""
        order.folder.mkdir(parents=True, exist_ok=True)
        job = {**vars(order), "job": "fetch", "folder": str(order.folder.resolve())}
        return order.folder / str(self._ask(job, order.folder)["file"])

    def close(self) -> None:
        """End the process, and all that it started."""
        if self._process is not None:
            process, self._process = self._process, None
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if hasattr(os, "killpg"):
                    os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()
        if self._private is not None:
            shutil.rmtree(self._private, ignore_errors=True)
            self._private = None

    def _ask(self, job: dict[str, Any], folder: Path | None) -> dict[str, Any]:
        process = self._started()
        assert process.stdin is not None  # noqa: S101  it was asked for
        watch = _Watch(self._options, folder or Path())
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            while True:
                try:
                    answer = self._answers.get(timeout=_POLL_S)
                except queue.Empty:
                    watch.look()
                    continue
                if answer is None:
                    raise Failure("other", "the process of the download died")
                if "phase" not in answer:
                    break
                watch.enter(answer["phase"])
        except OSError as error:
            self.close()
            raise Failure("other", "the process of the download died") from error
        except BaseException:  # a stall, or Ctrl-C
            self.close()
            raise
        if "failed" in answer:
            failed = answer["failed"]
            kind = classify(failed["message"], failed["errno"])
            raise Failure(kind, clean(failed["message"]), retry_after_s=failed["retry_after_s"])
        return answer

    def _started(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        settings = {
            "ffmpeg": str(ffmpeg_path()),
            "timeout_s": self._options.timeout_s,
            "cookies": str(self._copied_cookies()) if self._options.cookies else None,
        }
        environment = dict(os.environ)
        for name in ("no_proxy", "NO_PROXY"):  # this machine is never reached through a proxy
            environment[name] = ",".join(filter(None, (os.environ.get(name), _LOOPBACK)))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "curate.download.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,
        )
        assert self._process.stdin is not None  # noqa: S101  it was asked for
        self._answers = queue.Queue()
        threading.Thread(target=_listen, args=(self._process, self._answers), daemon=True).start()
        self._process.stdin.write(json.dumps(settings) + "\n")
        self._process.stdin.flush()
        try:
            ready = self._answers.get(timeout=_START_S)
        except queue.Empty:
            ready = None
        if ready is None:
            self.close()
            raise MissingPrerequisite("yt-dlp could not be started: see what is wrong with curate doctor")
        return self._process

    def _copied_cookies(self) -> Path:
        source = self._options.cookies
        assert source is not None  # noqa: S101  the caller looked
        try:
            content = source.read_bytes()
        except OSError as error:
            raise UserError(f"cookies file {source} cannot be read: {error.strerror}") from error
        self._private = Path(tempfile.mkdtemp(prefix="curate-"))  # for this user alone
        copy = self._private / "cookies.txt"
        copy.write_bytes(content)
        return copy


def _listen(process: subprocess.Popen[str], answers: queue.Queue[dict[str, Any] | None]) -> None:
    assert process.stdout is not None  # noqa: S101  it was asked for
    with contextlib.suppress(OSError, ValueError):
        for line in process.stdout:
            answers.put(json.loads(line))
    answers.put(None)


class _Watch:
    """Whether a job still gets on: by the clock while it asks a site, then by the files that it writes."""

    def __init__(self, options: Options, folder: Path) -> None:
        self._phase = "ask"  # then download, then perhaps merge
        self._options = options
        self._folder = folder
        self._start = self._moved = time.monotonic()
        self._seen: tuple[int, int] = (0, 0)
        self._sizes: deque[tuple[float, int]] = deque()

    def enter(self, phase: str) -> None:
        """The job says that it is in another phase."""
        self._phase, self._moved = phase, time.monotonic()

    def look(self) -> None:
        """`Failure` (network) when it does not."""
        now, options = time.monotonic(), self._options
        if self._phase == "ask":
            if now - self._start > options.probe_s:
                raise Failure("network", f"timed out: no answer in {options.probe_s:g} s")
            return
        seen = folder_state(self._folder)
        if seen != self._seen:
            self._seen, self._moved = seen, now
        elif now - self._moved > options.stall_s:
            raise Failure("network", f"stalled: nothing came for {options.stall_s:g} s")
        self._sizes.append((now, seen[0]))
        while len(self._sizes) > 1 and now - self._sizes[1][0] >= options.slow_s:
            self._sizes.popleft()
        since, size = self._sizes[0]
        if self._phase == "download" and now - since >= options.slow_s:
            rate = (seen[0] - size) / (now - since)
            if rate < options.min_rate:
                raise Failure("network", f"too slow: {rate:.0f} bytes per second over {options.slow_s:g} s")


def folder_state(folder: Path) -> tuple[int, int]:
    """Bytes of all files in a folder and the time of the latest change, nanoseconds."""
    size, changed = 0, 0
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):
                stat = entry.stat()
                size, changed = size + stat.st_size, max(changed, stat.st_mtime_ns)
    return size, changed
