"""Fitting on people of whom all is known."""

import numpy as np
import pytest
import torch

import models
from baselines.landmark_transformer import Examples, by_person, fit, fit_bases, principal, upright
from models.landmark_transformer import GROUPS, RIGID

TINY = {"hidden": 64, "shape_basis": 12, "basis": (1, 1, 1, 3, 1)}


@pytest.fixture(scope="module")
def world():
    """Linear faces: what makes the person and what is expression lie along different directions."""
    generator = torch.Generator().manual_seed(0)
    mean = upright(torch.rand(68, 3, generator=generator))
    identity, expression = (0.04 * torch.randn(k, 68, 3, generator=generator) for k in (4, 3))
    expression[:, [i for i in range(68) if i not in GROUPS["mouth"]]] = 0
    people = torch.arange(40).repeat_interleave(25)
    who = torch.randn(40, 4, generator=generator)
    activity = torch.randn(len(people), 3, generator=generator)

    def face(person, active):
        return mean + torch.einsum("nk,kpd->npd", person, identity) + torch.einsum("nk,kpd->npd", active, expression)

    return face, who, people, activity


def test_principal_directions_are_those_of_the_singular_values():
    rows = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)) * torch.arange(1.0, 7.0)
    directions, spread = principal(rows, 3)
    _, values, vectors = np.linalg.svd(rows.numpy(), full_matrices=False)
    np.testing.assert_allclose(np.abs((directions.numpy() * vectors[:3]).sum(1)), 1, atol=1e-4)
    np.testing.assert_allclose(spread, values[:3] / 50**0.5, rtol=1e-4)
    with pytest.raises(ValueError, match="7 directions of 6 dimensions"):
        principal(rows, 7)


def test_the_mean_over_people_counts_each_person_s_rows():
    values, person = torch.arange(12.0).view(6, 2), torch.tensor([0, 1, 0, 0, 1, 2])
    expected = torch.stack([values[person == p].mean(0) for p in range(3)])
    torch.testing.assert_close(by_person(values, person), expected)


def test_an_upright_face_is_one_whatever_the_pose():
    face = torch.rand(68, 3)
    turn = torch.linalg.qr(torch.randn(3, 3))[0]
    turn = turn * torch.det(turn).sign()
    torch.testing.assert_close(upright(7 * face @ turn.T + 3), upright(face), atol=1e-4, rtol=0)
    found = upright(face)
    assert float(found[list(RIGID)].mean(0).abs().max()) < 1e-5
    assert abs(float(found[45, 1] - found[36, 1])) < 1e-5


def test_bases_are_orthonormal_and_each_keeps_to_its_group(world):
    face, who, people, activity = world
    transformer = models.create("landmark-transformer", "mini", **TINY)["transformer"]
    alpha = fit_bases(transformer, 80 * face(who[people], activity) + 5, people)
    flat = transformer.basis.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(7), atol=1e-4, rtol=0)
    start = 0
    for points, count in zip(GROUPS.values(), TINY["basis"], strict=True):
        others = [i for i in range(68) if i not in points]
        assert float(transformer.basis[start : start + count, others].abs().max()) == 0
        start += count
    torch.testing.assert_close(alpha.mean(0), torch.zeros(7), atol=1e-4, rtol=0)


def test_it_learns_to_move_an_expression_to_another_face(world):
    face, who, people, activity = world
    torch.manual_seed(0)
    transformer = models.create("landmark-transformer", "mini", **TINY)["transformer"]
    landmarks = 80 * face(who[people], activity)
    history = []
    fit(transformer, Examples(landmarks, people, landmarks[..., :2]), steps=150,
        progress=lambda step, steps, loss: history.append(loss))  # fmt: skip
    assert np.mean(history[-20:]) < 0.3 * np.mean(history[:20])

    generator = torch.Generator().manual_seed(9)
    target, driver = torch.randn(2, 1, 4, generator=generator)
    active = torch.randn(20, 3, generator=generator)
    with torch.no_grad():
        known, _ = transformer.normalise(face(target, torch.zeros(1, 3)))
        given, _ = transformer.normalise(face(driver, active))
        wanted, _ = transformer.normalise(face(target, active))
        moved = transformer.transfer(transformer.identity(known), given)
    assert (moved - wanted).norm(dim=-1).mean() < 0.5 * (given - wanted).norm(dim=-1).mean()


def test_the_same_seed_gives_the_same_weights(world):
    face, who, people, activity = world
    states = []
    for _ in range(2):
        torch.manual_seed(0)
        transformer = models.create("landmark-transformer", "mini", **TINY)["transformer"]
        fit(transformer, Examples(face(who[people], activity), people), steps=3, seed=4)
        states.append(transformer.state_dict())
    for name, tensor in states[0].items():
        assert torch.equal(tensor, states[1][name]), name


def test_one_person_is_too_few():
    with pytest.raises(ValueError, match="at least two people"):
        Examples(torch.rand(4, 68, 3), torch.zeros(4, dtype=torch.long))
