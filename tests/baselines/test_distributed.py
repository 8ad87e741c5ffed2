"""Two processes compute what one does with twice the batch."""

import json
import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from baselines.checkpoint import CHECKPOINT
from baselines.training import Options, train
from baselines.training.distributed import _normalise
from baselines.training.log import LOG

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys, torch
from pathlib import Path
from baselines.training import Options, train
torch.set_num_threads(1)
dataset, out, recipe = sys.argv[1:]
for name in ("float32", "float64"):
    torch.set_default_dtype(getattr(torch, name))
    train("fomm", Path(dataset), Path(out) / name, Options(recipe=recipe, steps=4, batch=2, seed=5))
"""
LOSSES = ("pixels", "gradients", "adversarial", "feature_matching", "discriminator")

ADVERSARIAL = """
extends = "tiny"
discriminators = ["discriminator"]

[switches]
disc_width = 4
disc_max_width = 16
disc_blocks = 2

[weights]
adversarial = 1
feature_matching = 10
equivariance_value = 0
equivariance_jacobian = 0

[generator]
learning_rate = 2e-4

[discriminator]
learning_rate = 2e-4
"""


@pytest.fixture
def undrawn(recipe):
    """The tiny recipe with a discriminator, and without losses whose warps each process draws for itself."""
    path = recipe.with_name("undrawn.toml")
    path.write_text(ADVERSARIAL)
    return path


def logged(out):
    return [json.loads(line) for line in (out / LOG).read_text().splitlines()]


def test_two_processes_are_one_with_twice_the_batch(dataset, tmp_path, undrawn):
    """In float64 losses and weights to 1e-5. In float32 the first losses to 1e-5 and the next, now and then, to a few
    1e-5: Adam makes steps of full length out of the rounding errors of gradients that are zero (biases before batch
    normalisation)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-c", SCRIPT, str(dataset), str(tmp_path / "two"), str(undrawn)]
    address = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(command, cwd=ROOT, env={**os.environ, **address, "RANK": str(rank)}) for rank in range(2)
    ]
    torch.set_num_threads(1)
    options = Options(recipe=undrawn, steps=4, batch=4, seed=5)
    try:
        for name in ("float32", "float64"):
            torch.set_default_dtype(getattr(torch, name))
            train("fomm", dataset, tmp_path / "one" / name, options)
    finally:
        torch.set_default_dtype(torch.float32)
    assert [process.wait(timeout=150) for process in processes] == [0, 0]
    for name in ("float32", "float64"):
        for one, two in zip(logged(tmp_path / "one" / name), logged(tmp_path / "two" / name), strict=True):
            exact = name == "float64" or one["step"] == 1
            near = pytest.approx([one[loss] for loss in LOSSES], rel=1e-5 if exact else 1e-4)
            assert [two[loss] for loss in LOSSES] == near
    one, two = (load_file(tmp_path / count / "float64" / CHECKPOINT) for count in ("one", "two"))
    assert one.keys() == two.keys()
    for key, tensor in one.items():
        if key.startswith("kp_detector.") and "running_" in key:
            continue  # the detector also looked at warped frames, and each process drew its own warps
        torch.testing.assert_close(two[key], tensor, rtol=0, atol=1e-5, msg=key)
    assert not list((tmp_path / "two").rglob(".partial-*"))


def test_synchronised_statistics_are_those_of_batch_normalisation(monkeypatch):
    """In a group of one, against the layer itself: output, gradients, running statistics, and what evaluation gives."""
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda tensor: tensor)
    torch.manual_seed(0)
    ours, theirs = torch.nn.BatchNorm2d(3), torch.nn.BatchNorm2d(3)
    ours.forward = partial(_normalise, ours, 1)
    x = (torch.rand(4, 3, 5, 5) * 3).requires_grad_()
    seen = x.detach().clone().requires_grad_()
    (ours(x) ** 3).sum().backward()
    (theirs(seen) ** 3).sum().backward()
    torch.testing.assert_close(x.grad, seen.grad, atol=1e-4, rtol=1e-4)
    for name, tensor in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], tensor)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))
