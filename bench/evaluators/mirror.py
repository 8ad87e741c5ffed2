"""What a mirrored face shows: which landmark, rotation and expression unit becomes which."""

from __future__ import annotations

import numpy as np

from curate.synth.parameters import UNITS

# Landmark k of a mirrored face is landmark LANDMARKS[k] of the face.
LANDMARKS = np.array(
    [
        *(*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1)),  # jaw, brows, nose
        *(*range(45, 41, -1), 47, 46, *range(39, 35, -1), 41, 40),  # eyes
        *(*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65),  # outer and inner lips
    ]
)
ROTATION = np.array([[1, -1, -1], [-1, 1, 1], [-1, 1, 1]], np.float32)  # times a rotation: that of the mirrored head
EXPRESSION = np.array(
    [UNITS.index({"_l": name[:-2] + "_r", "_r": name[:-2] + "_l"}.get(name[-2:], name)) for name in UNITS]
)
"""Unit k of a mirrored face is unit EXPRESSION[k] of the face."""
