"""Near-duplicates: clips that show the same stretch of the same recording under other names.

What tells a re-upload from another take of the same person in the same room is not how alike the hashes of faces are
but whether they change alike over time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.float32]

_TABLES = 8  # ways to look for hashes that agree in some bits
_KEYS = (20, 32, 44)  # bits that must agree: more where too many clips share a key
_CROWD = 64  # clips with one key
_VOTES = 2  # keys that two clips must share to be compared
_STILL_SCORE, _STILL_DISTANCE = 0.7, 4.0  # a face that hardly moves: less score will do if it is that much alike
_STEP_S = 0.1  # offsets are counted in these; two such steps are one moment


@dataclass(frozen=True)
class Match:
    """Two clips that share a stretch: what is at t in `a` is at t + `offset_s` in `b`."""

    a: str  # before `b` in the alphabet
    b: str
    offset_s: float
    shared: int  # moments that both have
    shared_s: float  # seconds from the first to the last of them
    distance: float  # mean bits of 64 in which they differ
    score: float  # correlation of the bits' changes, times the square root of `shared`


def near_duplicates(
    sequences: Mapping[str, Sequence[tuple[float, int]]],
    *,
    videos: Mapping[str, str] | None = None,
    min_score: float = 1.2,
    max_distance: float = 14.0,
    min_shared: int = 10,
) -> list[Match]:
    """Pairs of clips that show the same stretch of the same recording, sorted by name.

    A sequence is (seconds, `hashes.face_hash`) of a clip's looked-at frames, about 5 a second, in any unit of time that
    runs as fast as the picture. Clips of one video (`videos` by clip) are not compared.

    Measured: 21 real clips, 5 seconds of each, with YuNet's boxes: 56 of 63 copies are found (half the size at crf 33;
    5 % cut off each side, at 0.8 of the size and crf 28, begun 7 frames later; darker, at 0.7 of the size between
    bars), and no pair of different clips, of the same or of other people: their scores reach 0.74. What is missed is
    short, still or fills the picture. On SynthHeads (6 seconds, boxes off by 2 %) all 24 copies are found at half the
    size, and 3 of 96 pairs of other clips of one person in one scene; of 5,000 pairs of made takes 3 match. Other
    stretches of one real take can match too (7 of 25 clips match themselves cut in two), hence `videos`. 20,400 made
    clips of 20 hashes take 8 s of one core, about 25 s if clips of one video are compared.
    """
    names = sorted(name for name, sequence in sequences.items() if len(sequence) >= min_shared)
    times = [np.array([time for time, _ in sequences[name]], np.float64) for name in names]
    hashes = [np.array([value for _, value in sequences[name]], np.uint64) for name in names]
    of = videos or {}
    matches = []
    for a, others in groupby(_candidates(hashes), key=lambda pair: pair[0]):
        bits = _bits(hashes[a])
        for _, b in others:
            if names[a] in of and of.get(names[a]) == of.get(names[b]):
                continue
            found = _compare(times[a], bits, times[b], _bits(hashes[b]), min_shared)
            if found is None:
                continue
            distance, score = found[3:]
            moves = score >= min_score and distance <= max_distance
            if moves or (score >= _STILL_SCORE and distance <= _STILL_DISTANCE):
                matches.append(Match(names[a], names[b], *found))
    return matches


def duplicate_of(matches: Sequence[Match], order: Mapping[str, tuple[float, ...]]) -> dict[str, str]:
    """The original of every clip that is a near-duplicate.

    Clips are taken from the greatest `order` on (such as seconds and native side), equal ones by name; one that matches
    an original taken before is its duplicate, else an original itself. So an original is never a duplicate, and a clip
    and its original share a stretch. KeyError for a matched clip that `order` lacks.
    """
    near: dict[str, set[str]] = {}
    for match in matches:
        near.setdefault(match.a, set()).add(match.b)
        near.setdefault(match.b, set()).add(match.a)
    place = {name: (*(-value for value in order[name]), name) for name in near}
    found: dict[str, str] = {}
    for name in sorted(near, key=place.__getitem__):
        originals = [other for other in near[name] if place[other] < place[name] and other not in found]
        if originals:
            found[name] = min(originals, key=place.__getitem__)
    return found


def _bits(hashes: NDArray[np.uint64]) -> Bits:
    """[N, 64] zeros and ones."""
    return np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1).astype(np.float32)


def _compare(
    times_a: NDArray[np.float64], a: Bits, times_b: NDArray[np.float64], b: Bits, least: int
) -> tuple[float, int, float, float, float] | None:
    """Offset, moments, seconds, distance and score of the best offset; None where they share too little at each."""
    own, other = a - a.mean(axis=0), b - b.mean(axis=0)
    steps = np.rint((times_b[None] - times_a[:, None]) / _STEP_S).astype(np.int64)
    first = int(steps.min())
    places = (steps - first).ravel()
    shape = steps.shape

    def summed(values: NDArray[np.floating]) -> NDArray[np.float64]:
        total = np.bincount(places, np.broadcast_to(values, shape).ravel(), minlength=int(places.max()) + 2)
        return np.asarray(total[:-1] + total[1:], np.float64)

    pairs = summed(np.ones(1))
    energy = summed((own * own).sum(axis=1)[:, None]) * summed((other * other).sum(axis=1)[None])
    shared = np.minimum(pairs, min(shape))
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where((shared >= least) & (energy > 1e-9), summed(own @ other.T) / np.sqrt(energy), -1.0)
    score = score * np.sqrt(shared)
    best = int(score.argmax())
    if score[best] <= 0:
        return None
    here = (places == best) | (places == best + 1)
    differ = (a.sum(axis=1)[:, None] + b.sum(axis=1)[None] - 2 * a @ b.T).ravel()[here]
    offset = (np.subtract.outer(times_b, times_a).T.ravel())[here].mean()
    when = np.repeat(times_a, len(times_b))[here]
    return (
        round(float(offset), 3),
        len(np.unique(when)),
        round(float(np.ptp(when)), 3),
        round(float(differ.mean()), 2),
        round(float(score[best]), 3),
    )


def _candidates(hashes: Sequence[NDArray[np.uint64]]) -> Iterator[tuple[int, int]]:
    """Pairs of clips worth comparing, the smaller number first, in order."""
    if not hashes:
        return
    bits = _bits(np.concatenate(hashes)).astype(np.uint64)
    clip = np.repeat(np.arange(len(hashes)), [len(sequence) for sequence in hashes])
    pairs, votes = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for order in _orders():
        found, times = np.unique(_collisions(bits[:, order], clip, len(hashes)), return_counts=True)
        pairs, inverse = np.unique(np.concatenate([pairs, found]), return_inverse=True)
        votes = np.bincount(inverse, np.concatenate([votes, times]), minlength=len(pairs)).astype(np.int64)
    for pair in pairs[votes >= _VOTES].tolist():
        yield divmod(pair, len(hashes))


def _collisions(bits: NDArray[np.uint64], clip: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """a * count + b for every key that clips a < b share; keys grow where too many clips share one."""
    found = [np.zeros(0, np.int64)]
    rest = np.arange(len(bits))
    for size in _KEYS:
        keys = bits[rest, :size] @ (np.uint64(1) << np.arange(size, dtype=np.uint64))
        order = np.lexsort((clip[rest], keys))
        keys, clips, rows = keys[order], clip[rest][order], rest[order]
        fresh = np.ones(len(keys), np.bool_)  # a clip counts once for a key
        fresh[1:] = (keys[1:] != keys[:-1]) | (clips[1:] != clips[:-1])
        start = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, np.int64)
        group = np.repeat(np.arange(len(start)), np.diff(np.append(start, len(keys))))
        crowded = (np.bincount(group, fresh, minlength=len(start)) > _CROWD)[group] if len(keys) else fresh
        some = fresh & ~crowded
        keys, clips = keys[some], clips[some]
        for shift in range(1, _CROWD):
            same = keys[shift:] == keys[:-shift]
            if not same.any():
                break
            found.append(clips[:-shift][same] * count + clips[shift:][same])
        rest = rows[crowded]
    return np.concatenate(found)


@cache
def _orders() -> tuple[NDArray[np.int64], ...]:
    """The order in which each table looks at the bits: as if drawn, but the same everywhere."""
    return tuple(
        np.array(sorted(range(1, 64), key=lambda bit: sha256(f"{table}:{bit}".encode()).digest()))
        for table in range(_TABLES)
    )
