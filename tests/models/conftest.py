"""Fixtures for comparing networks with published ones."""

import importlib.util

import pytest

from tests.models.goldens import Golden, Published


@pytest.fixture(scope="session")
def seeded(shared):
    """The module `seeded_weights`: `fill(module)` and `image(name, shape)`."""
    spec = importlib.util.spec_from_file_location("seeded_weights", shared / "goldens" / "seeded_weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def golden(shared):
    """`golden("fomm_vox256_ac1")`: the case's configuration, inputs and outputs."""
    return lambda case: Golden(shared / "goldens" / case)


@pytest.fixture(scope="session")
def published(shared):
    """`published("fomm_vox-256")`: names and shapes of a public checkpoint."""
    return lambda name: Published(shared / "statedicts" / f"{name}.json")
