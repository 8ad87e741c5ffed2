"""Time per driving frame: our adapters against networks called through their public forward, frame by frame.

    python benchmarks/inference.py [--only fomm ...] [--repeats 5] [--json FILE]

Both ways run in one process, by turns (A B A B ...), on random weights, one float32 frame of the paper size at a time.
The plain way computes everything that depends on the source again for each frame, as the public code does; the adapter
has encoded the source beforehand. Outputs must be equal to 1e-4, or to ten times the change of the plain way's when the
source moves by 1e-7. Exit code 1: a goal is missed or outputs differ.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

import baselines
import models
from baselines.checkpoint import save
from baselines.network_model import NetworkModel
from curate.files import write_json

Plain = Callable[[dict[str, nn.Module], Tensor, Tensor], Tensor]


def plain_fomm(networks: dict[str, nn.Module], source: Tensor, driving: Tensor) -> Tensor:
    detector = networks["kp_detector"]
    found = networks["generator"](source, kp_source=detector(source), kp_driving=detector(driving))
    return found["prediction"]


def plain_osfv(networks: dict[str, nn.Module], source: Tensor, driving: Tensor) -> Tensor:
    canonical, estimator = networks["kp_detector"](source), networks["he_estimator"]
    kp_source, kp_driving = (estimator.motion(image).keypoints(canonical) for image in (source, driving))
    return networks["generator"](source, kp_source=kp_source, kp_driving=kp_driving)["prediction"]


@dataclass(frozen=True)
class Case:
    adapter: str
    architecture: str
    plain: Plain
    goal: float  # of the plain way's time
    switches: dict[str, Any]


CASES = {
    "fomm": Case("fomm", "fomm", plain_fomm, 0.8, {}),
    "fomm-l": Case("fomm-l", "fomm-l", plain_fomm, 0.8, {}),
    "osfv-original": Case("osfv", "osfv-community", plain_osfv, 0.75, {"generator": "original"}),
    "osfv-spade": Case("osfv", "osfv-community", plain_osfv, 0.75, {"generator": "spade"}),
}


def made(case: Case) -> dict[str, nn.Module]:
    """Random networks whose pictures depend on what they are shown, with statistics as training leaves them."""
    torch.manual_seed(0)
    networks = models.create(case.architecture, "paper", **case.switches)
    for network in networks.values():
        for name, module in network.named_modules():
            if (
                isinstance(module, nn.Conv2d | nn.Conv3d)
                and not hasattr(module, "weight_orig")
                and "jacobian" not in name
            ):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            elif isinstance(
                module, nn.Linear
            ):  # else heads are thrown out of the picture, and rounding grows with them
                nn.init.normal_(module.weight, std=1e-5)
            elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d) and module.running_mean is not None:
                nn.init.normal_(module.running_mean, std=0.1)
                nn.init.uniform_(module.running_var, 0.5, 2.0)
        network.eval().requires_grad_(False)
    return networks


def adapter(case: Case, networks: dict[str, nn.Module], folder: Path) -> NetworkModel:
    """The adapter with these networks, from a file as a user has it."""
    kind: type[NetworkModel] = baselines.model_class(case.adapter)
    path = folder / f"{case.architecture}.safetensors"
    kept = {part: networks[part] for part in kind.parts}
    save(path, kept, model=case.architecture, preset="paper", steps=0, switches=case.switches)
    return type(kind.__name__, (kind,), {"architecture": case.architecture})("paper", path)


@torch.inference_mode()
def compare(case: Case, repeats: int, folder: Path) -> dict[str, Any]:
    networks = made(case)
    model: Any = adapter(case, networks, folder)
    side = model.resolution
    source, *driving = torch.rand(2 + repeats, 1, 3, side, side)
    encoded = model.encode_source(source, {})
    wall: dict[str, list[float]] = {"plain": [], "adapter": []}
    cpu: dict[str, list[float]] = {"plain": [], "adapter": []}
    difference = 0.0
    for number, frame in enumerate(driving):  # the first warms both up
        outputs = {}
        for way in wall:
            start, used = time.perf_counter(), time.process_time()
            outputs[way] = case.plain(networks, source, frame) if way == "plain" else model.reenact(encoded, frame, {})
            if number:
                wall[way].append(time.perf_counter() - start)
                cpu[way].append(time.process_time() - used)
        difference = max(difference, float((outputs["plain"] - outputs["adapter"]).abs().max()))
    moved = case.plain(networks, source * (1 - 1e-7), driving[-1])
    noise = float((moved - outputs["plain"]).abs().max())
    taken = {way: median(times) for way, times in wall.items()}
    of_cpu = {way: median(times) for way, times in cpu.items()}
    return {
        "plain, ms": round(1000 * taken["plain"]),
        "adapter, ms": round(1000 * taken["adapter"]),
        "of the time": round(taken["adapter"] / taken["plain"], 3),
        "of the CPU time": round(of_cpu["adapter"] / of_cpu["plain"], 3),
        "goal": case.goal,
        "largest difference": difference,
        "noise floor": noise,
        "met": taken["adapter"] <= case.goal * taken["plain"] and difference <= max(1e-4, 10 * noise),
    }


def main() -> None:
    from tempfile import TemporaryDirectory

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = {}
    for name in arguments.only:
        with TemporaryDirectory() as folder:
            rows[name] = compare(CASES[name], arguments.repeats, Path(folder))
        print(name, *(f"{key}: {value}" for key, value in rows[name].items()), sep="; ", flush=True)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    if arguments.json:
        write_json(arguments.json, rows)
    sys.exit(0 if all(row["met"] for row in rows.values()) else 1)


if __name__ == "__main__":
    main()
