"""Hopenet against its authors' state dict and outputs, and what its angles mean."""

import numpy as np
import pytest
import torch

import models
from models.errors import InputError
from models.hopenet import preprocess
from models.pose import degrees


def test_names_and_shapes_are_those_of_the_published_checkpoint(published):
    with torch.device("meta"):
        network = models.create("hopenet")["hopenet"]
    published("hopenet").check("hopenet", network)


def test_outputs_are_those_of_the_authors_code(golden, seeded, shared):
    case = golden("hopenet")
    network = models.create("hopenet")["hopenet"].eval()
    seeded.fill(network)
    images = seeded.image("images", (2, 3, 224, 224))
    with torch.no_grad():
        logits = dict(zip(("yaw_logits", "pitch_logits", "roll_logits"), network(preprocess(images)), strict=True))
        found = {**logits, "degrees": network.degrees(images)}
    assert set(found) == case.names
    for name, value in found.items():
        case.check(name, value)
    stored = np.load(shared / "goldens" / "losses_osfv_ac1.npz")  # it sees the driving image of that case, shrunk
    driving = seeded.image("driving", (1, 3, 256, 256))
    for suffix, antialias in (("antialias", True), ("no_antialias", False)):
        with torch.no_grad():
            angles = network.degrees(driving, antialias=antialias)[0]
        np.testing.assert_allclose(angles, stored[f"hopenet_degrees_{suffix}"], atol=1e-3)


def test_a_mean_of_bins_is_an_angle():
    logits = torch.full((1, 66), -100.0)
    logits[0, 33] = 100
    assert float(degrees(logits)) == 0
    logits[0, 43] = 100
    assert float(degrees(logits)) == 15


def test_every_parameter_learns_but_the_unused_layer():
    torch.manual_seed(0)
    network = models.create("hopenet", "mini")["hopenet"]
    network.degrees(torch.rand(2, 3, 64, 64)).square().sum().backward()
    without = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    assert without == {"fc_finetune.weight", "fc_finetune.bias"}


def test_wrong_images_are_named():
    with pytest.raises(InputError, match=r"images: expected values in \[0, 1\]"):
        preprocess(torch.full((1, 3, 8, 8), 2.0))
