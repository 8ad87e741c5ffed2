"""SyncNet: the public release's layout, and what its windows share."""

import pytest
import torch

import models
from models.errors import InputError


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return models.create("syncnet", "mini")["syncnet"].eval()


def test_names_and_sizes_are_those_of_the_public_file():
    with torch.device("meta"):
        state = models.create("syncnet")["syncnet"].state_dict()
    kept = {name: tuple(value.shape) for name, value in state.items() if not name.endswith("num_batches_tracked")}
    weights = {name: shape for name, shape in kept.items() if name.endswith("weight") and len(shape) > 1}
    assert weights == {
        "netcnnaud.0.weight": (64, 1, 3, 3),
        "netcnnaud.4.weight": (192, 64, 3, 3),
        "netcnnaud.8.weight": (384, 192, 3, 3),
        "netcnnaud.11.weight": (256, 384, 3, 3),
        "netcnnaud.14.weight": (256, 256, 3, 3),
        "netcnnaud.18.weight": (512, 256, 5, 4),
        "netfcaud.0.weight": (512, 512),
        "netfcaud.3.weight": (1024, 512),
        "netfclip.0.weight": (512, 512),
        "netfclip.3.weight": (1024, 512),
        "netcnnlip.0.weight": (96, 3, 5, 7, 7),
        "netcnnlip.4.weight": (256, 96, 1, 5, 5),
        "netcnnlip.8.weight": (256, 256, 1, 3, 3),
        "netcnnlip.11.weight": (256, 256, 1, 3, 3),
        "netcnnlip.14.weight": (256, 256, 1, 3, 3),
        "netcnnlip.18.weight": (512, 256, 1, 6, 6),
    }
    size = 4 * sum(torch.Size(shape).numel() for shape in kept.values())
    assert 0 < 54_573_114 - size < 20_000  # the published file's bytes: the rest is names


def test_a_clips_windows_are_those_of_five_frames_each(network):
    faces = torch.rand(7, 3, 224, 224)
    with torch.no_grad():
        found = network.lips(faces)
        for first in range(3):
            torch.testing.assert_close(found[first : first + 1], network.lips(faces[first : first + 5]))
        clip = torch.stack([255 * faces[:5, channel] for channel in (2, 1, 0)])[None]  # BGR, as the release was trained
        torch.testing.assert_close(found[:1], network.netfclip(network.netcnnlip(clip).flatten(1)))
    assert found.shape == (3, 64)


def test_sounds_go_through_one_by_one_as_together(network):
    cepstra = torch.randn(3, 13, 20)
    with torch.no_grad():
        found = network.voice(cepstra)
        torch.testing.assert_close(found[1:2], network.voice(cepstra[1:2]))
    assert found.shape == (3, 64)


def test_every_parameter_learns():
    torch.manual_seed(0)
    network = models.create("syncnet", "mini", lips=(2, 3, 3, 3, 3, 4), voice=(2, 3, 3, 3, 3, 4))["syncnet"]
    lips, voice = network.lips(torch.rand(6, 3, 224, 224)), network.voice(torch.randn(2, 13, 20))
    (lips - voice).square().sum().backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert network.netcnnlip[0].weight.grad.any()
    assert network.netcnnaud[0].weight.grad.any()


def test_wrong_inputs_are_named(network):
    with pytest.raises(InputError, match="faces: expected"):
        network.lips(torch.rand(5, 3, 96, 96))
    with pytest.raises(InputError, match="cepstra: expected"):
        network.voice(torch.rand(1, 12, 20))
