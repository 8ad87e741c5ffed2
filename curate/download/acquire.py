"""The videos of a list, one after the other: out of a folder, or from the network; none is left without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from curate.download.budget import Budget
from curate.download.facts import Facts
from curate.download.failures import Failure
from curate.download.local import SUFFIXES, LocalVideos
from curate.download.options import Clock, Options
from curate.download.outcome import Outcome, State, keep
from curate.download.sections import Section, plan
from curate.download.session import Piece, Session, chosen, discard_parts, safe_name, section_name
from curate.lists.tube import Video

_GO_ON = {
    "bot_check": "the site wants to see a person: export the cookies of a signed-in browser (Netscape format), "
    "then run the same command again with --cookies FILE",
    "rate_limit": "the site limits how much it gives: run the same command again in an hour",
    "network": "the network does not answer: run the same command again when it does",
    "disk": "make room on the disk, or raise --disk-budget, and run the same command again",
}


def acquire(
    videos: Sequence[Video],
    *,
    raw: Path,
    facts: Path,
    options: Options,
    folder: Path | None = None,
    known: Mapping[str, Outcome] | None = None,
    sections: Mapping[str, Sequence[Section]] | None = None,
    clock: Clock | None = None,
) -> Iterator[Outcome]:
    """One outcome a video, in the order of the list, as they come.

    A video is looked for in `folder`, then in `raw` (from an earlier run), then downloaded into `raw`. What is learned
    of it is kept in `facts`. What failed for good in `known` is not tried again. Of a video in `sections` only these
    spans (seconds) are downloaded, where its formats allow it.

    Call `release` on each outcome after use. The iterator waits while released and free room do not suffice for the
    next download, so releases must come from another thread, or before the next outcome is asked for. After
    `options.breaker` errors in a row that are not the videos' own, and on a full disk, no more is downloaded: the rest
    is `waiting`, each with the way to go on.
    """
    local = LocalVideos(folder) if folder else None
    budget = Budget(raw, options.raw_bytes, options.free_bytes)
    breaker = _Breaker(options.breaker)
    known = known or {}
    with Session(options, clock=clock) as session:
        for video in videos:
            spans = tuple((sections or {}).get(video.video_id, ()))
            before = known.get(video.video_id)
            pieces = local.find(video.video_id) if local else ()
            if pieces and local:
                said = local.facts(video.video_id, video.url) or (before.facts if before else None)
                size = sum(piece.path.stat().st_size for piece in pieces)
                outcome = Outcome(video.video_id, "present", pieces, facts=said, bytes=size)
            else:
                outcome = _download(video, spans, before, raw, session, budget, breaker)
            if outcome is not before and (outcome.attempts or outcome.state in ("present", "unavailable")):
                keep(facts, outcome)
            yield outcome


class _Breaker:
    """Counts errors that are not the videos' own; open, it says how to go on."""

    def __init__(self, most: int) -> None:
        self._most, self._row = most, 0
        self.error_class: str | None = None

    def note(self, failure: Failure | None) -> None:
        """After each download: its failure, or None."""
        if failure is None or failure.policy.of_video:
            self._row = 0
            return
        self._row += 1
        if self._row >= self._most or failure.error_class == "disk":
            self.error_class = failure.error_class

    @property
    def message(self) -> str:
        """How to go on."""
        return f"not tried: {_GO_ON[self.error_class]}" if self.error_class else ""


