"""The compiled rasteriser against plain formulas, and the torch one against the compiled one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.synth import raster, raster_torch, renderer
from curate.synth.parameters import EXPRESSION, Motion, sample_identity, sample_scene

FACING = np.array([[0, 2, 1]], np.int32)  # anticlockwise on screen when the points go right, then down


def one(points: list[tuple[float, float, float]], two_sided: int = 0, side: int = 16) -> np.ndarray:
    ids, _ = raster.visible(np.array(points, np.float32), FACING, np.array([two_sided], np.uint8), side, side)
    return ids


def test_a_triangle_covers_the_pixel_centres_inside_it() -> None:
    ids = one([(2, 2, 5), (12, 2, 5), (2, 12, 5)])
    y, x = np.mgrid[0:16, 0:16] + 0.5
    assert np.array_equal(ids >= 0, (x >= 2) & (y >= 2) & (x + y <= 14))


def test_back_faces_are_not_drawn_unless_two_sided() -> None:
    behind = [(2.0, 2.0, 5.0), (2.0, 12.0, 5.0), (12.0, 2.0, 5.0)]
    assert (one(behind) < 0).all()
    assert (one(behind, two_sided=1) >= 0).any()


def test_the_nearest_surface_wins_and_depth_is_interpolated() -> None:
    points = np.array([(0, 0, 10), (16, 0, 10), (0, 16, 10), (0, 0, 2), (16, 0, 18), (0, 16, 2)], np.float32)
    triangles = np.array([[0, 2, 1], [3, 5, 4]], np.int32)
    ids, near = raster.visible(points, triangles, np.zeros(2, np.uint8), 16, 16)
    depth = 2 + (np.arange(16) + 0.5)  # of the slanted one, along x
    for x in range(12):
        assert ids[1, x] == (1 if depth[x] < 10 else 0)
        assert near[1, x] == pytest.approx(min(depth[x], 10), abs=1e-4)


def test_what_lies_outside_the_picture_does_no_harm() -> None:
    ids = one([(-1e4, -1e4, 5), (1e4, -1e4, 5), (0, 1e4, 5)])
    assert (ids == 0).any()
    assert (one([(-30, -30, 5), (-20, -30, 5), (-30, -20, 5)]) < 0).all()


def test_normals_of_a_sphere_point_outwards() -> None:
    u, v = np.meshgrid(np.linspace(0, 2 * np.pi, 60), np.linspace(0.3, np.pi - 0.3, 30))
    ball = np.stack([np.sin(v) * np.cos(u), np.sin(v) * np.sin(u), np.cos(v)], axis=-1).reshape(-1, 3)
    r, c = np.meshgrid(np.arange(29), np.arange(59), indexing="ij")
    a = (r * 60 + c).ravel()
    faces = np.concatenate([np.stack([a, a + 60, a + 1], axis=1), np.stack([a + 1, a + 60, a + 61], axis=1)])
    found = raster.normals(ball.astype(np.float32), faces.astype(np.int32))
    inner = (v > 0.5) & (v < np.pi - 0.5) & (u > 0.2) & (u < 6.0)
    assert ((found * ball).sum(axis=1)[inner.ravel()] > 0.995).all()


def test_the_gamma_table_is_srgb_up_to_the_knee_and_never_falls() -> None:
    table = raster.gamma_table().astype(int)
    assert (np.diff(table) >= 0).all()
    assert table[0] == 0
    assert table[-1] >= 254
    for linear in (0.002, 0.05, 0.2, 0.5):
        expected = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
        assert abs(table[round(linear * 2047.5)] - 255 * expected) <= 1


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_torch_sees_the_same_triangles(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform((-8, -8, 1), (40, 40, 50), (60, 3)).astype(np.float32)
    triangles = rng.integers(0, 60, (40, 3)).astype(np.int32)
    two_sided = rng.integers(0, 2, 40).astype(np.uint8)
    surface = raster.Surface(triangles, np.zeros(40, np.uint8), two_sided, np.zeros((60, 2), np.float32))
    ids, near = raster.visible(points, triangles, two_sided, 32, 32)
    other, depth = raster_torch.visible(torch.from_numpy(points)[None], surface, 32, 32)
    assert np.array_equal(other[0].numpy(), ids)
    assert np.array_equal(depth[0].numpy(), near)


def test_blocks_of_fragments_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform((0, 0, 1), (64, 64, 50), (90, 3)).astype(np.float32)
    triangles = rng.integers(0, 90, (80, 3)).astype(np.int32)
    surface = raster.Surface(triangles, np.zeros(80, np.uint8), np.ones(80, np.uint8), np.zeros((90, 2), np.float32))
    whole = raster_torch.visible(torch.from_numpy(points)[None], surface, 64, 64)
    monkeypatch.setattr(raster_torch, "FRAGMENTS", 500)
    parts = raster_torch.visible(torch.from_numpy(points)[None], surface, 64, 64)
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_a_head_looks_the_same_on_a_torch_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """The torch path, run where there is no other device: on the CPU."""
    rng = np.random.default_rng(0)
    motion = Motion(
        (rng.random((2, len(EXPRESSION))) * 0.4).astype(np.float32),
        np.array([(35, 10, 5), (-20, 0, 0)], np.float32),
        np.tile(np.float32([0, 0, 800]), (2, 1)),
        2.2,
    )
    here = (sample_identity(5, 1), motion, sample_scene(rng), 96)
    compiled = renderer.render_frames(*here)
    monkeypatch.setattr(renderer, "_draw", renderer._draw_on("cpu"))
    other = renderer.render_frames(*here)
    difference = np.abs(compiled.frames.astype(int) - other.frames)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3
    assert np.array_equal(compiled.mask, other.mask)
    assert np.array_equal(compiled.visible, other.visible)
