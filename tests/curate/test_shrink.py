"""Small RGB pictures out of a frame's planes, against the decoder's own scaler."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from curate.frame import Frame


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("matrix", [Colorspace.ITU601, Colorspace.ITU709])
@pytest.mark.parametrize("span", [ColorRange.MPEG, ColorRange.JPEG])
@pytest.mark.parametrize("size", [(640, 480), (1282, 722), (368, 1008)])
def test_small_pictures_agree_with_the_decoder(
    pixels: str, matrix: Colorspace, span: ColorRange, size: tuple[int, int]
) -> None:
    w, h = size
    across, down = np.meshgrid(np.linspace(0, 6, w), np.linspace(0, 4, h))
    waves = np.stack([np.sin(across), np.cos(down), np.sin(across + down)], 2)
    picture = (128 + 100 * waves).astype(np.uint8)
    raw = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
        format=pixels, dst_colorspace=matrix, dst_color_range=span
    )
    raw.colorspace, raw.color_range, raw.time_base, raw.pts = matrix, span, Fraction(1, 25), 0
    small = Frame(raw, 0, 0.0).rgb(144)
    assert min(small.shape[:2]) == 144
    whole = raw.reformat(format="rgb24", src_colorspace=matrix)
    want = whole.reformat(width=small.shape[1], height=small.shape[0], interpolation=Interpolation.AREA).to_ndarray()
    apart = np.abs(small.astype(int) - want)[2:-2, 2:-2]
    assert apart.mean() < (2.5 if pixels.endswith("10le") else 2)  # ten bits lose two first
    assert apart.max() <= 8


def test_a_frame_is_never_enlarged() -> None:
    raw = av.VideoFrame(96, 64, "yuv420p")
    for plane in raw.planes:
        plane.update(bytes([128]) * plane.buffer_size)
    assert Frame(raw, 0, 0.0).rgb(144).shape == (64, 96, 3)
