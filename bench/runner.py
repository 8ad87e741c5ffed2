"""`bench run`: one pass over the pairs of a task, for a model and the calibration rows together."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

import baselines
from baselines.interface import Reenactor
from bench.baseline_errors import baseline_errors
from bench.datasets import DEFAULT as DEFAULT_DATASET
from bench.drive import features_needed
from bench.entrants import Driven
from bench.evaluators.suite import Suite, open_suite
from bench.one_pass import COPY, Pass, Result
from bench.plan import make_plan, settle_task
from bench.tasks.base import unable
from curate.errors import MissingPrerequisite, UserError, unknown


@dataclass(frozen=True)
class Request:
    """What `bench run` is asked; `run` explains each."""

    task: str
    model: str
    dataset: str = DEFAULT_DATASET
    checkpoint: str | None = None
    preset: str = "mini"
    suite: str | None = None
    limit: int | None = None
    shots: int | None = None
    variants: bool = False
    out: str = "runs"
    seed: int = 0
    device: str = "cpu"
    unverified: bool = False
    protocol: str | None = None


def run(
    task: str,
    model: str,
    dataset: str | Path = DEFAULT_DATASET,
    *,
    checkpoint: str | Path | None = None,
    preset: str = "mini",
    suite: str | None = None,
    limit: int | None = None,
    shots: int | None = None,
    variants: bool = False,
    out: str | Path = "runs",
    seed: int = 0,
    device: str = "cpu",
    unverified: bool = False,
    protocol: str | Path | None = None,
) -> list[Path]:
    """Measure `model` on `task` and `dataset`; gives the run folders, the model's first, then the calibration rows'.

    `dataset` is a folder or the name of one that is made at first use. Where it has a test split, that alone is run.
    `protocol` names a shipped protocol or a TOML file (None: the task's own). `unverified` takes a published checkpoint
    whose hash is not known. `suite` names the networks that metrics use (None: those that ship), `limit` takes the
    first pairs only, `shots` says how many source images models are given (None: as many as the protocol says),
    `variants` adds what papers print under the same names as our metrics, `seed` draws pairs and sets what is random in
    a model. Every frame is decoded once and goes through every network once, for all rows together. Raises `UserError`
    (unknown names, no pairs) and `MissingPrerequisite` (weights, lists).
    """
    checkpoint = None if checkpoint is None else str(checkpoint)
    where = str(dataset)
    request = Request(task, model, where, checkpoint, preset, suite, limit, shots, variants, str(out), seed, device)
    named = None if protocol is None else str(protocol)
    return [result.folder for result in measure(replace(request, unverified=unverified, protocol=named))]


def measure(request: Request) -> list[Result]:
    """As `run`, and says which pairs failed."""
    protocol, task = settle_task(request.task, request.protocol, request.shots, request.limit)
    model = _load(request.model, request)
    if why := unable(task.motion, model.spec):
        raise UserError(f"{model.spec.name} cannot take part in task {task.id}: {why}")
    suite = open_suite(request.suite)
    models = task.rows(task, [model]) if task.rows else [model]
    driven = {kind for each in models for kind in _needed(each, suite)}
    # may render the dataset now: whatever else can be wrong is known before
    plan = make_plan(protocol, task, request.dataset, seed=request.seed, limit=request.limit, variants=request.variants)
    one = Pass(
        plan,
        suite,
        arguments=asdict(request),
        out=Path(request.out),
        seed=request.seed,
        limit=request.limit,
        device=request.device,
        driven=driven,
    )
    framing = {row.spec.name: row for row in one.calibration(Driven(_load(COPY, request), request.device))}
    own = [
        framing.pop(each.spec.name) if each.spec.name in framing else Driven(each, request.device) for each in models
    ]
    return one.run([*own, *framing.values()])


def _load(name: str, request: Request) -> Reenactor:
    """The model that was asked for, or a calibration row, which has no checkpoint."""
    if name not in baselines.names():
        raise unknown("model", name, baselines.names())
    if request.device.startswith("cuda") and not torch.cuda.is_available():
        raise MissingPrerequisite(f"device {request.device!r}: there is no CUDA device here; run with --device cpu")
    checkpoint = request.checkpoint if name == request.model else None
    with baseline_errors():
        return baselines.load(
            name,
            preset=request.preset,
            checkpoint=checkpoint,
            device=request.device,
            verify=not request.unverified,
        )


def _needed(model: Reenactor, suite: Suite) -> set[str]:
    """Kinds of features that the model is given of each frame; `MissingPrerequisite` where a network is not there."""
    needed = features_needed(model)
    for kind in sorted(needed & set(suite.missing)):
        raise MissingPrerequisite(f"model {model.spec.name} needs {kind}: {suite.missing[kind]}")
    return set(needed)
