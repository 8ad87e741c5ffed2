"""Quality stage: scores of what faces and pictures look like, never verdicts."""

from __future__ import annotations

from curate.quality.face import FaceScores, face_scores
from curate.quality.screen import Overlay, Screen, ScreenScores
from curate.quality.sync import Envelope, SyncHint, sync_hint
from curate.quality.texture import flat_share, sharpness

__all__ = [
    "Envelope",
    "FaceScores",
    "Overlay",
    "Screen",
    "ScreenScores",
    "SyncHint",
    "face_scores",
    "flat_share",
    "sharpness",
    "sync_hint",
]
