"""FAN through face-alignment: the 68 landmarks of most papers (FOMM's AKD among them).

Bulat, Tzimiropoulos (How Far Are We from Solving the 2D & 3D Face Alignment Problem, ICCV 2017), the 2D network of four
hourglasses, the picture and its mirror image averaged. Crops, heat maps and their maxima are the package's own. The
box is the suite's detector's; papers use SFD, for whose boxes the package assumes another scale (195 to 165).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.evaluators.consent import is_script
from bench.evaluators.files import locate
from bench.evaluators.script import open_script
from curate.errors import MissingPrerequisite, UserError
from curate.perception.interface import Faces, Frames

LANDMARKS = 68
SCALE = 165.0  # face-alignment's reference scale for boxes of SCRFD, YuNet and RetinaFace


class Fan:
    """A `Landmarker`; faces go through one by one."""

    def __init__(self) -> None:
        path, self.info = locate("fan")
        try:
            self._alignment = _alignment(path)
        except MissingPrerequisite:  # a script that nobody has said may run
            raise
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"{path} holds no FAN network of face-alignment: {reason}") from error

    def landmarks(self, frames: Frames, faces: Sequence[Faces]) -> NDArray[np.float32]:
        """[T, 68, 2] pixels of the first face of each frame, integers at pixel centres; NaN where there is none."""
        result = np.full((len(frames), LANDMARKS, 2), np.nan, np.float32)
        for row, (frame, found) in enumerate(zip(frames, faces, strict=True)):
            if len(found):
                boxes = [found.boxes[0].astype(np.float64)]
                (result[row],) = self._alignment.get_landmarks_from_image(np.ascontiguousarray(frame), boxes)
        return result


class _Boxes:
    """Stands where the package has a detector: boxes are given to it."""

    reference_scale = SCALE


def _alignment(path: Path) -> Any:
    """The package's object around a file that is here: a state dict, or TorchScript as its versions before 1.5 used."""
    from face_alignment.api import FaceAlignment, LandmarksType  # type: ignore[import-untyped,unused-ignore]  # no types
    from face_alignment.models import FAN  # type: ignore[import-untyped,unused-ignore]  # no types

    alignment = FaceAlignment.__new__(FaceAlignment)  # its constructor downloads
    alignment.device, alignment.dtype, alignment.verbose = "cpu", torch.float32, False
    alignment.flip_input, alignment.max_batch_size = True, 1
    alignment.landmarks_type, alignment.face_detector = LandmarksType.TWO_D, _Boxes()
    if is_script(path):
        network, _ = open_script("fan")
    else:
        network = FAN(4)
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    alignment.face_alignment_net = partial(_last, network.eval())
    _last(network, torch.zeros(1, 3, 256, 256))
    return alignment


def _last(network: Any, images: torch.Tensor) -> torch.Tensor:
    """Heat maps [B, 68, 64, 64] of the last hourglass."""
    maps = network(images)
    maps = maps[-1] if isinstance(maps, list | tuple) else maps
    if tuple(maps.shape[1:]) != (LANDMARKS, 64, 64):
        raise ValueError(f"it gives {list(maps.shape)} for an image of 256 x 256, not [1, 68, 64, 64]")
    return torch.as_tensor(maps)
