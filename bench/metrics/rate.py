"""What is sent for a video: of a model, the source's picture and the motion; of a video coder, its stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.metrics.base import Metric

if TYPE_CHECKING:
    from torch import Tensor

OSFV = "Wang et al., One-Shot Free-View Neural Talking-Head Synthesis for Video Conferencing, CVPR 2021"


def bytes_per_frame(sent: Tensor, pixels: Tensor) -> Tensor:
    """Bytes [B] of all that is sent: `sent` [B, 2] has what goes out with each frame, of the source's picture and of
    the stream. The picture goes out once, with the first frame, so that the mean over a clip counts it once.
    """
    _check(sent, pixels)
    return sent.sum(dim=1)


def stream_bytes_per_frame(sent: Tensor, pixels: Tensor) -> Tensor:
    """Bytes [B] of the stream alone, as OSFV's table 6 counts: the source's picture was sent before the call."""
    _check(sent, pixels)
    return sent[:, 1]


def bits_per_pixel(sent: Tensor, pixels: Tensor) -> Tensor:
    """Bits of all that is sent over the pixels [B] of the frames that are compared: -> [B]."""
    _check(sent, pixels)
    return 8 * sent.sum(dim=1) / pixels


def _check(sent: Tensor, pixels: Tensor) -> None:
    if sent.ndim != 2 or sent.shape[1] != 2 or not bool((sent >= 0).all()):
        raise ValueError(f"`sent` must be [B, 2] and not negative, but has the shape {list(sent.shape)}")
    if pixels.shape != sent.shape[:1] or not bool((pixels > 0).all()):
        raise ValueError(f"`pixels` must be [{len(sent)}] and positive, but has the shape {list(pixels.shape)}")


METRIC = (
    Metric(
        id="bytes-per-frame",
        function=bytes_per_frame,
        aspect="rate",
        feature="told",
        higher_is_better=False,
        unit="B",
        description="bytes of all that is sent, the source's picture once per clip, over the clip's frames",
        paper=OSFV,
    ),
    Metric(
        id="stream-bytes-per-frame",
        function=stream_bytes_per_frame,
        aspect="rate",
        feature="told",
        higher_is_better=False,
        unit="B",
        description="bytes of the stream over the clip's frames, without the source's picture, which was sent before",
        paper=OSFV,
    ),
    Metric(
        id="bits-per-pixel",
        function=bits_per_pixel,
        aspect="rate",
        feature="told",
        higher_is_better=False,
        description="bits of all that is sent, the source's picture once per clip, over the pixels that are compared",
        paper=OSFV,
    ),
)
