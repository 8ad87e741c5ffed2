"""Inception-v3 with the weights of the original FID code, through pytorch-fid.

Heusel et al. (GANs Trained by a Two Time-Scale Update Rule, NeurIPS 2017): FID is the Fréchet distance of the 2048
values of its last pooling. Resizing, ranges and layers are pytorch-fid's own, so that features are equal to its.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.evaluators.batches import in_batches
from bench.evaluators.files import locate
from curate.errors import UserError
from curate.perception.interface import Frames

DIMENSIONS = 2048
_LOADING = threading.Lock()


class InceptionFid:
    """A `FrechetEncoder`."""

    def __init__(self) -> None:
        path, self.info = locate("inception-fid")
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.network = _through_pytorch_fid(state)
        except Exception as error:
            raise UserError(
                f"{path} holds no Inception network of pytorch-fid: {str(error).splitlines()[0]}"
            ) from error

    def frechet(self, frames: Frames) -> NDArray[np.float32]:
        """[T, 2048] of uint8 RGB frames [T, H, W, 3]."""
        if not len(frames):
            return np.zeros((0, DIMENSIONS), np.float32)
        return in_batches(lambda images: self.network(images)[0].flatten(1), frames)


def _through_pytorch_fid(state: dict[str, torch.Tensor]) -> Any:
    """pytorch-fid's network around weights that are here: its loader asks for an address, and is handed the content."""
    from pytorch_fid import inception  # type: ignore[import-untyped,unused-ignore]  # no types

    with _LOADING:
        original = inception.load_state_dict_from_url
        inception.load_state_dict_from_url = lambda *_, **__: state
        try:
            network = inception.InceptionV3([inception.InceptionV3.BLOCK_INDEX_BY_DIM[DIMENSIONS]])
        finally:
            inception.load_state_dict_from_url = original
    return network.eval()
