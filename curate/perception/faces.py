"""The faces of one frame, as every detector gives them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Faces:
    """Faces of one frame, best score first; coordinates are pixels of that frame."""

    boxes: NDArray[np.float32]  # [N, 4] left, top, right, bottom (right and bottom exclusive)
    scores: NDArray[np.float32]  # [N] in [0, 1]
    points: NDArray[np.float32]  # [N, 5, 2] x, y: eye on the image's left, eye on its right, nose, mouth left, mouth right

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def none(cls) -> Faces:
        """No face."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))
