"""A web server for the tests of downloads: real files, and every way in which real servers fail."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

TYPES = {".mp4": "video/mp4", ".webm": "video/webm", ".m4a": "audio/mp4", ".html": "text/html", ".mpd": "text/xml"}
TYPES |= {".m3u8": "application/vnd.apple.mpegurl", ".ts": "video/mp2t", ".m4s": "video/iso.segment"}


@dataclass
class Served:
    """One request as the rules see it: they may send what they like and then say True."""

    handler: BaseHTTPRequestHandler
    path: str
    number: int  # of requests for this path so far, from 1
    body: bytes
    start: int  # of the range asked for

    def head(self, status: int, **headers: object) -> None:
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), str(value))
        self.handler.end_headers()

    def send(self, content: bytes) -> None:
        self.handler.wfile.write(content)
        self.handler.wfile.flush()


Rule = Callable[[Served], bool]


@dataclass
class Server:
    """`rules` by path; a path without one is served as it lies in `root`, ranges and all."""

    root: Path
    url: str = ""
    rules: dict[str, Rule] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)  # path, Range
    counts: Counter[str] = field(default_factory=Counter)
    ranges: bool = True
    closing: threading.Event = field(default_factory=threading.Event)

    def at(self, name: str) -> str:
        return f"{self.url}/{name}"


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    """Serve a folder on a free port of this machine."""
    state = Server(root)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            path = urlsplit(self.path).path.lstrip("/")
            asked = self.headers.get("Range", "")
            state.requests.append((path, asked))
            state.counts[path] += 1
            file = root / path
            body = file.read_bytes() if file.is_file() else b""
            match = re.fullmatch(r"bytes=(\d+)-(\d*)", asked) if state.ranges else None
            start = int(match[1]) if match else 0
            served = Served(self, path, state.counts[path], body, start)
            try:
                if path in state.rules and state.rules[path](served):
                    return
                if not file.is_file():
                    served.head(404, Content_Length=0)
                    return
                end = int(match[2]) + 1 if match and match[2] else len(body)
                if match and start >= len(body):
                    served.head(416, Content_Range=f"bytes */{len(body)}", Content_Length=0)
                    return
                extra = {"Content_Range": f"bytes {start}-{end - 1}/{len(body)}"} if match else {}
                kind = TYPES.get(file.suffix, "application/octet-stream")
                part = body[start:end]
                served.head(206 if match else 200, Content_Type=kind, Content_Length=len(part), **extra)
                served.send(part)
            except (BrokenPipeError, ConnectionResetError):
                pass

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()


def status(code: int, times: int = 10**9, **headers: object) -> Rule:
    """Answer with this status for so many requests, then as always."""

    def rule(served: Served) -> bool:
        if served.number > times:
            return False
        served.head(code, Content_Length=0, **headers)
        return True

    return rule


def cut(at: int, skip: int = 1, times: int = 10**9, stated: int | None = None) -> Rule:
    """After `skip` requests (the first look at a page is one), end `times` answers after `at` bytes.

    `stated`: the Content-Length, instead of the right one."""

    def rule(served: Served) -> bool:
        if not skip < served.number <= skip + times:
            return False
        left = len(served.body) - served.start
        extra = {"Content_Range": f"bytes {served.start}-{len(served.body) - 1}/{len(served.body)}"}
        served.head(
            206 if served.start else 200,
            Content_Type="video/mp4",
            Content_Length=left if stated is None else stated,
            **(extra if served.start else {}),
        )
        served.send(served.body[served.start : served.start + at])
        return True

    return rule


def slow(server: Server, block: int, every_s: float, skip: int = 1, times: int = 10**9) -> Rule:
    """After `skip` requests, send `block` bytes at a time with a pause between; 0 bytes: nothing at all."""

    def rule(served: Served) -> bool:
        if not skip < served.number <= skip + times:
            return False
        served.head(200, Content_Type="video/mp4", Content_Length=len(served.body))
        at = 0
        while at < len(served.body) and not server.closing.wait(every_s):
            served.send(served.body[at : at + block])
            at += block
        return True

    return rule


def page(content: bytes, kind: str = "text/html") -> Rule:
    """Answer with this page."""

    def rule(served: Served) -> bool:
        served.head(200, Content_Type=kind, Content_Length=len(content))
        served.send(content)
        return True

    return rule


class Hands:
    """A clock whose sleeps take no time and are written down."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._ahead = 0.0

    def now(self) -> float:
        return time.monotonic() + self._ahead

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._ahead += seconds
