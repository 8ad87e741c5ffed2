"""Quality stage: scores of what faces and pictures look like, never verdicts."""

from __future__ import annotations

from curate.quality.face import FaceScores, face_scores
from curate.quality.texture import flat_share, sharpness

__all__ = ["FaceScores", "face_scores", "flat_share", "sharpness"]
