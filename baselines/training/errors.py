"""What stops a training."""

from __future__ import annotations


class TrainingError(ValueError):
    """Training cannot begin or go on; the message says why and what is left to use."""


class Stopped(TrainingError):
    """Training was asked to end early and did; the message says how it goes on."""
