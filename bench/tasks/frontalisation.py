"""Frontalisation: turn the head of a picture to face the camera."""

from __future__ import annotations

from dataclasses import replace

from bench.tasks import redirection

TASK = replace(
    redirection.TASK,
    id="frontalisation",
    description="turn the head of each clip's first frame to face the camera",
    angles=((0.0, 0.0, 0.0),),
)
