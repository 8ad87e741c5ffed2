"""One file over HTTP: goes on where it stopped, tries again, and is there under its name only when it is right."""

from __future__ import annotations

import http.client
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from curate.console import say
from curate.errors import MissingPrerequisite
from curate.files import sha256_file

BLOCK = 1 << 18
ATTEMPTS = 5
TIMEOUT_S = 30.0
SPARE = 64 << 20  # bytes that stay free on the disk
LASTING = (400, 401, 403, 404, 410, 451)  # answers that another attempt does not change


class NotFetched(MissingPrerequisite):
    """A file could not be had from an address; the message is the reason."""


Progress = Callable[[int, int], None]
"""Called as progress(bytes here, bytes in all or 0 where nobody says)."""


def fetch(
    url: str,
    target: Path,
    *,
    sha256: str = "",
    size: int = 0,
    progress: Progress | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> Path:
    """Download `url` to `target`. `sha256`, `size`: what the file must have, where that is known.

    What has come is kept in `<target>.part`, so that the next attempt, in this process or another, asks for the rest
    alone; a server whose file changed meanwhile sends all of it. Raises `NotFetched`.
    """
    part, mark = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.part-of")
    target.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(ATTEMPTS):
        try:
            whole = _continue(url, part, mark, size, progress)
            break
        except urllib.error.HTTPError as error:
            if error.code == 416:  # what is here is longer than the file: begin again
                part.unlink(missing_ok=True)
            reason = f"the server answers {error.code} {error.reason}"
            if error.code in LASTING:
                raise NotFetched(f"{url}: {reason}") from error
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        if attempt + 1 == ATTEMPTS:
            raise NotFetched(f"{url}: {reason} ({ATTEMPTS} attempts); the same command goes on from here")
        say(f"{url}: {reason}; trying again")
        wait(2.0**attempt)
    if size and whole != size:
        _discard(part, mark)
        raise NotFetched(f"{url}: the file has {whole} bytes, expected {size}")
    if sha256 and (actual := sha256_file(part)) != sha256:
        _discard(part, mark)
        raise NotFetched(f"{url}: what came is another file: its sha256 is {actual}, not {sha256}")
    part.replace(target)
    mark.unlink(missing_ok=True)
    return target


def _discard(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _continue(url: str, part: Path, mark: Path, size: int, progress: Progress | None) -> int:
    """Get what lacks; gives the bytes that are here then."""
    here = part.stat().st_size if part.exists() else 0
    version = mark.read_text() if mark.exists() else ""
    request = urllib.request.Request(url, headers={"User-Agent": "talkinghead-bench"})  # noqa: S310  ours, from TOML
    if here and version:
        request.add_header("Range", f"bytes={here}-")
        request.add_header("If-Range", version)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
        kind = answer.headers.get("Content-Type", "")
        if kind.startswith("text/html"):
            raise NotFetched(f"{url}: the server sends a web page instead of the file")
        resumed = answer.status == 206
        here = here if resumed else 0
        length = answer.headers.get("Content-Length")
        total = here + int(length) if length else size
        free = shutil.disk_usage(part.parent).free
        if total - here + SPARE > free:
            raise NotFetched(
                f"{part.parent}: {(total - here) / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free: make room"
            )
        mark.write_text(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
        with part.open("ab" if resumed else "wb") as file:
            while block := answer.read(BLOCK):
                file.write(block)
                here += len(block)
                if progress is not None:
                    progress(here, total)
    if total and here < total:
        raise ConnectionError(f"the connection ended after {here} of {total} bytes")
    return here
