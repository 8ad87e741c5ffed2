"""Landmarks of people in motion without drawing them: milliseconds a frame, and the same to the last bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate.synth import expression, head, landmarks, parts, shape
from curate.synth.parameters import SHAPE, Identity, Motion


def bare(identity: Identity) -> head.Form:
    """A person's form; hair and glasses stay the mean head's."""
    mesh = parts.mesh()
    shift = np.einsum("k,kvd->vd", identity.coefficients[: len(SHAPE)], shape.basis()).astype(np.float64)
    left, right = (shift[mesh.part[f"eye_{side}"].start] for side in ("left", "right"))
    return head.Form((mesh.points + shift).astype(np.float32), expression.basis(), (left, right))


def landmarks3d(identity: Identity, motion: Motion) -> NDArray[np.float32]:
    """[T, 68, 3] in mm, camera axes: `renderer.Rendered.landmarks3d` of the same person and motion."""
    placed, _ = head.pose(bare(identity), motion)
    return np.ascontiguousarray(placed[:, landmarks.vertices()])
