"""Face detection by MTCNN (Zhang et al. 2016, Joint Face Detection and Alignment Using Multi-task Cascaded CNNs).

The networks are facenet-pytorch's, whose package contains the weights, so this detector works with no network.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from curate.perception.align import shrink
from curate.perception.interface import Faces, Frames, NetworkInfo

SHORT_SIDE = 360  # frames are shrunk until their shorter side is at most this, pixels
MIN_FACE = 20  # pixels of the shrunk frame
THRESHOLDS = (0.6, 0.7, 0.7)  # of the three stages, the paper's
PYRAMID_FACTOR = 0.709


class SlicedMaxPool(nn.Module):
    """`nn.MaxPool2d(kernel, stride=2, ceil_mode=True)` as maxima of strided slices.

    Equal bit for bit, and 2.5 times as fast on one CPU thread, where the built-in pools took 40% of the cascade's time.
    """

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, C, ceil((H - kernel) / 2) + 1, ceil((W - kernel) / 2) + 1]."""
        return self._along(self._along(x, 2), 3)

    def _along(self, x: Tensor, dim: int) -> Tensor:
        last = -(-(x.shape[dim] - self.kernel) // 2)  # index of the last window
        beyond = 2 * last + self.kernel - x.shape[dim]
        if beyond:
            x = torch.cat([x, x.narrow(dim, x.shape[dim] - 1, 1)], dim)  # a repeated value changes no maximum
        windows = x.unfold(dim, self.kernel, 2)
        result = windows[..., 0]
        for offset in range(1, self.kernel):
            result = torch.maximum(result, windows[..., offset])
        return result


class Mtcnn:
    """A `Detector`; frames go through the cascade one by one.

    On CPU that is as fast as batches, keeps memory at one frame's, and a result depends on its frame alone.
    Threads are torch's own setting (`torch.set_num_threads`).
    """

    def __init__(self) -> None:
        # facenet_pytorch takes seconds to import
        import facenet_pytorch
        from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
        from facenet_pytorch.models.utils.detect_face import detect_face

        self._cascade: Any = detect_face
        self._stages = [_fast(PNet()), _fast(RNet()), _fast(ONet())]
        folder = Path(facenet_pytorch.__file__).parent / "data"
        digest = hashlib.sha256(b"".join((folder / f"{stage}.pt").read_bytes() for stage in ("pnet", "rnet", "onet")))
        self.info = NetworkInfo("mtcnn", digest.hexdigest(), "MIT")  # of the three files, one after the other

    @torch.inference_mode()
    def detect(self, frames: Frames) -> list[Faces]:
        """Faces of each of T frames [T, H, W, 3], best score first."""
        return [self._detect_one(frame) for frame in frames]

    def _detect_one(self, frame: Frames) -> Faces:
        small, scale_x, scale_y = shrink(frame, SHORT_SIDE)
        if min(small.shape[:2]) < MIN_FACE:
            return Faces.none()
        batch = torch.from_numpy(small)[None]
        boxes, points = (
            found[0]
            for found in self._cascade(batch, MIN_FACE, *self._stages, THRESHOLDS, PYRAMID_FACTOR, batch.device)
        )
        found = np.asarray(boxes, np.float64).reshape(-1, 5)  # left, top, right, bottom, score
        best = np.argsort(-found[:, 4], kind="stable")
        scale = np.array([scale_x, scale_y])
        placed = (np.asarray(points, np.float64).reshape(-1, 5, 2) + 0.5) / scale - 0.5
        return Faces(
            (found[best, :4] / np.tile(scale, 2)).astype(np.float32),
            found[best, 4].astype(np.float32),
            placed[best].astype(np.float32),
        )


def _fast(stage: nn.Module) -> nn.Module:
    """The network with its pools replaced, ready for inference."""
    for name, child in list(stage.named_children()):
        if isinstance(child, nn.MaxPool2d):
            kernel = child.kernel_size
            if not isinstance(kernel, int) or child.stride != 2 or not child.ceil_mode or child.padding != 0:
                raise ValueError(f"unexpected pool in facenet-pytorch's MTCNN: {child}")
            setattr(stage, name, SlicedMaxPool(kernel))
    return stage.eval().requires_grad_(False)
