"""Heads fitted to landmarks, and turned: signs and order of angles, against the truth of rendered people."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines.head_fitting import fit_heads
from baselines.head_model import BadHeadModel, read_head_model, synthetic
from baselines.head_rendering import draw_curves, textured, turned
from curate.synth.parameters import EXPRESSION, Motion, sample_identity, sample_scene
from curate.synth.renderer import render_frames
from models.errors import InputError

SIDE = 64
TURNS = np.array([[25, 0, 0], [-25, 0, 0], [0, 15, 0], [0, -15, 0], [0, 0, 20], [0, 0, -20], [20, 10, -15]], np.float32)


def filmed(person, angles):
    count = len(angles)
    place = np.tile(np.float32([4, 8, 900]), (count, 1))
    motion = Motion(np.zeros((count, len(EXPRESSION)), np.float32), angles, place, 2.2)
    return render_frames(sample_identity(5, person), motion, sample_scene(np.random.default_rng(person)), SIDE)


@pytest.fixture(scope="module")
def people():
    """Three people, each in the seven poses and, last, at rest."""
    return [filmed(person, np.concatenate([TURNS, np.zeros((1, 3), np.float32)])) for person in range(3)]


def test_every_angle_is_found_with_its_sign_and_at_its_place(people):
    for seen in people:
        found = fit_heads(synthetic(), torch.from_numpy(seen.landmarks), SIDE).angles
        assert (found[:-1] - torch.from_numpy(TURNS)).abs().max() < 4, found


def test_the_turned_head_has_the_angles_asked_for(people):
    """Landmarks are followed from the source through the fit and the turn to those of the rendered truth."""
    head = synthetic()
    for seen in people:
        points = torch.from_numpy(seen.landmarks)
        source = fit_heads(head, points[-1:], SIDE).expand(len(TURNS))
        moved = replace(source, angles=torch.from_numpy(TURNS)).landmarks(head, SIDE)
        error = (moved - points[:-1]).norm(dim=-1).mean(1)
        still = (points[-1:] - points[:-1]).norm(dim=-1).mean(1)
        assert (error < 0.45 * still).all(), (error, still)


def test_pixels_turn_the_same_way(people):
    head = synthetic()
    seen = people[0]
    frames = torch.from_numpy(seen.frames).permute(0, 3, 1, 2).float() / 255
    source = textured(head, frames[-1:], fit_heads(head, torch.from_numpy(seen.landmarks[-1:]), SIDE)).expand(
        len(TURNS)
    )
    found = turned(head, source, replace(source.fit, angles=torch.from_numpy(TURNS)))
    masks = torch.from_numpy(seen.mask[:-1]).float()[:, None] / 255
    distance = ((found[:, None] - frames[None, :-1]).abs() * masks[None]).mean((2, 3, 4))
    assert (distance.argmin(1) == torch.arange(len(TURNS))).all(), distance
    again = turned(head, source, source.fit)
    assert (again[0] - frames[-1]).abs().mean() < 0.03


def test_curves_lie_where_the_landmarks_do(people):
    points = torch.from_numpy(people[0].landmarks[-1:])
    maps = draw_curves(points, SIDE)
    assert maps.shape == (1, 5, SIDE, SIDE)
    column, row = points[0, 30].round().long().tolist()
    assert maps[0, 2, row, column] > 0.3
    assert maps[0, 3, row, column] < 0.01


def test_what_is_no_face_is_refused():
    with pytest.raises(InputError, match="landmarks: expected finite values"):
        fit_heads(synthetic(), torch.full((1, 68, 2), torch.nan), SIDE)
    with pytest.raises(InputError, match="landmarks: expected a face"):
        fit_heads(synthetic(), torch.ones(1, 68, 2), SIDE)


@pytest.fixture
def users_file(tmp_path):
    """The head of SynthHeads written as a user's model would be: micrometres, y up, triangles from 1."""
    own = synthetic()
    flip = torch.tensor([1.0, -1.0, -1.0])

    def columns(basis):
        return (basis * flip * 1000).flatten(1).T.numpy()

    path = tmp_path / "head.npz"
    spread = {"sigma": np.ones((41, 1)), "sigma_exp": np.ones((18, 1))}
    places = (own.landmarks[:, None] * 3 + torch.arange(3)).flatten().numpy()
    np.savez(
        path,
        mu_shape=(own.mean * flip * 1000).reshape(-1, 1).numpy(),
        mu_exp=np.zeros((own.mean.numel(), 1)),
        w=columns(own.shape),
        w_exp=columns(own.expression),
        tri=own.triangles.T.numpy() + 1,
        keypoints=places[None],
        **spread,
    )
    return path


def test_a_users_model_is_fitted_as_ours(users_file, people):
    head = read_head_model(users_file)
    own = synthetic()
    torch.testing.assert_close(head.mean, own.mean, atol=1e-2, rtol=0)
    assert torch.equal(head.triangles, own.triangles)
    found = fit_heads(head, torch.from_numpy(people[0].landmarks), SIDE).angles
    assert (found[:-1] - torch.from_numpy(TURNS)).abs().max() < 6


def test_files_that_are_no_head_model_are_named(users_file, tmp_path):
    with np.load(users_file) as file:
        arrays = dict(file)
    bad = tmp_path / "bad.npz"
    np.savez(bad, **(arrays | {"tri": arrays["tri"] - 1}))
    with pytest.raises(BadHeadModel, match="tri: "):
        read_head_model(bad)
    np.savez(bad, **{key: value for key, value in arrays.items() if key != "w"})
    with pytest.raises(BadHeadModel, match="expected an npz file with mu_shape"):
        read_head_model(bad)
    np.savez(bad, **(arrays | {"w": np.array([{"code": 1}], object)}))
    with pytest.raises(BadHeadModel, match="expected an npz file"):
        read_head_model(bad)
