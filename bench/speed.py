"""`bench speed`: how long a model takes for a driving frame, and what it needs for that.

Everything is measured in a process of its own, so that its memory is that of the model alone.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import baselines
from bench.baseline_errors import baseline_errors
from curate.errors import MissingPrerequisite, UserError, unknown

if TYPE_CHECKING:
    from baselines.interface import Extras, Reenactor
    from baselines.network_model import Precision

WARM_UP = 2  # calls before the first that counts
SIDE = 256  # of the images, for models that take any


@dataclass(frozen=True)
class Request:
    """What `bench speed` is asked; `speed` explains each."""

    model: str
    preset: str = "mini"
    checkpoint: str | None = None
    device: str = "cpu"
    batch: int = 1
    precision: Precision = "fp32"
    compiled: bool = False
    repeats: int = 10


def speed(request: Request) -> dict[str, Any]:
    """Measure a model in a fresh process; see `measure` for what is given.

    Without weights for `preset` it measures with random ones and says so: speed does not depend on them. `batch`
    driving frames are given at once; each time is that of one call after `WARM_UP` others, over `repeats` calls.
    """
    if request.model not in baselines.names():
        raise unknown("model", request.model, baselines.names())
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, request).result()


def measure(request: Request) -> dict[str, Any]:
    """Measure in this process: times in milliseconds, memory in MB, multiply-accumulates in billions (GMAC)."""
    import torch

    from bench.provenance import git_state, machine

    if request.device.startswith("cuda") and not torch.cuda.is_available():
        raise MissingPrerequisite(f"device {request.device!r}: there is no CUDA device here; run with --device cpu")
    with baseline_errors():
        model = _load(request)
    side = model.spec.resolution or SIDE
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(1 + request.batch, 3, side, side, generator=generator).to(request.device)
    image, driving = images[:1], images[1:]
    of_source, of_driving = (_extras(model, frames) for frames in (image, driving))
    source = model.encode_source(image, of_source)

    gmac_source = _gmac(request, lambda: model.encode_source(image, of_source))
    gmac_frame = _gmac(request, lambda: model.reenact(source, driving, of_driving))
    encoding = _times(request, lambda: model.encode_source(image, of_source))
    frames = [value / request.batch for value in _times(request, lambda: model.reenact(source, driving, of_driving))]
    return {
        **asdict(request),
        "preset": model.spec.preset,
        "weights": model.spec.details.get("weights", model.spec.checkpoint or "none"),
        "weights_sha256": model.spec.weights_sha256,
        "resolution": side,
        "ms_per_frame": _summary(frames),
        "frames_per_second": round(1000 / median(frames), 3),
        "ms_encode_source": _summary(encoding),
        "peak_memory_mb": round(_peak_memory(request.device) / 2**20, 1),
        "gmac_per_frame": None if gmac_frame is None else round(gmac_frame / request.batch, 3),
        "gmac_source": None if gmac_source is None else round(gmac_source, 3),
        "parameters": model.spec.parameters,
        "torch": torch.__version__,
        "machine": machine(request.device),
        "git_sha": git_state()[0],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _load(request: Request) -> Reenactor:
    from baselines.checkpoint import MissingCheckpoint

    device, precision, compiled = request.device, request.precision, request.compiled
    try:
        return baselines.load(
            request.model, request.preset, request.checkpoint, device, precision=precision, compiled=compiled
        )
    except MissingCheckpoint:
        kind = baselines.model_class(request.model)
        if request.checkpoint is not None or not hasattr(kind, "random"):
            raise
        baselines.check_device(device)
        model = kind.random(request.preset, device)
        model.use(precision, compiled)
        loaded: Reenactor = model
        return loaded


def _extras(model: Reenactor, frames: Any) -> Extras:
    """Stand-ins for what the model needs of frames: points all over the middle of the image, a disc for a head."""
    import torch

    count, side = len(frames), frames.shape[-1]
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, side)] * 2, indexing="ij")
    made = {
        "landmarks68": side / 4 + side / 2 * torch.rand(count, 68, 2, generator=torch.Generator().manual_seed(1)),
        "mask": (x**2 + y**2 < 0.5).float().expand(count, 1, -1, -1),
    }
    if lacking := sorted(set(model.spec.needs) - set(made)):
        raise UserError(f"model {model.spec.name} needs {', '.join(lacking)}; bench speed can give: {', '.join(made)}")
    return {name: made[name].to(frames.device) for name in model.spec.needs}


def _times(request: Request, call: Callable[[], object]) -> list[float]:
    """Milliseconds of each of `repeats` calls."""
    import torch

    cuda = request.device.startswith("cuda")
    found = []
    for number in range(WARM_UP + request.repeats):
        start = time.perf_counter()
        call()
        if cuda:
            torch.cuda.synchronize(request.device)
        if number >= WARM_UP:
            found.append(1000 * (time.perf_counter() - start))
    return found


def _summary(times: list[float]) -> dict[str, float]:
    return {"median": round(median(times), 3), "min": round(min(times), 3), "max": round(max(times), 3)}


def _gmac(request: Request, call: Callable[[], object]) -> float | None:
    """Multiply-accumulates of convolutions and matrix products, in billions; None for compiled code, where they cannot
    be seen (they are those of the same call without it)."""
    from torch.utils.flop_counter import FlopCounterMode

    if request.compiled:
        return None
    with FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops()) / 2e9


def _peak_memory(device: str) -> int:
    """Bytes: of this process on a CPU, of torch's tensors on a GPU."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would count what the parent process held when this one began
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="ascii"))
        if found:
            return int(found[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if os.uname().sysname == "Darwin" else peak * 1024
