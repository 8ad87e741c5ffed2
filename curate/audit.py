"""What is wrong with a list or a dataset, and what it shares with another: repeats, and leakage between splits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curate.files import printable
from curate.lists import read
from curate.lists.text import youtube_id
from curate.lists.tube import RefBox, Span, Tube, Video, VideoList

SAME_FACE = 0.5  # intersection over union from which two boxes of one moment are taken for one face


@dataclass(frozen=True)
class Entry:
    """A clip, or a video without clips, as far as two of them can be the same."""

    name: str
    video: str  # the YouTube id where one is known, so that lists can be compared
    video_id: str  # the list's own
    split: str | None
    identity: str | None
    link: str | None = None  # the YouTube id in the video's address
    span: Span | None = None
    box: RefBox | None = None
    sha256: str | None = None
    duplicate_of: str | None = None

    @property
    def cut(self) -> Hashable:
        """What is cut out: two entries of one cut show the same."""
        whole = self.span is None and self.box is None  # several files may be of one video
        return self.video_id if whole else self.video, self.span, self.box


@dataclass(frozen=True)
class Finding:
    """One kind of thing found."""

    kind: str
    where: str  # "A" or "A and B"
    fault: bool  # False: worth knowing, no harm by itself
    items: tuple[str, ...]


@dataclass(frozen=True)
class Side:
    """What one of the two is, and how much of it can be checked at all."""

    path: str
    format: str
    videos: int
    clips: int
    splits: Mapping[str, int]  # clips of each, or videos where there are no clips
    identities: int
    without_identity: int
    hashed: int  # clips whose content's SHA-256 is known


@dataclass(frozen=True)
class Audit:
    """What was looked at and what was found, faults first."""

    sides: tuple[Side, ...]
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Whether no fault was found."""
        return not any(finding.fault for finding in self.findings)


def audit(a: Path, b: Path | None = None) -> Audit:
    """Look within `a`, and between `a` and `b`, each a dataset's folder or any list; `UserError` if one is neither."""
    first = read(a)
    entries = entries_of(first)
    sides, findings = [_side(a, first, entries)], list(within(entries))
    if b is not None:
        second = read(b)
        others = entries_of(second)
        sides.append(_side(b, second, others))
        findings += between(entries, others)
    found = [finding for finding in findings if finding.items]
    shown = [replace(finding, items=tuple(map(printable, finding.items))) for finding in found]
    return Audit(tuple(sides), tuple(sorted(shown, key=lambda finding: not finding.fault)))


def entries_of(listing: VideoList) -> list[Entry]:
    """The clips of a list, and those of its videos that have none."""
    videos = {video.video_id: video for video in listing.videos}
    with_clips = {tube.video_id for tube in listing.tubes}
    clips = [_of_tube(tube, videos.get(tube.video_id)) for tube in listing.tubes]
    return clips + [_of_video(video) for video in listing.videos if video.video_id not in with_clips]


def _of_tube(tube: Tube, video: Video | None) -> Entry:
    return Entry(
        tube.name,
        _key(video) if video else tube.video_id,
        tube.video_id,
        tube.split,
        tube.identity_id,
        youtube_id(video.url) if video else None,
        tube.span,
        tube.box,
        tube.attributes.get("sha256"),
        tube.attributes.get("duplicate_of"),
    )


def _of_video(video: Video) -> Entry:
    return Entry(video.video_id, _key(video), video.video_id, video.split, video.identity_id, youtube_id(video.url))


def _key(video: Video) -> str:
    return youtube_id(video.url) or video.attributes.get("youtube_id") or video.video_id


def _side(path: Path, listing: VideoList, entries: Sequence[Entry]) -> Side:
    return Side(
        str(path),
        listing.format,
        len(listing.videos),
        len(listing.tubes),
        dict(Counter(item.split for item in listing.tubes or listing.videos if item.split)),
        len({entry.identity for entry in entries if entry.identity}),
        sum(entry.identity is None for entry in entries),
        sum(entry.sha256 is not None for entry in entries),
    )


def within(entries: Sequence[Entry]) -> Iterator[Finding]:
    """All kinds of findings inside one list or dataset, those with nothing in them too."""
    once = _distinct(entries)
    yield Finding("repeated rows", "A", True, tuple(_repeats(entries)))
    yield Finding("clips under several names", "A", True, tuple(_grouped(once, lambda e: e.cut, lambda e: e.name)))
    yield Finding("videos under several names", "A", True, tuple(_several_ids(entries)))
    yield Finding("videos in several splits", "A", True, tuple(_across(entries, lambda e: e.video)))
    yield Finding("identities in several splits", "A", True, tuple(_across(entries, lambda e: e.identity)))
    yield Finding("files of identical content", "A", True, tuple(_grouped(once, lambda e: e.sha256, lambda e: e.name)))
    near = list(_near(entries, entries))
    for kind, leaks in (("near-duplicates in several splits", True), ("near-duplicates in one split", False)):
        pairs = [(one, two) for one, two in near if (one.split != two.split) == leaks]
        yield Finding(kind, "A", leaks, tuple(f"{one.name} is like {two.name}" for one, two in pairs))
    yield Finding("overlapping clips", "A", False, tuple(_overlaps(once)))


