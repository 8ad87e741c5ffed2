"""Tracks stage: one face followed over one shot. Pure functions over detections; no pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from curate.faces import Detection
from curate.framing import iou
from curate.identity import switches
from curate.quality import FaceScores, SyncHint
from curate.shots import Shot

FloatBox = tuple[float, float, float, float]


@dataclass(frozen=True)
class Track:
    """A face over frames start .. end - 1, known at `frames`; all of one shot."""

    index: int
    shot: int
    frames: tuple[int, ...]
    boxes: tuple[FloatBox, ...]
    scores: tuple[float, ...]
    looks: tuple[FaceScores, ...]  # at `frames`
    hashes: tuple[int, ...]  # at `frames`
    looked_at: int  # frames of the span in which faces were looked for
    embedding: tuple[float, ...] | None = None  # mean over `frames`, of unit length; None: nobody asked who it is
    sync: SyncHint | None = None  # of mouth and sound

    @property
    def start(self) -> int:
        """First frame."""
        return self.frames[0]

    @property
    def end(self) -> int:
        """One past the last frame."""
        return self.frames[-1] + 1

    @property
    def flat(self) -> float:
        """Median share of the face without texture: high for drawings."""
        return float(np.median([looks.flat for looks in self.looks]))

    @property
    def face_score(self) -> float:
        """Mean detector score."""
        return float(np.mean(self.scores))

    @property
    def face_rate(self) -> float:
        """Share of the looked-at frames in which the face was found."""
        return len(self.frames) / self.looked_at

    def frames_of(self, start: int, end: int) -> list[int]:
        """The known frames of a span, and its two ends."""
        return sorted({start, end - 1, *(frame for frame in self.frames if start <= frame < end)})

    def known(self, start: int, end: int) -> NDArray[np.float64]:
        """Boxes [N, 4] at `frames_of` a span; those of its two ends are interpolated."""
        frames = self.frames_of(start, end)
        table = np.asarray(self.boxes, dtype=np.float64)
        return np.stack([np.interp(frames, self.frames, table[:, side]) for side in range(4)], axis=1)


def expected(chain: Sequence[Detection], frame: int) -> FloatBox:
    """Where a chain's face would be at a later frame if it went on as between its last two detections."""
    last = chain[-1]
    if len(chain) < 2:
        return last.box
    before = chain[-2]
    share = (frame - last.frame) / (last.frame - before.frame)
    x, y = (share * ((last.box[i] + last.box[i + 2]) - (before.box[i] + before.box[i + 2])) / 2 for i in (0, 1))
    return last.box[0] + x, last.box[1] + y, last.box[2] + x, last.box[3] + y


def link(
    detections: Sequence[Detection], shots: Sequence[Shot], looked_at: set[int], *, min_iou: float, max_gap: int
) -> list[Track]:
    """Link detections into tracks, no further apart than `max_gap` frames: best IoU first, with a track's last box or
    with where its motion would have taken it."""
    tracks: list[Track] = []
    for shot in shots:
        if shot.blank:
            continue
        inside = [detection for detection in detections if shot.start <= detection.frame < shot.end]
        for chain in _link_shot(inside, min_iou, max_gap):
            tracks.extend(_track(len(tracks) + i, shot, part, looked_at) for i, part in enumerate(_by_person(chain)))
    return tracks


def _by_person(chain: list[Detection]) -> list[list[Detection]]:
    """A chain cut where another person takes the place, as far as embeddings tell."""
    vectors = [detection.embedding for detection in chain]
    if any(vector is None for vector in vectors):
        return [chain]
    edges = [0, *switches(np.stack([vector for vector in vectors if vector is not None])), len(chain)]
    return [chain[a:b] for a, b in pairwise(edges)]


def _track(index: int, shot: Shot, chain: list[Detection], looked_at: set[int]) -> Track:
    vectors = np.array([d.embedding for d in chain if d.embedding is not None and np.isfinite(d.embedding).all()])
    mean = vectors.mean(axis=0) if len(vectors) else None
    return Track(
        index=index,
        shot=shot.index,
        frames=tuple(detection.frame for detection in chain),
        boxes=tuple(detection.box for detection in chain),
        scores=tuple(detection.score for detection in chain),
        looks=tuple(detection.looks for detection in chain if detection.looks is not None),
        hashes=tuple(detection.hash for detection in chain),
        looked_at=sum(frame in looked_at for frame in range(chain[0].frame, chain[-1].frame + 1)),
        embedding=None if mean is None else tuple((mean / np.linalg.norm(mean)).round(4).tolist()),
    )


def _link_shot(detections: Sequence[Detection], min_iou: float, max_gap: int) -> list[list[Detection]]:
    chains: list[list[Detection]] = []
    for frame in sorted({detection.frame for detection in detections}):
        here = [detection for detection in detections if detection.frame == frame]
        open_chains = [chain for chain in chains if frame - chain[-1].frame <= max_gap]
        candidates = sorted(
            (
                (max(iou(chain[-1].box, detection.box), iou(expected(chain, frame), detection.box)), c, d)
                for c, chain in enumerate(open_chains)
                for d, detection in enumerate(here)
            ),
            key=lambda candidate: (-candidate[0], candidate[1], candidate[2]),
        )
        used_chains: set[int] = set()
        used: set[int] = set()
        for overlap, c, d in candidates:
            if overlap >= min_iou and c not in used_chains and d not in used:
                open_chains[c].append(here[d])
                used_chains.add(c)
                used.add(d)
        chains.extend([detection] for d, detection in enumerate(here) if d not in used)
    return chains
