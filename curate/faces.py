"""Faces stage: which frames are looked at, and what the detector found there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from curate.frame import Frame
from curate.framing import iou
from curate.hashes import face_hash
from curate.perception.interface import Detector, Faces, Identifier
from curate.quality import FaceScores, face_scores
from curate.shots import DELAY

BATCH = 8  # sure looks a settling
SURE = 4  # every so many looks the detector sees the whole picture, whatever was there before
SAME = 0.3  # IoU of a face's boxes in two sure looks: from there on it is looked for about where it should be between
STEADY = 0.75  # likewise, in looks at most two apart: from there on it is taken to lie between them
FOUND = 0.5  # IoU of a face found in a glance with where it should be
GLANCE = 160  # pixels: side of the picture about a face that a glance shows to the detector
AROUND = 2.0  # side of what a glance sees, in (longer) face sides; small faces see more, for none is enlarged


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
    sure: bool  # the detector sees all of it
    faces: Faces | None = None
    told: bool = False


class FaceSampler:
    """Finds the faces of every `stride`-th frame, of the first and last frame, and of both sides of every cut.

    The detector sees the whole of every `SURE`-th of these and of the edges of shots. Between two of them that show the
    same faces it only glances: at a small picture about where each face should be, first in the middle; a face that has
    hardly moved is taken to lie between its places. Wherever faces come, go or are not where they should be, it sees
    the whole again. Every face is scored, hashed and, with an `identifier`, told apart from others. Frames are seen
    once and the last few kept, because a cut becomes known only some frames later.
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
            self._want({frame.index}, sure=frame.index % (SURE * self._stride) == 0)
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
        for before, after in pairwise(sure):
            self._fill(before, [look for look in ready if before.index < look.index < after.index], after)
        for look in ready:
            if look.index <= sure[-1].index and not look.told:
                self._tell(look)
            if look.index < sure[-1].index:
                del self._looks[look.index]

    def _fill(self, before: _Look, looks: Sequence[_Look], after: _Look) -> None:
        """Find the faces of all looks between two."""
        if not looks:
            return
        if len(looks) == 1 and (faces := between(before, looks[0].index, after, STEADY)) is not None:
            looks[0].faces = faces
            return
        middle = len(looks) // 2
        expected = between(before, looks[middle].index, after, SAME)
        looks[middle].faces = None if expected is None else self._glance(looks[middle].picture, expected)
        if looks[middle].faces is None:
            self._detect([looks[middle]])
        self._fill(before, looks[:middle], looks[middle])
        self._fill(looks[middle], looks[middle + 1 :], after)

    def _glance(self, picture: NDArray[np.uint8], expected: Faces) -> Faces | None:
        """The faces near where they should be; None where one is not, or where looking at all costs no more."""
        if 2 * len(expected) * GLANCE**2 > picture.shape[0] * picture.shape[1]:
            return None
        if not len(expected):
            return expected
        cuts = [_about(picture, box) for box in expected.boxes.tolist()]
        found = []
        for box, (_, scale, corner), faces in zip(
            expected.boxes.tolist(), cuts, self._detector.detect(np.stack([cut for cut, _, _ in cuts])), strict=True
        ):
            boxes = faces.boxes * np.float32(scale) + np.tile(corner, 2)
            overlaps = np.array([iou(box, other) for other in boxes.tolist()])
            if not len(faces) or overlaps.max() < FOUND:
                return None
            best = int(overlaps.argmax())
            points = (faces.points[best] + np.float32(0.5)) * np.float32(scale) - np.float32(0.5) + corner
            found.append((boxes[best], faces.scores[best], points))
        if any(iou(a[0].tolist(), b[0].tolist()) > FOUND for a, b in combinations(found, 2)):
            return None  # two glances fell on one face
        return Faces(*(np.stack(values).astype(np.float32) for values in zip(*found, strict=True)))

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


def between(before: _Look, index: int, after: _Look, least: float) -> Faces | None:
    """Faces of a frame between two that show the same ones, each with an IoU of at least `least`; None where they
    differ."""
    one, other = before.faces or Faces.none(), after.faces or Faces.none()
    if len(one) != len(other):
        return None
    overlaps = np.array([[iou(a, b) for b in other.boxes.tolist()] for a in one.boxes.tolist()])
    match = overlaps.argmax(axis=1) if len(one) else np.zeros(0, np.intp)
    if len(set(match.tolist())) != len(one) or (len(one) and overlaps.max(axis=1).min() < least):
        return None
    share = np.float32((index - before.index) / (after.index - before.index))
    return Faces(
        one.boxes + share * (other.boxes[match] - one.boxes),
        np.minimum(one.scores, other.scores[match]),
        one.points + share * (other.points[match] - one.points),
    )


def _about(picture: NDArray[np.uint8], box: Sequence[float]) -> tuple[NDArray[np.uint8], float, NDArray[np.float32]]:
    """The square about a box, `GLANCE` pixels wide and black outside the picture; pixels of the picture in one of it;
    where its corner (left, top) lies in the picture."""
    import cv2

    side = max(GLANCE, 2 * round(AROUND / 2 * max(box[2] - box[0], box[3] - box[1])))
    left, top = (round((box[i] + box[i + 2] - side) / 2) for i in (0, 1))
    inside = picture[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
    if inside.shape[:2] != (side, side):
        square = np.zeros((side, side, 3), np.uint8)
        y, x = max(-top, 0), max(-left, 0)
        square[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    else:
        square = np.ascontiguousarray(inside)
    while square.shape[0] >= 2 * GLANCE:  # by area first: bilinear samples would miss pixels
        half = square.shape[0] // 2
        square = np.asarray(cv2.resize(square, (half, half), interpolation=cv2.INTER_AREA), np.uint8)
    if square.shape[0] > GLANCE:
        square = np.asarray(cv2.resize(square, (GLANCE, GLANCE), interpolation=cv2.INTER_LINEAR), np.uint8)
    return square, side / GLANCE, np.array([left, top], np.float32)
