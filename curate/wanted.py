"""What a list asks for: each of its videos, found in a folder or downloaded, with the tubes to be cut from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from curate.download.acquire import acquire
from curate.download.options import Options
from curate.download.outcome import Outcome, known
from curate.download.sections import Section
from curate.download.session import Piece, safe_name, section_name
from curate.listed import Wish
from curate.lists.tube import Tube, Video, VideoList
from curate.sources import Absent, Present

RAW = "raw"  # downloaded videos, in the dataset's folder
FACTS = "facts"  # what is known of each video: licence, uploader, title, when that was found


def from_list(
    listing: VideoList,
    out: Path,
    folder: Path | None,
    options: Options | None,
    is_settled: Callable[[Present], bool],
) -> Iterator[Present | Absent]:
    """The videos of a list, one file after the other: from `folder`, else downloaded into the dataset's folder.

    Those on which nothing is to be done are not downloaded again.
    """
    wishes = _by_video(listing)
    before = known(out / FACTS)
    todo = []
    for video in listing.videos:
        if wishes and video.video_id not in wishes:
            name = safe_name(video.video_id)
            yield Absent(name, name, "the list names no clip of it", None)
            continue
        files = [_present(video, piece, wishes, listing.format, None) for piece in _expected(video, before, out / RAW)]
        if folder is None and all(is_settled(file) for file in files):
            yield files[0]  # for the count of what was done before
        else:
            todo.append(video)
    outcomes = acquire(
        todo,
        raw=out / RAW,
        facts=out / FACTS,
        options=options or Options(),
        folder=folder,
        known=before,
        sections={identity: spans for identity, tubes in wishes.items() if (spans := _sections(tubes))},
    )
    for video, outcome in zip(todo, outcomes, strict=True):
        if not outcome.pieces:
            yield Absent(
                name=safe_name(video.video_id),
                video_id=safe_name(video.video_id),
                reason=outcome.reason,
                error_class=outcome.error_class or "other",
                attempts=outcome.attempts,
            )
            continue
        open_pieces = set(range(len(outcome.pieces)))
        for number, piece in enumerate(outcome.pieces):
            found = _present(video, piece, wishes, listing.format, outcome)
            yield _released_last(found, number, open_pieces, outcome)


def _expected(video: Video, before: Mapping[str, Outcome], raw: Path) -> list[Piece]:
    """The files that a download gave, or would give."""
    name = safe_name(video.video_id)
    sections = before[video.video_id].sections if video.video_id in before else ()
    if not sections:
        return [Piece(raw / name)]
    return [Piece(raw / f"{section_name(name, section)}.mp4", *section) for section in sections]


def _released_last(present: Present, number: int, open_pieces: set[int], outcome: Outcome) -> Present:
    def release() -> None:
        open_pieces.discard(number)
        if not open_pieces:
            outcome.release()

    return replace(present, release=release)


def _by_video(listing: VideoList) -> Mapping[str, tuple[Tube, ...]]:
    found: dict[str, list[Tube]] = defaultdict(list)
    for tube in listing.tubes:
        found[tube.video_id].append(tube)
    return {identity: tuple(tubes) for identity, tubes in found.items()}


def _present(
    video: Video, piece: Piece, wishes: Mapping[str, tuple[Tube, ...]], format: str, outcome: Outcome | None
) -> Present:
    name = safe_name(video.video_id)
    if piece.part is not None:
        name = f"{name}_{piece.part:04d}"
    elif piece.offset_s:
        name = f"{name}@{piece.offset_s:g}"
    wish = None
    if wishes:
        tubes = tuple(tube for tube in wishes.get(video.video_id, ()) if _is_in(tube, piece))
        wish = Wish(tubes, format, piece.part, piece.offset_s)
    facts = outcome.facts if outcome else None
    said = {
        "source_url": video.url,
        "license": facts.license if facts else None,
        "uploader": facts.uploader if facts else None,
        "identity_id": video.identity_id,
        "split": video.split,
    }
    return Present(
        name=name,
        path=piece.path,
        video_id=name,
        wish=wish,
        known={column: value for column, value in said.items() if value is not None},
        facts={"retrieved": facts.retrieved, "title": facts.title or ""} if facts else {},
    )


def _is_in(tube: Tube, piece: Piece) -> bool:
    span = tube.span
    if piece.part is not None:
        return span is None or span.part is None or span.part == piece.part
    section = _section(tube)
    if section is None or piece.end_s is None:
        return True
    return piece.offset_s <= section[0] and section[1] <= piece.end_s


def _sections(tubes: tuple[Tube, ...]) -> tuple[Section, ...]:
    """Spans of seconds that hold all tubes; none: the list's frames can be counted in the whole video only."""
    sections = [_section(tube) for tube in tubes]
    return () if None in sections else tuple(section for section in sections if section)


def _section(tube: Tube) -> Section | None:
    span = tube.span
    if span is None or (span.unit == "frame" and span.fps is None):
        return None
    rate = 1.0 if span.unit == "second" else span.fps or 1.0
    return span.start / rate, span.end / rate
