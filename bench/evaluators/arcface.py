"""ArcFace through insightface: who a face is, as most papers measure it.

Deng et al. (ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR 2019). The file is buffalo_l's, a
ResNet-50 trained on WebFace600K; five points are brought onto insightface's template of 112 x 112 pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.evaluators.files import locate
from curate.errors import UserError
from curate.perception.interface import Faces, Frames

SIDE = 112


class ArcFace:
    """An `Identifier`; faces go through one by one, so that no value depends on the others."""

    def __init__(self) -> None:
        import onnxruntime as ort
        from insightface.model_zoo import arcface_onnx  # type: ignore[import-untyped,unused-ignore]  # no types

        path, self.info = locate("arcface")
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            self._network: Any = arcface_onnx.ArcFaceONNX(str(path), session)
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"{path} is no ArcFace network: {reason}") from error
        if self._network.input_size != (SIDE, SIDE) or len(self._network.output_shape) != 2:
            shapes = f"{self._network.input_shape} -> {self._network.output_shape}"
            raise UserError(f"{path} is no ArcFace network: {shapes}, not an image of {SIDE} x {SIDE} -> a vector")
        self.dimensions = int(self._network.output_shape[1])

    def embed(self, frames: Frames, faces: Sequence[Faces]) -> NDArray[np.float32]:
        """[T, D] unit vectors of the first face of each frame, D 512 for buffalo_l; NaN where there is none."""
        from insightface.utils.face_align import norm_crop  # type: ignore[import-untyped,unused-ignore]  # no types

        result = np.full((len(frames), self.dimensions), np.nan, np.float32)
        for row, (frame, found) in enumerate(zip(frames, faces, strict=True)):
            if len(found):
                crop = norm_crop(np.ascontiguousarray(frame[..., ::-1]), found.points[0], SIDE)
                vector = self._network.get_feat(crop)[0]
                result[row] = vector / np.linalg.norm(vector)
        return result
