"""The page to others on a shared machine: read-only, on the loopback address unless told otherwise.

The page is made into a folder of its own before the first answer; of requests nothing but the path of a file in that
folder is used. A request that names another host is refused, so that no web page can read this one through a name that
was bound to the loopback address.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

LOCAL = ("localhost", "127.0.0.1", "[::1]")


class _Handler(SimpleHTTPRequestHandler):
    server_version = "leaderboard"
    sys_version = ""

    def send_head(self) -> Any:
        """The file asked for: never a list of a folder's files."""
        host = (self.headers.get("Host") or "").rsplit(":", 1)[0]
        bound = str(self.request.getsockname()[0])
        if ip_address(bound).is_loopback and host not in LOCAL:
            self.send_error(HTTPStatus.FORBIDDEN)
            return None
        return super().send_head()

    def list_directory(self, path: Any) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a request's text is untrusted."""


def server(folder: Path, host: str = "127.0.0.1", port: int = 8000) -> ThreadingHTTPServer:
    """A server of the files in `folder`, bound and not yet answering; port 0 takes a free one."""
    return ThreadingHTTPServer((host, port), partial(_Handler, directory=str(folder)))
