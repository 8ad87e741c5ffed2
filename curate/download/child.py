"""The process in which yt-dlp runs: one job a line on stdin, one answer a line on stdout.

It is a process of its own so that whatever hangs in it (a server that trickles, a merge, a name that does not
resolve) can be ended from outside. It ends itself, with all that it started, when its parent is gone.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

Send = Callable[[dict[str, Any]], None]
Info = dict[str, Any]
RUNTIMES: dict[str, dict[str, str]] = {"deno": {}, "node": {}, "bun": {}, "quickjs": {}}
"""Programs that run JavaScript, in yt-dlp's order of preference: whichever is there is used. YouTube needs one."""


class _Silent:
    """yt-dlp's log, not kept: errors come as exceptions."""

    def debug(self, message: str) -> None: ...

    def info(self, message: str) -> None: ...

    def warning(self, message: str) -> None: ...

    def error(self, message: str) -> None: ...


def parameters(settings: Mapping[str, Any]) -> dict[str, Any]:
    """yt-dlp's parameters that all jobs share. It never retries: who reads its answers decides that."""
    return {
        "quiet": True,
        "noprogress": True,
        "no_color": True,
        "logger": _Silent(),
        "cachedir": False,
        "noplaylist": True,
        "socket_timeout": settings["timeout_s"],
        "retries": 0,
        "fragment_retries": 0,
        "extractor_retries": 0,
        "file_access_retries": 1,
        "skip_unavailable_fragments": False,  # else a video with holes would pass for a whole one
        "continuedl": True,
        "updatetime": False,
        "fixup": "detect_or_warn",
        "ffmpeg_location": settings["ffmpeg"],
        "cookiefile": settings["cookies"],
        "js_runtimes": RUNTIMES,
        # what yt-dlp hands to ffmpeg has no timeout of its own
        "external_downloader_args": {"ffmpeg_i": ["-rw_timeout", str(int(settings["timeout_s"] * 1e6))]},
    }


class Worker:
    """Does jobs. What it last learned of a video is kept, so that a download needs no second look at the page."""

    def __init__(self, settings: Mapping[str, Any], send: Send) -> None:
        import yt_dlp
        from yt_dlp.postprocessor.ffmpeg import FFmpegPostProcessor

        FFmpegPostProcessor._ffmpeg_location.set(settings["ffmpeg"])  # where sections look, which ignore the parameter
        self._parameters = parameters(settings)
        self._send = send
        self._known: tuple[str, Info] | None = None
        yt_dlp.YoutubeDL(self._parameters).close()  # loads all that it loads on first use

    def probe(self, url: str) -> Info:
        """The info dict of the one video behind `url`."""
        import yt_dlp

        self._known = None
        with yt_dlp.YoutubeDL(self._parameters) as ydl:
            info: Info | None = ydl.extract_info(url, download=False)
            if not info or info.get("_type", "video") != "video":
                raise ValueError("Unsupported URL: a page with several videos")
            if info.get("is_live") or info.get("live_status") == "is_upcoming":
                raise ValueError("currently live, or yet to come")  # a recording would have no end
            info = ydl.sanitize_info(info, remove_private_keys=True)
        self._known = (url, info)
        return info

    def fetch(self, job: Mapping[str, Any]) -> str:
        """Download into the folder that the job names; the name of the file there."""
        import yt_dlp

        url = str(job["url"])
        info = self._known[1] if self._known and self._known[0] == url else self.probe(url)
        self._known = None  # addresses in it grow old: a second try asks again
        os.chdir(job["folder"])
        self._send({"phase": "download"})
        wanted = {
            **self._parameters,
            "outtmpl": {"default": f"{job['name']}.%(ext)s"},
            "format": _selector(job["video"], job["audio"], job["ext"]),
            "postprocessor_hooks": [self._on_postprocessing],
        }
        if job["section"]:
            start, end = job["section"]
            wanted["download_ranges"] = lambda *_: [{"start_time": start, "end_time": end}]
        with yt_dlp.YoutubeDL(wanted) as ydl:
            done = ydl.process_ie_result(info, download=True)
        files = [entry.get("filepath") for entry in done.get("requested_downloads") or ()]
        if len(files) != 1 or not files[0] or not Path(files[0]).is_file():
            raise ValueError("Did not get any data blocks")
        return Path(files[0]).name

    def _on_postprocessing(self, status: Mapping[str, Any]) -> None:
        if status.get("status") == "started":
            self._send({"phase": "merge"})


def _selector(video: str, audio: str | None, ext: str | None) -> Callable[[Info], Iterator[Info]]:
    """The formats of these ids and no other; names of formats cannot be taken for yt-dlp's words this way."""

    def select(context: Info) -> Iterator[Info]:
        from yt_dlp.utils import get_compatible_ext

        by_id = {entry["format_id"]: entry for entry in context["formats"]}
        if video not in by_id or (audio is not None and audio not in by_id):
            return
        if audio is None:
            yield {**by_id[video], "ext": ext or by_id[video]["ext"]}
            return
        picture, sound = by_id[video], by_id[audio]
        container = ext or get_compatible_ext(
            vcodecs=[picture.get("vcodec")],
            acodecs=[sound.get("acodec")],
            vexts=[picture["ext"]],
            aexts=[sound["ext"]],
        )
        yield {
            "format_id": f"{video}+{audio}",
            "ext": container,
            "requested_formats": [picture, sound],
            "protocol": f"{picture['protocol']}+{sound['protocol']}",
        }

    return select


def describe(error: BaseException) -> dict[str, Any]:
    """What the other side needs to know of an error: words, the system's error code, what the server asked for."""
    code: int | None = None
    after: float | None = None
    for link in _chain(error):
        if isinstance(link, OSError) and link.errno is not None and code is None:
            code = link.errno
        response = getattr(link, "response", None)
        asked = response.headers.get("Retry-After") if response is not None else None
        if asked and str(asked).strip().isdigit():
            after = float(asked)
    return {"message": f"{error}" or type(error).__name__, "errno": code, "retry_after_s": after}


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    todo: list[object] = [error]
    while todo:
        link = todo.pop()
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        inner = getattr(link, "exc_info", None)
        todo += [link.__cause__, link.__context__, getattr(link, "cause", None), inner[1] if inner else None]


def _answer(worker: Worker, job: Mapping[str, Any]) -> dict[str, Any]:
    try:
        if job["job"] == "probe":
            return {"info": worker.probe(str(job["url"]))}
        return {"file": worker.fetch(job)}
    except Exception as error:  # noqa: BLE001  whatever a site's extractor does goes to the ledger, not to a traceback
        return {"failed": describe(error)}


def _read(lines: TextIO, jobs: queue.Queue[dict[str, Any]]) -> None:
    for line in lines:
        jobs.put(json.loads(line))
    if hasattr(os, "killpg"):
        os.killpg(os.getpgrp(), signal.SIGKILL)  # the parent is gone: end, and ffmpeg with us
    os._exit(1)


def main() -> None:
    """Serve until the parent closes stdin. What yt-dlp or ffmpeg print goes nowhere."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    quiet = os.open(os.devnull, os.O_RDWR)
    lines = os.fdopen(os.dup(0), "r", encoding="utf-8")
    os.dup2(quiet, 0)
    os.dup2(quiet, 1)

    def send(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    settings = json.loads(lines.readline())
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read, args=(lines, jobs), daemon=True).start()
    worker = Worker(settings, send)
    send({"ready": True})  # only now, for loading takes seconds
    while True:
        send(_answer(worker, jobs.get()))


if __name__ == "__main__":
    main()
