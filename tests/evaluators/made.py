"""Networks of the builtin suite with random weights, written as the shipped ones are."""

from pathlib import Path

import torch

from bench.evaluators import shipped
from curate.files import sha256_file


def write_networks(folder: Path, names=tuple(shipped.NETWORKS)) -> Path:
    for name in names:
        torch.manual_seed(3)
        network = shipped.NETWORKS[name]()
        for part in network.modules():  # fresh statistics would make folding a no-op
            if hasattr(part, "running_mean"):
                part.running_mean.normal_(0, 0.1)
                part.running_var.uniform_(0.5, 2)
        path = shipped.save(folder, name, network, steps=0)
        shipped.write_card(folder, name, {"note": "random"})
        assert shipped.read_card(folder, name)["sha256"] == sha256_file(path)
    return folder
