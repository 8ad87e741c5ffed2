"""Faces stage: which frames are looked at, and what the detector found there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from curate.frame import Frame
from curate.framing import iou
from curate.hashes import face_hash
from curate.perception.interface import Detector, Faces, Identifier
from curate.quality import FaceScores, face_scores
from curate.shots import DELAY

BATCH = 16  # frames a detector call
STEADY = 0.75  # IoU of a face's boxes in two looks; from there on it is taken to lie between them in between


@dataclass(frozen=True)
class Detection:
    """One face in one frame."""

    frame: int
    box: tuple[float, float, float, float]  # left, top, right, bottom, pixels of the upright source frame
    score: float
    looks: FaceScores | None = None
    hash: int = 0  # hashes.face_hash
    embedding: NDArray[np.float32] | None = field(
        default=None, compare=False
    )  # who, where an identity network is there


@dataclass
class _Look:
    """A frame in which faces are looked for, shrunk."""

    index: int
    scale: float  # pixels of the frame in one of the picture
    picture: NDArray[np.uint8]
    sure: bool  # the detector sees it; else only if its neighbours differ
    faces: Faces | None = None
    told: bool = False


class FaceSampler:
    """Finds the faces of every `stride`-th frame, of the first and last frame, and of both sides of every cut.

    The detector sees every second of these and the edges of shots. A frame between two that show the same faces in
    nearly the same places has them in between; elsewhere the detector sees it too. Every face is scored, hashed and,
    with an `identifier`, told apart from others. Frames are seen once and the last few kept, because a cut becomes
    known only some frames later.
    """

    def __init__(self, detector: Detector, stride: int, short_side: int, identifier: Identifier | None = None) -> None:
        self._detector = detector
        self._identifier = identifier
        self._stride = max(1, stride)
        self._short_side = short_side  # pixels; frames are shrunk to this for the detector
        self._recent: deque[Frame] = deque(maxlen=DELAY + 2)
        self._looks: dict[int, _Look] = {}
        self.looked_at: set[int] = set()
        self.detections: list[Detection] = []

    def feed(self, frame: Frame, cuts: Iterable[int]) -> None:
        """Take the next frame and the cuts that just became known."""
        self._recent.append(frame)
        self._want({cut - 1 for cut in cuts} | set(cuts), sure=True)
        if frame.index % self._stride == 0:
            self._want({frame.index}, sure=frame.index % (2 * self._stride) == 0)
        settled = frame.index - DELAY - 1  # no cut before this one is still unknown
        if sum(look.sure and look.faces is None and look.index < settled for look in self._looks.values()) >= BATCH:
            self._settle(settled)

    def finish(self) -> None:
        """Look at the last frame too and at all that waits."""
        if self._recent:
            last = self._recent[-1].index
            self._want({last}, sure=True)
            self._settle(last + 1)
        self.detections.sort(key=lambda detection: (detection.frame, detection.box))

    def _want(self, wanted: set[int], *, sure: bool) -> None:
        for frame in self._recent:
            if frame.index in wanted and frame.index in self._looks:
                self._looks[frame.index].sure |= sure
            elif frame.index in wanted and frame.index not in self.looked_at:
                self.looked_at.add(frame.index)
                picture = frame.rgb(self._short_side)
                scale = min(frame.width, frame.height) / min(picture.shape[:2])
                self._looks[frame.index] = _Look(frame.index, scale, picture, sure)

    def _settle(self, end: int) -> None:
        """Find the faces of all looks before a frame; the last sure one is kept for what comes after it."""
        ready = sorted((look for look in self._looks.values() if look.index < end), key=lambda look: look.index)
        self._detect([look for look in ready if look.sure and look.faces is None])
        sure = [look for look in ready if look.sure]
        unsteady = []
        for before, after in pairwise(sure):
            for look in ready:
                if before.index < look.index < after.index:
                    look.faces = between(before, look.index, after)
                    if look.faces is None:
                        unsteady.append(look)
        self._detect(unsteady)
        for look in ready:
            if look.index <= sure[-1].index and not look.told:
                self._tell(look)
            if look.index < sure[-1].index:
                del self._looks[look.index]

    def _detect(self, looks: Sequence[_Look]) -> None:
        if looks:
            found = self._detector.detect(np.stack([look.picture for look in looks]))
            for look, faces in zip(looks, found, strict=True):
                look.faces = faces

    def _tell(self, look: _Look) -> None:
        look.told = True
        faces = look.faces or Faces.none()
        who = self._who(look.picture, faces)
        for i, (box, score) in enumerate(zip(faces.boxes.tolist(), faces.scores.tolist(), strict=True)):
            left, top, right, bottom = (round(side * look.scale, 2) for side in box)
            place = (box[0], box[1], box[2], box[3])
            self.detections.append(
                Detection(
                    look.index,
                    (left, top, right, bottom),
                    round(score, 5),
                    face_scores(look.picture, place, faces.points[i]),
                    face_hash(look.picture, place),
                    who[i],
                )
            )

    def _who(self, picture: NDArray[np.uint8], faces: Faces) -> Sequence[NDArray[np.float32] | None]:
        """An embedding of every face of a picture."""
        if self._identifier is None or not len(faces):
            return [None] * len(faces)
        each = [
            Faces(faces.boxes[i : i + 1], faces.scores[i : i + 1], faces.points[i : i + 1]) for i in range(len(faces))
        ]
        return list(self._identifier.embed(np.repeat(picture[None], len(faces), axis=0), each))


def between(before: _Look, index: int, after: _Look) -> Faces | None:
    """Faces of a frame between two that show the same ones in nearly the same places; None where these differ."""
    one, other = before.faces or Faces.none(), after.faces or Faces.none()
    if len(one) != len(other):
        return None
    overlaps = np.array([[iou(a, b) for b in other.boxes.tolist()] for a in one.boxes.tolist()])
    match = overlaps.argmax(axis=1) if len(one) else np.zeros(0, np.intp)
    if len(set(match.tolist())) != len(one) or (len(one) and overlaps.max(axis=1).min() < STEADY):
        return None
    share = np.float32((index - before.index) / (after.index - before.index))
    return Faces(
        one.boxes + share * (other.boxes[match] - one.boxes),
        np.minimum(one.scores, other.scores[match]),
        one.points + share * (other.points[match] - one.points),
    )
