"""Conventions of head poses, against this project's own and against what is drawn of Hopenet's."""

import numpy as np
import pytest
import torch

from curate import angles as convention
from models.pose import PoseEstimator, camera_to_hopenet, hopenet_to_camera, rotation, turn


def some_angles(count=50):
    spread = torch.tensor([80.0, 60.0, 90.0])
    return (2 * torch.rand(count, 3, generator=torch.Generator().manual_seed(0)) - 1) * spread


def test_camera_angles_are_this_projects():
    given = some_angles()
    np.testing.assert_allclose(rotation(given), convention.rotation(given.numpy()), atol=1e-6)


@pytest.mark.parametrize("name", ["camera", "hopenet", "public", "public-beta"])
def test_matrices_turn(name):
    m = rotation(some_angles(), name)
    torch.testing.assert_close(m @ m.mT, torch.eye(3).expand(50, -1, -1), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(m), torch.ones(50))


def test_turns_are_right_handed():
    quarter = torch.tensor(torch.pi / 2)
    for axis, (before, after) in {"x": (1, 2), "y": (2, 0), "z": (0, 1)}.items():
        torch.testing.assert_close(turn(axis, quarter) @ torch.eye(3)[before], torch.eye(3)[after], atol=1e-6, rtol=0)


def test_hopenets_angles_mean_what_its_authors_draw():
    """They draw the nose's direction as (-sin yaw, -cos yaw sin pitch) in the image, x to the right and y down, and the
    head's x axis as (cos yaw cos roll, cos pitch sin roll - cos roll sin pitch sin yaw)."""
    given = some_angles()
    yaw, pitch, roll = given.deg2rad().unbind(-1)
    m = rotation(given, "hopenet")
    nose = -m[..., 2]  # of a head at rest it points to the camera, against z
    torch.testing.assert_close(nose[:, 0], -yaw.sin(), atol=1e-6, rtol=0)
    torch.testing.assert_close(nose[:, 1], -yaw.cos() * pitch.sin(), atol=1e-6, rtol=0)
    side = m[..., 0]
    torch.testing.assert_close(side[:, 0], yaw.cos() * roll.cos(), atol=1e-6, rtol=0)
    drawn = pitch.cos() * roll.sin() - roll.cos() * pitch.sin() * yaw.sin()
    torch.testing.assert_close(side[:, 1], drawn, atol=1e-6, rtol=0)


def test_angles_go_to_hopenets_and_back():
    given = some_angles()
    theirs = camera_to_hopenet(given)
    np.testing.assert_allclose(rotation(theirs, "hopenet"), convention.rotation(given.numpy()), atol=1e-5)
    torch.testing.assert_close(hopenet_to_camera(theirs), given, atol=1e-3, rtol=0)
    torch.testing.assert_close(
        camera_to_hopenet(torch.tensor([[30.0, 0, 0], [0, 20, 0], [0, 0, 10]])),
        torch.tensor([[-30.0, 0, 0], [0, 20, 0], [0, 0, 10]]),
        atol=1e-4,
        rtol=0,
    )


def test_half_a_turn_counts_what_is_said():
    torch.testing.assert_close(rotation(torch.tensor([0.0, 0, 180]), "public", 3.14), turn("z", torch.tensor(3.14)))


def test_swapped_names_swap_yaw_and_roll():
    torch.manual_seed(0)
    network = PoseEstimator(3, width=4, blocks=(1, 1, 1, 1)).eval()
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        plain = network(image)
        network.swapped_names = True
        swapped = network(image)
    assert torch.equal(plain["yaw"], swapped["roll"])
    assert torch.equal(plain["roll"], swapped["yaw"])
    assert torch.equal(plain["pitch"], swapped["pitch"])
    assert plain["delta"].shape == (2, 3, 3)
