"""Probing and fetching single videos: pauses between requests, and another try where the kind of error allows it."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from curate.download.agent import Agent, Order, folder_state
from curate.download.check import lacking
from curate.download.choose import Choice, choose
from curate.download.facts import Facts, from_info, is_license
from curate.download.failures import Failure, wait_s
from curate.download.options import Clock, Options
from curate.download.sections import Section, plan

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Piece:
    """One file of a video. A moment `t` in it is the moment `offset_s + t` of the video."""

    path: Path
    offset_s: float = 0.0
    end_s: float | None = None  # of a section: up to here no frame is missing, a few with gaps may follow; None: all
    part: int | None = None  # TalkingHead-1KH: the number of the 60 s chunk that this is; its offset is not known


@dataclass(frozen=True)
class Downloaded:
    """What a download gave."""

    pieces: tuple[Piece, ...]
    bytes: int
    seconds: float
    format_id: str
    why: str  # this format
    attempts: int


def safe_name(video_id: str) -> str:
    """A file name for an id: the id itself where it is harmless, else what is harmless of it and a hash.

    >>> safe_name("-abcDEF_123"), safe_name("../../etc/passwd")
    ('-abcDEF_123', 'etc_passwd-3754d6cb')
    """
    if re.fullmatch(r"[A-Za-z0-9_-]{1,80}", video_id):
        return video_id
    kept = re.sub(r"[^A-Za-z0-9_-]+", "_", video_id).strip("_")[:60]
    return f"{kept or 'video'}-{hashlib.sha256(video_id.encode(errors='surrogatepass')).hexdigest()[:8]}"


class Session:
    """One line of requests, one after the other. Close it (or use `with`): it holds a process."""

    def __init__(self, options: Options, *, clock: Clock | None = None) -> None:
        self.options = options
        self.clock = clock or Clock()
        self._jitter = random.Random(options.seed)  # noqa: S311  no secret
        self._agent = Agent(options)
        self._last = float("-inf")

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._agent.close()

    def probe(self, url: str, video_id: str) -> tuple[Facts, int]:
        """What the site says of a video, and the number of tries; no byte of it is downloaded. `Failure` after the last
        try."""
        return self._retried(lambda: from_info(self._agent.probe(url), video_id, url))

    def fetch(self, facts: Facts, raw: Path, spans: Sequence[Section] | None = None) -> Downloaded:
        """Download a video (or what holds `spans` of it) into `raw`. A file has its name only when it is whole; parts
        lie in a folder beside it, from which the next try, or the next run, goes on. `Failure` after the last try."""
        started = self.clock.now()
        name, options = safe_name(facts.video_id), self.options
        sections = plan(spans, options.margin_s, facts.duration_s) if spans else ()
        choice = chosen(facts, options)
        if sections:
            try:
                choice = chosen(facts, options, mp4_only=True)  # there a cut is exact, by an edit list
            except Failure:
                sections = ()
        pieces, attempts = [], 1
        for section in sections or (None,):
            path, tries = self._fetch_one(facts, choice, raw, name, section)
            attempts = max(attempts, tries)
            pieces.append(Piece(path, *section) if section else Piece(path))
        size = sum(piece.path.stat().st_size for piece in pieces)
        seconds = self.clock.now() - started
        return Downloaded(tuple(pieces), size, seconds, choice.format_id, choice.why, attempts)

    def _fetch_one(
        self, facts: Facts, choice: Choice, raw: Path, name: str, section: Section | None
    ) -> tuple[Path, int]:
        name = name if section is None else section_name(name, section)
        folder = raw / f"{name}.part"
        digest = hashlib.sha256(choice.format_id.encode()).hexdigest()[
            :8
        ]  # parts of another format are not gone on from
        order = Order(
            url=facts.url,
            folder=folder,
            name=f"video-{digest}",
            video=choice.video.format_id,
            audio=choice.audio.format_id if choice.audio else None,
            ext="mp4" if section else None,
            section=section,
        )
        expected = section[1] - section[0] if section else facts.duration_s

        def attempt() -> Path:
            try:
                path = self._agent.fetch(order)
            except Failure as failure:
                if failure.policy.from_scratch:
                    shutil.rmtree(folder, ignore_errors=True)
                raise
            if missing := lacking(path, expected):
                shutil.rmtree(folder, ignore_errors=True)
                raise Failure("network", missing)
            final = raw / f"{name}{path.suffix}"
            path.replace(final)
            shutil.rmtree(folder, ignore_errors=True)
            return final

        try:
            return self._retried(attempt, folder)
        except OSError as error:
            raise Failure("disk", f"{error.strerror or error}") from error

    def _retried(self, action: Callable[[], _Result], folder: Path | None = None) -> tuple[_Result, int]:
        """Result and number of tries. A try after which more of the file is there than ever before does not count."""
        counted, tries, most = 0, 0, folder_state(folder)[0] if folder else 0
        while True:
            self._pause()
            tries += 1
            try:
                return action(), tries
            except Failure as failure:
                there = folder_state(folder)[0] if folder else 0
                counted = 1 if there > most else counted + 1
                most = max(most, there)
                if counted >= min(failure.policy.attempts, self.options.attempts):
                    raise Failure(failure.error_class, failure.reason, attempts=tries) from failure
                self.clock.sleep(wait_s(failure, counted, self._jitter))

    def _pause(self) -> None:
        gap = self.options.pause_s * self._jitter.uniform(0.5, 1.5)
        wait = self._last + gap - self.clock.now()
        if wait > 0:
            self.clock.sleep(wait)
        self._last = self.clock.now()


def chosen(facts: Facts, options: Options, *, mp4_only: bool = False) -> Choice:
    """The format that meets the options; `Failure` (license, no_format) with the reason."""
    wanted = options.license
    if wanted and not is_license(facts.license, wanted):
        raise Failure("license", f"licence is {facts.license or 'not said'}, {wanted} wanted")
    choice = choose(
        facts.formats,
        min_res=options.min_res,
        min_bitrate=options.min_bitrate,
        max_res=options.max_res,
        mp4_only=mp4_only,
    )
    if isinstance(choice, str):
        raise Failure("no_format", choice)
    return choice


def discard_parts(raw: Path, video_id: str) -> None:
    """Remove what unfinished downloads of a video left; it will not be gone on with."""
    name = safe_name(video_id)
    for folder in (raw / f"{name}.part", *raw.glob(f"{name}.*-*.part")):  # all of it; sections of it
        shutil.rmtree(folder, ignore_errors=True)


def section_name(name: str, section: Section) -> str:
    """File name of a section, without its suffix: milliseconds of start and end."""
    return f"{name}.{round(section[0] * 1000)}-{round(section[1] * 1000)}"


def probe(url: str, options: Options, video_id: str = "video") -> Facts:
    """What the site says of one video. `Failure`."""
    with Session(options) as session:
        return session.probe(url, video_id)[0]


def fetch(url: str, raw: Path, options: Options, video_id: str = "video", spans: Sequence[Section] = ()) -> Downloaded:
    """Download one video, or what holds `spans` of it, into the folder `raw`. `Failure`."""
    raw.mkdir(parents=True, exist_ok=True)
    with Session(options) as session:
        return session.fetch(session.probe(url, video_id)[0], raw, spans)
