"""The shipped networks: small files that their cards describe, and as good as promised on people drawn here."""

import pytest

from bench.evaluators import builtin, shipped
from bench.evaluators.training import measure
from bench.evaluators.training.frames import Recipe, frame_set
from curate.files import sha256_file
from curate.perception import load_detector

PEOPLE = Recipe(population=3000, identities=10, cameras=2, shots=3)  # in no training and no card


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return frame_set(PEOPLE, tmp_path_factory.mktemp("frames"), 1, lambda done: None)


@pytest.fixture(scope="module")
def faces(data):
    return measure.detected_faces(data, load_detector("mtcnn"))


@pytest.mark.parametrize("name", sorted(shipped.NETWORKS))
def test_files_are_small_and_described(name):
    path = shipped.WEIGHTS / f"{name}.safetensors"
    card = shipped.read_card(shipped.WEIGHTS, name)
    assert path.stat().st_size == card["bytes"] <= shipped.LARGEST
    assert sha256_file(path) == card["sha256"]
    assert {"data", "recipe", "seed", "seconds", "device", "error on held-out identities", "command"} <= set(card)
    network, info = shipped.load(name)
    assert info.licence == card["licence"] == "MIT"
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_features_follow_the_size_of_a_distortion(data):
    found = measure.perceptual_distances(builtin.BuiltinFeatures(), data)
    for kind in measure.DISTORTIONS:
        assert found[kind] == sorted(found[kind]), kind
        assert found[kind][0] > 0
    assert found["other person"][0] > found["shift"][0]
    assert found["other person"][0] > found["other shot"][0]
