"""The folders that FOMM and its heirs read: train/ and test/, who, what and when in the names, and a metadata csv."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from curate import lists
from curate.export.clips import ExportClip, harmless, public_ids
from curate.export.target import Piece, clip_piece
from curate.files import sha256_text
from curate.lists.fomm import tube_name
from curate.lists.tube import RefBox, Span, Tube, VideoList

LIST = "vox-metadata.csv"


def pieces(clips: Sequence[ExportClip]) -> Iterator[Piece]:
    """SPLIT/PERSON#VIDEO#START#END.mp4 and vox-metadata.csv with the same values.

    Frames are those of the source at its own rate, which stands in the column `fps`: 25 in the published list.
    """
    videos = public_ids(clips)
    tubes = []
    for clip, person in zip(clips, _persons(clips), strict=True):
        tube = _tube(clip, person, videos[str(clip.row["video_id"])].replace("#", "_"))
        yield clip_piece(f"{clip.split}/{tube.name}.mp4", clip.path, str(clip.row["sha256"]))
        tubes.append(tube)
    yield _listing(tubes)


def _tube(clip: ExportClip, person: str, video: str) -> Tube:
    row = clip.row
    start, end = row["start_frame"], row["end_frame"]
    edges = (row["box_left"], row["box_top"], row["box_right"], row["box_bottom"])
    return Tube(
        name=tube_name(person, video, start, end),
        video_id=video,
        span=Span(start, end, "frame", fps=row["fps"]),
        box=RefBox(*edges, row["ref_width"], row["ref_height"]),
        identity_id=person,
        split=clip.split,
    )


def _listing(tubes: Sequence[Tube]) -> Piece:
    def write(target: Path) -> None:
        lists.write(VideoList("fomm", (), tuple(tubes)), target, "fomm")

    return Piece(LIST, sha256_text(repr(tubes)), write)


def _persons(clips: Sequence[ExportClip]) -> list[str]:
    """Who is seen in each clip. Two faces of one span of a video are two people, though nobody knows who: the second
    gets a name of its own, or else their files would have one name."""
    taken: set[tuple[str, ...]] = set()
    persons = []
    for clip in clips:
        person, row = harmless(clip.person), clip.row
        where = (clip.split, str(row["video_id"]), str(row["start_frame"]), str(row["end_frame"]))
        number = next(n for n in range(1, len(clips) + 1) if (_numbered(person, n), *where) not in taken)
        taken.add((_numbered(person, number), *where))
        persons.append(_numbered(person, number))
    return persons


def _numbered(person: str, number: int) -> str:
    return person if number == 1 else f"{person}_{number}"
