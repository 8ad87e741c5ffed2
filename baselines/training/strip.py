"""Pictures of what a model makes while it is trained: source | driving | prediction, a row each."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.checkpoint import write_whole
from baselines.training.batch import Batch

ROWS = 4


def write_strip(path: Path, batch: Batch, prediction: Tensor) -> None:
    """Write the first rows of a batch and of its prediction [B, T, 3, R, R], last driving frame, as a PNG file."""
    columns = [batch.source[:ROWS, 0], batch.driving[:ROWS, -1], prediction[:ROWS, -1].detach()]
    picture = torch.cat([torch.cat(list(column.float()), dim=1) for column in columns], dim=2)
    pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    write_whole(path, png(pixels))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """RGB uint8 [H, W, 3] as a PNG file (ISO/IEC 15948): eight bits a channel, rows unfiltered."""
    height, width = pixels.shape[:2]
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
