"""Frames that nobody filmed but that are known exactly: what tasks compare a model's output with.

The frames are as rendered, without camera noise and without compression, whatever the clips' own noise: that is the
truth a model should reach, and also the ceiling that recorded frames do not reach themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curate.angles import angles, rotation
from curate.synth.parameters import EXPRESSION, Motion
from curate.synth.truth import ClipTruth

if TYPE_CHECKING:
    from curate.synth.renderer import Rendered


def render(
    identity_of: ClipTruth,
    motion_of: ClipTruth,
    frames: Sequence[int] | NDArray[np.integer],
    size: int | None = None,
    device: str = "cpu",
) -> Rendered:
    """The first clip's person, background and light in the second's expression, pose, place and focal length (absolute
    motion), at the named frames [T] of the second.

    `size`: side of the frames in pixels, else the first clip's. With one clip as both it gives that clip's frames.
    Raises IndexError for frames that the second clip does not have.
    """
    from curate.synth.renderer import render_frames

    motion = motion_of.motion.take(_indices(frames, len(motion_of)))
    return render_frames(identity_of.identity, motion, identity_of.scene, size or identity_of.size, device=device)


def relative(
    source: ClipTruth,
    at: int,
    driving: ClipTruth,
    initial: int,
    frames: Sequence[int] | NDArray[np.integer],
    size: int | None = None,
    device: str = "cpu",
) -> Rendered:
    """The first clip's person as in frame `at`, moved by what the second does since its frame `initial` (relative
    motion), at the named frames [T] of the second.

    Rotations are chained, places (in mm) and expressions are added; expressions are cut at the ends of their range. At
    the initial frame it gives the source's frame. Raises IndexError for frames that a clip does not have.
    """
    from curate.synth.renderer import render_frames

    moved = driving.motion.take(_indices(frames, len(driving)))
    begun = driving.motion.take(_indices([initial], len(driving)))
    own = source.motion.take(_indices([at], len(source)))
    least = np.array([-1.0 if name.startswith("gaze") else 0.0 for name in EXPRESSION], np.float32)
    expression = np.clip(own.expression + moved.expression - begun.expression, least, 1)
    turn = rotation(moved.angles) @ np.linalg.inv(rotation(begun.angles)) @ rotation(own.angles)
    place = own.translation + moved.translation - begun.translation
    motion = Motion(expression, angles(turn).astype(np.float32), place, own.focal)
    return render_frames(source.identity, motion, source.scene, size or source.size, device=device)


def rotate(
    clip: ClipTruth,
    frame: int,
    yaw: ArrayLike,
    pitch: ArrayLike = 0.0,
    roll: ArrayLike = 0.0,
    size: int | None = None,
    device: str = "cpu",
) -> Rendered:
    """The clip's person as in `frame` (expression, place of the head's origin, background, light), turned to the given
    angles in degrees; arrays of N angles (or of one) give N frames.

    `size`: side of the frames in pixels, else the clip's. Raises IndexError for a frame that the clip does not have.
    """
    from curate.synth.renderer import render_frames

    yaw, pitch, roll = np.broadcast_arrays(*(np.atleast_1d(np.asarray(a, np.float32)) for a in (yaw, pitch, roll)))
    at = _indices([frame] * yaw.size, len(clip))
    still = clip.motion.take(at)
    turned = np.stack([yaw.ravel(), pitch.ravel(), roll.ravel()], axis=1)
    motion = Motion(still.expression, turned, still.translation, still.focal)
    return render_frames(clip.identity, motion, clip.scene, size or clip.size, device=device)


def _indices(frames: Sequence[int] | NDArray[np.integer], count: int) -> NDArray[np.intp]:
    indices = np.asarray(frames, dtype=np.intp)
    if indices.ndim != 1 or not indices.size:
        raise ValueError("frames: at least one frame must be asked for")
    if indices.min() < 0 or indices.max() >= count:
        raise IndexError(f"frames {indices.min()} .. {indices.max()} of a clip of {count} frames")
    return indices
