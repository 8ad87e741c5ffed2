"""Conversions between matrices and ranges, against the formulas in floats."""

import numpy as np
import pytest

from curate import colour


@pytest.mark.parametrize("matrix", [1, 5, 6, 7, 9])
@pytest.mark.parametrize("full", [False, True])
def test_planes_show_the_same_rgb_in_bt601(matrix: int, full: bool) -> None:
    across, down = np.meshgrid(np.linspace(0, 4, 128), np.linspace(0, 3, 96))
    rgb = 128 + 90 * np.stack([np.sin(across), np.cos(down), np.sin(across + down)], 2)
    to, plain = colour.to_rgb(matrix, full), colour.to_rgb(5, False)
    yuv = (rgb - to[:, 3]) @ np.linalg.inv(to[:, :3]).T
    chroma = yuv.reshape(48, 2, 64, 2, 3).mean((1, 3))
    planes = [np.rint(plane).astype(np.uint8) for plane in (yuv[..., 0], chroma[..., 1], chroma[..., 2])]
    y, u, v = colour.to_601(*planes, matrix, full)
    large = [np.kron(plane, np.ones((2, 2))) for plane in (u, v)]
    shown = np.stack([y, *large], 2) @ plain[:, :3].T + plain[:, 3]
    apart = np.abs(shown - rgb)
    assert apart.mean() < 1.2
    assert apart.max() < 7  # chroma is shared by four pixels
    flat = np.full((8, 8, 3), (200.0, 40.0, 60.0))
    yuv = (flat - to[:, 3]) @ np.linalg.inv(to[:, :3]).T
    planes = [np.rint(plane).astype(np.uint8) for plane in (yuv[..., 0], yuv[::2, ::2, 1], yuv[::2, ::2, 2])]
    y, u, v = colour.to_601(*planes, matrix, full)
    shown = plain[:, :3] @ (float(y[4, 4]), float(u[2, 2]), float(v[2, 2])) + plain[:, 3]
    assert np.abs(shown - (200, 40, 60)).max() < 2.6


def test_grey_has_no_chroma_and_plain_planes_are_left_alone() -> None:
    y, u = np.arange(64, dtype=np.uint8).reshape(8, 8) + 50, np.full((4, 4), 128, np.uint8)
    for matrix in (1, 7, 9):
        new_y, new_u, new_v = colour.to_601(y, u, u, matrix, False)
        np.testing.assert_array_equal(new_y, y)
        np.testing.assert_array_equal(new_u, u)
        np.testing.assert_array_equal(new_v, u)
    assert colour.to_601(y, u, u, 6, False)[0] is y