def between(a: Sequence[Entry], b: Sequence[Entry]) -> Iterator[Finding]:
    """All kinds of findings that two lists or datasets share, those with nothing in them too."""
    yield Finding("clips in both", "A and B", True, tuple(_shared(a, b, lambda e: e.cut, lambda e: e.name)))
    yield Finding("videos in both", "A and B", True, tuple(_shared(a, b, lambda e: e.video, lambda e: e.video)))
    yield Finding(
        "identities in both", "A and B", True, tuple(_shared(a, b, lambda e: e.identity, lambda e: e.identity or ""))
    )
    yield Finding(
        "files of identical content in both",
        "A and B",
        True,
        tuple(_shared(a, b, lambda e: e.sha256, lambda e: e.name)),
    )
    near = [*_near(a, b), *_near(b, a)]
    yield Finding("near-duplicates in both", "A and B", True, tuple(f"{x.name} is like {y.name}" for x, y in near))


def _distinct(entries: Iterable[Entry]) -> list[Entry]:
    """Entries without rows that repeat another one, in whatever split."""
    return list({(entry.name, entry.identity, entry.cut): entry for entry in entries}.values())


def _repeats(entries: Sequence[Entry]) -> Iterator[str]:
    """Rows that say again what another said, with how often and whether in another split."""
    groups: dict[Hashable, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.name, entry.identity, entry.cut].append(entry)
    for group in groups.values():
        for again in group[1:]:
            splits = list(dict.fromkeys(entry.split or "none" for entry in group))
            yield again.name if len(splits) == 1 else f"{again.name} (in splits {', '.join(splits)})"


def _across(entries: Iterable[Entry], key: Callable[[Entry], str | None]) -> Iterator[str]:
    """Each value that entries of several splits have, with how many of each."""
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        value = key(entry)
        if value and entry.split:
            groups[value][entry.split] += 1
    for value, splits in groups.items():
        if len(splits) > 1:
            yield f"{value} ({', '.join(f'{split} {count}' for split, count in splits.items())})"


def _grouped(
    entries: Iterable[Entry], key: Callable[[Entry], Hashable | None], show: Callable[[Entry], str]
) -> Iterator[str]:
    """What several entries share, as their names joined."""
    groups: dict[Hashable, dict[str, None]] = defaultdict(dict)
    for entry in entries:
        value = key(entry)
        if value is not None:
            groups[value][show(entry)] = None
    for names in groups.values():
        if len(names) > 1:
            yield " = ".join(names)


def _several_ids(entries: Iterable[Entry]) -> Iterator[str]:
    """YouTube videos that stand in the list under several names."""
    groups: dict[str, dict[str, None]] = defaultdict(dict)
    for entry in entries:
        if entry.link:
            groups[entry.link][entry.video_id] = None
    for video, names in groups.items():
        if len(names) > 1:
            yield f"{video}: {' = '.join(names)}"


def _near(entries: Iterable[Entry], known: Iterable[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """Clips that their manifest marks as near-duplicates (`duplicate_of`) of one of the known."""
    by_name = {entry.name: entry for entry in known}
    for entry in entries:
        if entry.duplicate_of in by_name:
            yield entry, by_name[entry.duplicate_of]


def _shared(
    a: Iterable[Entry], b: Iterable[Entry], key: Callable[[Entry], Hashable | None], show: Callable[[Entry], str]
) -> Iterator[str]:
    """What of `a` has a value that something of `b` has, each shown once, with its name in `b` if it differs."""
    theirs = {value: show(entry) for entry in b if (value := key(entry)) is not None}
    seen = {value: show(entry) for entry in a if (value := key(entry)) is not None and value in theirs}
    for value, name in seen.items():
        yield name if name == theirs[value] else f"{name} = {theirs[value]}"


def _overlaps(entries: Iterable[Entry]) -> Iterator[str]:
    """Pairs of clips that show one face at one moment: spans that meet, and boxes that mostly do."""
    groups: dict[Hashable, list[tuple[Span, Entry]]] = defaultdict(list)
    for entry in entries:
        if entry.span is not None:
            groups[entry.video, entry.span.unit, entry.span.fps, entry.span.part].append((entry.span, entry))
    for group in groups.values():
        group.sort(key=lambda pair: (pair[0].start, pair[0].end, pair[1].name))
        going: list[tuple[Span, Entry]] = []
        for span, entry in group:
            going = [(before, other) for before, other in going if before.end > span.start]
            for before, other in going:
                if entry.cut != other.cut and _same_face(entry.box, other.box):
                    shared = min(before.end, span.end) - span.start
                    yield f"{other.name} and {entry.name} share {shared:g} {span.unit}{'' if shared == 1 else 's'}"
            going.append((span, entry))


def _same_face(a: RefBox | None, b: RefBox | None) -> bool:
    """Whether two boxes are mostly one; the whole frame meets everything."""
    if a is None or b is None:
        return True
    a, b = _fractions(a), _fractions(b)
    wide = min(a.right, b.right) - max(a.left, b.left)
    high = min(a.bottom, b.bottom) - max(a.top, b.top)
    if wide <= 0 or high <= 0:
        return False
    areas = sum((box.right - box.left) * (box.bottom - box.top) for box in (a, b))
    return wide * high >= SAME_FACE * (areas - wide * high)


def _fractions(box: RefBox) -> RefBox:
    """The box in fractions of its frame, where that is known."""
    if not box.width or not box.height:
        return box
    w, h = box.width, box.height
    return RefBox(box.left / w, box.top / h, box.right / w, box.bottom / h, 1, 1)
