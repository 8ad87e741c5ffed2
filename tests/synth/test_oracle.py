"""Truth equals the rendering, and what tasks render from it is what it says."""

from pathlib import Path

import numpy as np
import pytest

from curate import Dataset, angles
from curate.synth import oracle
from curate.synth.renderer import render_frames
from curate.synth.truth import ClipTruth, Truth
from tests.synth.conftest import SMALL


@pytest.fixture(scope="module")
def two(small: Path) -> tuple[ClipTruth, ClipTruth]:
    """Clips of two people."""
    known = Truth.open(small)
    first, second = (next(clip for clip in known.clip_ids if f"-000{person}-0-" in clip) for person in (0, 1))
    return known.clip(first), known.clip(second)


def project(points: np.ndarray, camera: np.ndarray) -> np.ndarray:
    x = points.astype(np.float64) @ camera.astype(np.float64).T
    return x[..., :2] / x[..., 2:]


def test_the_landmarks_in_3d_project_onto_those_in_2d(small: Path) -> None:
    known = Truth.open(small)
    for clip in map(known.clip, known.clip_ids):
        assert np.abs(project(clip.landmarks3d, clip.camera) - clip.landmarks2d).max() < 0.02
        assert clip.landmarks3d[..., 2].min() > 200  # mm in front of the camera
        assert clip.visible.any(axis=1).all()
        inside = (clip.landmarks2d > 0) & (clip.landmarks2d < clip.size)
        assert inside.all()


def test_the_rotation_is_that_of_the_angles(small: Path) -> None:
    known = Truth.open(small)
    for clip in map(known.clip, known.clip_ids):
        assert np.abs(angles.angles(clip.rotation) - clip.motion.angles).max() < 1e-3
        assert np.allclose(clip.rotation @ clip.rotation.transpose(0, 2, 1), np.eye(3), atol=1e-5)
        # what is rigid in a head moves with R and t: the bridge of the nose
        nose = slice(27, 31)
        rest = np.einsum("tji,tpj->tpi", clip.rotation, clip.landmarks3d[:, nose] - clip.motion.translation[:, None])
        assert np.ptp(rest, axis=0).max() < 6


def test_boxes_lie_around_the_landmarks_and_in_the_crop(small: Path) -> None:
    known = Truth.open(small)
    for clip in map(known.clip, known.clip_ids):
        assert (clip.face_box[:, :2] <= clip.landmarks2d.min(axis=1) + 1).all()
        assert (clip.face_box[:, 2:] >= clip.landmarks2d.max(axis=1) - 1).all()
        assert (clip.crop_box == [0, 0, clip.size, clip.size]).all()
        height = (clip.face_box[:, 3] - clip.face_box[:, 1]) / clip.size
        assert ((height > 0.3) & (height < 0.65)).all()


def test_a_clip_rendered_again_is_what_the_recipe_draws_and_what_the_video_shows(small: Path) -> None:
    known, opened = Truth.open(small), Dataset.open(small)
    for recipe in SMALL.clips()[::3]:
        clip = known.clip(recipe.clip_id)
        again = oracle.render(clip, clip, range(len(clip)))
        fresh = render_frames(*recipe.draw(), SMALL.size)
        assert np.array_equal(again.frames, fresh.frames)
        assert np.array_equal(again.landmarks, clip.landmarks2d)
        assert np.array_equal(again.rotation, clip.rotation)
        assert np.array_equal(again.box, clip.face_box)
        video = next(found for found in opened.clips if found.clip_id == recipe.clip_id)
        shown = opened.frames(video, range(len(clip))).astype(float)
        assert 10 * np.log10(255**2 / ((shown - again.frames) ** 2).mean()) > 30  # what compression leaves


def test_one_person_in_anothers_motion(two: tuple[ClipTruth, ClipTruth]) -> None:
    a, b = two
    chosen = [5, 0, 2]
    crossed = oracle.render(a, b, chosen)
    assert crossed.frames.shape == (3, 64, 64, 3)
    assert np.array_equal(crossed.rotation, b.rotation[chosen])
    assert np.array_equal(crossed.translation, b.motion.translation[chosen])
    assert np.array_equal(crossed.camera, b.camera)  # the focal length is the motion's
    own, theirs = oracle.render(a, a, [0]), oracle.render(b, b, chosen)
    corner = np.s_[:, :6, :6]
    assert np.array_equal(crossed.frames[corner][:1], own.frames[corner])  # the background is the person's
    assert not np.array_equal(crossed.frames[corner], theirs.frames[corner])
    # another person's face at the same pose: near theirs, never equal
    apart = np.linalg.norm(crossed.landmarks3d - theirs.landmarks3d, axis=-1)
    assert 0.5 < apart.mean() < 25


def test_a_frame_turned_to_given_angles(two: tuple[ClipTruth, ClipTruth]) -> None:
    clip = two[0]
    yaw = np.array([-40.0, 0.0, 25.0])
    turned = oracle.rotate(clip, 3, yaw, 10.0, [0.0, 5.0, -5.0])
    wanted = np.stack([yaw, [10.0] * 3, [0.0, 5.0, -5.0]], axis=1)
    assert np.abs(angles.angles(turned.rotation) - wanted).max() < 1e-3
    assert (turned.translation == clip.motion.translation[3]).all()
    same = oracle.rotate(clip, 3, *clip.motion.angles[3])
    assert np.array_equal(same.frames, oracle.render(clip, clip, [3]).frames)
    assert oracle.rotate(clip, 0, 0.0).frames.shape == (1, 64, 64, 3)


def test_relative_motion_chains_turns_and_adds_places(two: tuple[ClipTruth, ClipTruth]) -> None:
    a, b = two
    still = oracle.relative(a, 1, b, 2, [2])
    np.testing.assert_allclose(still.landmarks[0], oracle.render(a, a, [1]).landmarks[0], atol=1e-2)
    own = oracle.relative(a, 0, a, 0, [0, 3])
    np.testing.assert_allclose(own.landmarks, oracle.render(a, a, [0, 3]).landmarks, atol=1e-2)
    moved = oracle.relative(a, 1, b, 0, [3])
    turn = b.rotation[3] @ b.rotation[0].T @ a.rotation[1]
    np.testing.assert_allclose(moved.rotation[0], turn, atol=1e-4)
    with pytest.raises(IndexError):
        oracle.relative(a, 1, b, len(b), [0])


def test_other_sizes_show_the_same(two: tuple[ClipTruth, ClipTruth]) -> None:
    a, b = two
    small, large = oracle.render(a, b, [1]), oracle.render(a, b, [1], size=128)
    assert large.frames.shape == (1, 128, 128, 3)
    assert np.abs((large.landmarks + 0.5) / 2 - 0.5 - small.landmarks).max() < 0.02
    assert oracle.rotate(a, 0, [1.0, 2.0], size=32).frames.shape == (2, 32, 32, 3)


@pytest.mark.parametrize("frames", [[8], [-1], [0, 99]])
def test_frames_that_do_not_exist_are_refused(two: tuple[ClipTruth, ClipTruth], frames: list[int]) -> None:
    with pytest.raises(IndexError, match="of a clip of 8 frames"):
        oracle.render(*two, frames)
    with pytest.raises(IndexError, match="of a clip of 8 frames"):
        oracle.rotate(two[0], frames[-1], 0.0)


def test_no_frame_is_refused(two: tuple[ClipTruth, ClipTruth]) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        oracle.render(*two, [])