def _download(
    video: Video,
    spans: tuple[Section, ...],
    before: Outcome | None,
    raw: Path,
    session: Session,
    budget: Budget,
    breaker: _Breaker,
) -> Outcome:
    options = session.options
    video_id, said = video.video_id, before.facts if before else None
    if pieces := _downloaded_before(raw, video_id, spans, said, options.margin_s):
        size = sum(piece.path.stat().st_size for piece in pieces)
        budget.settle(video_id, size)
        return _with_files(Outcome(video_id, "downloaded", pieces, facts=said, bytes=size), budget, options.keep_raw)
    if before is not None and before.is_permanent and not options.retry_permanent and not _overtaken(before, options):
        return before
    if video.url is None:
        return Outcome(video_id, "unavailable", error_class="missing", reason="neither a file nor an address")
    if options.offline:
        return Outcome(video_id, "waiting", error_class="missing", reason="not in the folder", facts=said)
    if breaker.error_class:
        return Outcome(video_id, "waiting", error_class=breaker.error_class, reason=breaker.message, facts=said)
    started = session.clock.now()
    attempts = 0
    try:
        raw.mkdir(parents=True, exist_ok=True)
        said, attempts = session.probe(video.url, video_id)
        budget.reserve(video_id, _expected_bytes(said, spans, options))
        done = session.fetch(said, raw, spans)
    except (Failure, OSError) as error:
        budget.release(video_id)
        failure = error if isinstance(error, Failure) else Failure("disk", str(error))
        breaker.note(failure)
        state: State = "unavailable" if failure.policy.permanent else "waiting"
        if failure.policy.permanent:
            discard_parts(raw, video_id)
        return Outcome(
            video_id,
            state,
            error_class=failure.error_class,
            reason=f"{failure.reason}; {_GO_ON[failure.error_class]}" if breaker.error_class else failure.reason,
            attempts=max(attempts, failure.attempts),
            facts=said,
            seconds=session.clock.now() - started,
            signed_in=options.cookies is not None,
        )
    breaker.note(None)
    budget.settle(video_id, done.bytes)
    outcome = Outcome(
        video_id,
        "downloaded",
        done.pieces,
        attempts=max(attempts, done.attempts),
        facts=said,
        bytes=done.bytes,
        seconds=session.clock.now() - started,
        format_id=done.format_id,
        why=done.why,
        signed_in=options.cookies is not None,
        sections=tuple((piece.offset_s, piece.end_s) for piece in done.pieces if piece.end_s is not None),
    )
    return _with_files(outcome, budget, options.keep_raw)


def _downloaded_before(
    raw: Path, video_id: str, spans: tuple[Section, ...], said: Facts | None, margin_s: float
) -> tuple[Piece, ...]:
    """Files that an earlier run left: all of the video, or all sections of it that are wanted now."""
    name = safe_name(video_id)
    for suffix in SUFFIXES:
        if (path := raw / f"{name}{suffix}").is_file():
            return (Piece(path),)
    sections = plan(spans, margin_s, said.duration_s if said else None)
    pieces = tuple(Piece(raw / f"{section_name(name, section)}.mp4", *section) for section in sections)
    return pieces if all(piece.path.is_file() for piece in pieces) else ()


def _expected_bytes(said: Facts, spans: tuple[Section, ...], options: Options) -> int | None:
    """Of the download that is about to be; None: the site does not say. `Failure` where no format meets the options."""
    size = chosen(said, options).size
    sections = plan(spans, options.margin_s, said.duration_s)
    if size is None or not sections or not said.duration_s:
        return size
    return round(size * sum(end - start for start, end in sections) / said.duration_s)


def _overtaken(before: Outcome, options: Options) -> bool:
    """Whether what failed for good would not, under today's options or with what the list says today."""
    if before.error_class == "missing":
        return True  # looked for again: it costs nothing
    if before.error_class in ("age", "private"):
        return options.cookies is not None and not before.signed_in
    if before.error_class not in ("no_format", "license") or before.facts is None:
        return False
    try:
        chosen(before.facts, options)
    except Failure:
        return False
    return True


def _with_files(outcome: Outcome, budget: Budget, keep_raw: bool) -> Outcome:
    def release() -> None:
        if not keep_raw:
            for piece in outcome.pieces:
                piece.path.unlink(missing_ok=True)
        budget.release(outcome.video_id)

    return replace(outcome, _release=release)
