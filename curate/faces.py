"""Faces stage: which frames are looked at, and what the detector found there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from curate.frame import Frame
from curate.hashes import face_hash
from curate.perception.interface import Detector, Faces, Identifier
from curate.quality import FaceScores, face_scores
from curate.shots import DELAY

BATCH = 16  # frames a detector call


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


class FaceSampler:
    """Runs a detector on every `stride`-th frame, on the first and last frame, and on both sides of every cut.

    Every face found is scored, hashed and, with an `identifier`, told apart from others.
    It sees each frame once and keeps the last few, because a cut becomes known only some frames later.
    """

    def __init__(self, detector: Detector, stride: int, short_side: int, identifier: Identifier | None = None) -> None:
        self._detector = detector
        self._identifier = identifier
        self._stride = max(1, stride)
        self._short_side = short_side  # pixels; frames are shrunk to this for the detector
        self._recent: deque[Frame] = deque(maxlen=DELAY + 2)
        self._waiting: list[tuple[Frame, NDArray[np.uint8]]] = []
        self.looked_at: set[int] = set()
        self.detections: list[Detection] = []

    def feed(self, frame: Frame, cuts: Iterable[int]) -> None:
        """Take the next frame and the cuts that just became known."""
        self._recent.append(frame)
        wanted = {cut - 1 for cut in cuts} | set(cuts)
        if frame.index % self._stride == 0:
            wanted.add(frame.index)
        self._want(wanted)

    def finish(self) -> None:
        """Look at the last frame too and at all that waits."""
        if self._recent:
            self._want({self._recent[-1].index})
        self._detect()
        self.detections.sort(key=lambda detection: (detection.frame, detection.box))

    def _want(self, wanted: set[int]) -> None:
        for frame in self._recent:
            if frame.index in wanted and frame.index not in self.looked_at:
                self.looked_at.add(frame.index)
                self._waiting.append((frame, frame.rgb(self._short_side)))
        if len(self._waiting) >= BATCH:
            self._detect()

    def _detect(self) -> None:
        if not self._waiting:
            return
        pictures = np.stack([picture for _, picture in self._waiting])
        found = self._detector.detect(pictures)
        for (frame, picture), faces in zip(self._waiting, found, strict=True):
            scale = min(frame.width, frame.height) / min(picture.shape[:2])
            who = self._who(picture, faces)
            for i, (box, score) in enumerate(zip(faces.boxes.tolist(), faces.scores.tolist(), strict=True)):
                left, top, right, bottom = (round(side * scale, 2) for side in box)
                place = (box[0], box[1], box[2], box[3])
                self.detections.append(
                    Detection(
                        frame.index,
                        (left, top, right, bottom),
                        round(score, 5),
                        face_scores(picture, place, faces.points[i]),
                        face_hash(picture, place),
                        who[i],
                    )
                )
        self._waiting.clear()

    def _who(self, picture: NDArray[np.uint8], faces: Faces) -> Sequence[NDArray[np.float32] | None]:
        """An embedding of every face of a picture."""
        if self._identifier is None or not len(faces):
            return [None] * len(faces)
        each = [
            Faces(faces.boxes[i : i + 1], faces.scores[i : i + 1], faces.points[i : i + 1]) for i in range(len(faces))
        ]
        return list(self._identifier.embed(np.repeat(picture[None], len(faces), axis=0), each))
