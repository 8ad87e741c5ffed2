"""`bench run`: one pass over the pairs of a task, for a model and the calibration rows together."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import torch

import baselines
from baselines.interface import Reenactor
from bench import metrics, provenance, run_folder, tasks
from bench.baseline_errors import baseline_errors
from bench.datasets import DEFAULT as DEFAULT_DATASET
from bench.datasets import open_dataset
from bench.drive import features_needed
from bench.evaluators.suite import Suite, open_suite
from bench.features import Features
from bench.metrics.base import Aspect
from bench.pair_reader import PairReader
from bench.rows import TRUTH, Row
from bench.tasks.base import CAPABILITY, Pair, Reference, pair_list_sha256
from bench.truth import truth_of
from curate.console import milestone, progress, say
from curate.dataset import Clip, Dataset
from curate.errors import BadVideo, MissingPrerequisite, UserError, unknown
from curate.files import sha256_text
from leaderboard.records import SCHEMA_VERSION, DatasetInfo, EvaluatorInfo, ModelInfo, ProtocolInfo, RunRecord

CALIBRATION = (TRUTH, "source-copy")  # in every table: the best that can be had, and what doing nothing gives
TEST = "test"  # the split to measure on, where a dataset has it; training leaves it out
PREVIEWED_PAIRS = 4


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


@dataclass(frozen=True)
class Result:
    """What a pass leaves of one model."""

    folder: Path
    failures: dict[str, str]  # pair id -> why the pair gave no frames


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
) -> list[Path]:
    """Measure `model` on `task` and `dataset`; gives the run folders, the model's first, then the calibration rows'.

    `dataset` is a folder or the name of one that is made at first use. Where it has a test split, that alone is run.
    `unverified` takes a published checkpoint whose hash is not known.
    `suite` names the networks that metrics use (None: those that ship), `limit` takes the first pairs only, `shots`
    says how many source images models are given (None: as many as the task says), `variants` adds what papers print
    under the same names as our metrics, `seed` draws pairs and sets what is random in a model. Every frame is decoded
    once and goes through every network once, for all rows together. Raises `UserError` (unknown names, no pairs) and
    `MissingPrerequisite` (weights).
    """
    checkpoint = None if checkpoint is None else str(checkpoint)
    where = str(dataset)
    request = Request(task, model, where, checkpoint, preset, suite, limit, shots, variants, str(out), seed, device)
    return [result.folder for result in measure(replace(request, unverified=unverified))]


def measure(request: Request) -> list[Result]:
    """As `run`, and says which pairs failed."""
    started, clock = datetime.now(UTC), time.perf_counter()
    git_sha, git_dirty = provenance.git_state()  # now: the files may change while this runs
    task = tasks.get(request.task)
    for name, value in (("limit", request.limit), ("shots", request.shots)):
        if value is not None and value < 1:
            raise UserError(f"{name} must be at least 1, but is {value}")
    task = task if request.shots is None else replace(task, shots=request.shots)
    models = [_load(request.model, request)] + [_load(name, request) for name in CALIBRATION if name != request.model]
    if (able := CAPABILITY.get(task.motion, "")) and able not in models[0].spec.capabilities:
        raise UserError(f"task {task.id} needs a model that can do {able!r}, and {models[0].spec.name} cannot")
    models = task.rows(models) if task.rows else models
    suite = open_suite(request.suite)
    dataset = open_dataset(request.dataset)  # may be rendered now: whatever else can be wrong is known before
    clips, split = _to_measure_on(dataset)
    pairs = task.pairs(clips, request.seed)[: request.limit]
    truth = truth_of(dataset) if task.wants_truth else None
    references = task.references_on(truth is not None)
    wanted = [m for m in metrics.available().values() if request.variants or not m.variant_of]
    used = [m.under(task.parameters) for aspect in references for m in wanted if m.aspect == aspect]
    judged, driven = _kinds(models, used, references, suite)
    features = Features(suite)
    rows = [Row(model, references, used, suite, features, judged) for model in models]
    run_folder.prepare(Path(request.out))

    # Each row's frames are judged, and the calibration rows' are the source and the truth, or else the driving frames.
    always = {kind for metric in used if metric.against == "driving" for kind in metric.kinds} & judged
    seen = judged if truth is None else always
    looks = {"source": judged | driven, "driving": driven | seen, "truth": judged}
    reader = PairReader(dataset, task, features, looks, truth)
    with progress() as bar:
        item = bar.add_task(f"{task.protocol} {request.model}", total=len(pairs), note="")
        for number, pair in enumerate(pairs):
            bar.update(item, note=pair.driving.clip_id)
            _compare(pair, rows, reader, request, preview=number if number < PREVIEWED_PAIRS else None)
            bar.advance(item)
            if milestone(number + 1, len(pairs)):
                say(f"{task.protocol} {request.model}: {number + 1} of {len(pairs)} pairs")
    for row in rows:
        row.finish()
    if task.conclude:
        task.conclude(task, rows)

    shared = RunRecord(
        schema_version=SCHEMA_VERSION,
        run_id="",
        status="complete",
        created=started.isoformat(timespec="milliseconds"),
        source="measured",
        command=(Path(sys.argv[0]).name, *sys.argv[1:]),
        arguments=asdict(request),
        git_sha=git_sha,
        git_dirty=git_dirty,
        packages=provenance.packages(),
        machine=provenance.machine(request.device),
        seed=request.seed,
        suite=suite.name,
        model=_model_info(rows[0].model),
        dataset=DatasetInfo(name=dataset.name, fingerprint=dataset.fingerprint, n_clips=len(dataset.clips)),
        protocol=ProtocolInfo(
            id=task.protocol,
            task=task.id,
            pair_list_sha256=pair_list_sha256(pairs),
            n_pairs=len(pairs),
            size=task.size,
            frames_per_clip=task.frames_per_clip,
            limit=request.limit,
            split=split,
            shots=task.shots,
        ),
        metrics=(),
        evaluators={kind: EvaluatorInfo(**asdict(info)) for kind, info in suite.networks.items()},
        seconds={
            "decode": reader.seconds,
            "truth": truth.seconds if truth else 0.0,
            "evaluators": features.seconds,
            "total": time.perf_counter() - clock,
        },
        frames_driven=0,
        previews=(),
        samples_sha256="",
    )
    return [Result(_publish(row, shared, started, Path(request.out), task.angles), row.failures) for row in rows]


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


def _to_measure_on(dataset: Dataset) -> tuple[list[Clip], str | None]:
    """The clips to make pairs of, and the split that they are when not all are taken."""
    test = [clip for clip in dataset.clips if clip.split == TEST]
    if not test:
        return list(dataset.clips), None
    say(f"{dataset.name}: the {TEST} split, {len(test)} of {len(dataset.clips)} clips")
    return test, TEST


def _kinds(
    models: Sequence[Reenactor],
    used: Sequence[metrics.Metric],
    references: Mapping[Aspect, Reference],
    suite: Suite,
) -> tuple[set[str], set[str]]:
    """What the networks must look for to judge frames, by metrics that have a reference and a network, and in the
    frames that models are given."""
    kinds: set[str] = {kind for metric in used if references[metric.aspect].frames for kind in metric.kinds}
    driven: set[str] = set()
    for model in models:
        needed = features_needed(model)
        for kind in sorted(needed & set(suite.missing)):
            raise MissingPrerequisite(f"model {model.spec.name} needs {kind}: {suite.missing[kind]}")
        driven |= needed
    return kinds - set(suite.missing) - suite.wide, driven


def _compare(pair: Pair, rows: Sequence[Row], reader: PairReader, request: Request, preview: int | None) -> None:
    """Let every row take one pair; `preview` numbers the pair when frames of it are to be kept."""
    try:
        view = reader.read(pair)
    except (BadVideo, IndexError) as error:
        for row in rows:
            row.fail(pair, reader.indices(pair), f"a clip cannot be read: {error}")
        return
    seed = int(sha256_text(f"{request.seed}\t{pair.id}")[:15], 16)
    for row in rows:
        driven = row.take(pair, view, seed, request.device)
        if driven is not None and preview is not None:
            row.previews.append(run_folder.preview(preview, pair, *driven))


def _model_info(model: Reenactor) -> ModelInfo:
    spec = model.spec
    return ModelInfo(
        name=spec.name,
        preset=spec.preset,
        kind=spec.kind,
        resolution=spec.resolution,
        parameters=spec.parameters,
        paper=spec.paper,
        licence=spec.licence,
        checkpoint=spec.checkpoint,
        weights_sha256=spec.weights_sha256,
    )


def _publish(row: Row, shared: RunRecord, started: datetime, out: Path, angles: Sequence[Sequence[float]]) -> Path:
    """Complete the shared record with what is this row's own, and write the run's folder."""
    stated: dict[str, object] = {"references": {aspect: ref.meaning for aspect, ref in row.references.items()}}
    if angles:
        stated["angles"] = [list(of_frame) for of_frame in angles]  # what the samples' frame numbers mean
    record = shared.model_copy(
        update={
            "model": _model_info(row.model),
            "arguments": {**shared.arguments, **stated, **row.stated},
            "metrics": row.infos(),
            "seconds": {part: round(value, 3) for part, value in (shared.seconds | row.seconds).items()},
            "frames_driven": row.frames_driven,
        }
    )
    spec = record.model_dump_json(include={"model", "dataset", "protocol", "metrics", "evaluators", "seed", "suite"})
    stamp = started.strftime("%Y%m%dT%H%M%S") + f"{started.microsecond // 1000:03d}Z"
    run_id = f"{stamp}-{shared.protocol.task}-{row.model.spec.name}-{sha256_text(spec)[:8]}"
    return run_folder.publish(
        out, record.model_copy(update={"run_id": run_id}), row.samples, row.previews, row.worst.finish()
    )
