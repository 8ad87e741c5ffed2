"""Few-shot reenactment: eight pictures of another person, moved as a clip moves (absolute motion)."""

from __future__ import annotations

from dataclasses import replace

from bench.tasks import cross_id

TASK = replace(
    cross_id.TASK,
    id="few-shot",
    description="move another person, of whom eight frames of a clip are given, as each clip moves",
    shots=8,
)
