"""The run record, the only truth of a measurement: a folder with run.json and samples.parquet.

`bench run` writes it and the leaderboard reads it; nothing else passes between them. run.json is written last,
so a folder without it is a run that did not finish. Missing is NULL with a reason, never 0 and never left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from curate.errors import UserError
from curate.files import atomic, sha256_file, write_json

RUN_FILE = "run.json"
SAMPLES_FILE = "samples.parquet"
SCHEMA_VERSION = 2

SAMPLES_SCHEMA = pa.schema(
    [
        ("pair_id", pa.string()),  # NULL, as clip and person then are: the row speaks of all pairs as one set
        ("clip_id", pa.string()),  # the driving clip
        ("person", pa.string()),  # the source's identity as far as known: what intervals are clustered by
        ("frame", pa.int32()),  # NULL: the row speaks of the whole pair, or of all pairs
        ("metric", pa.string()),
        ("value", pa.float64()),  # NULL unless status is ok
        ("status", pa.string()),
        ("error", pa.string()),  # the reason when value is NULL
        ("n", pa.int32()),  # how many frames the row speaks of
    ]
)
SAMPLES_SCHEMA_1 = SAMPLES_SCHEMA.remove(8)  # of records of version 1, whose rows count as one frame each


FailedFrames = Literal["drop", "penalise"]
"""Failed frames are left out of the mean that ranks, or count in it as a metric's penalty; both means are computed."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class MetricInfo(_Strict):
    """What a reader must know of a metric to compare two values of it."""

    id: str
    unit: str  # "px", "dB", "" (dimensionless)
    higher_is_better: bool
    description: str
    evaluators: tuple[str, ...] = ()  # names of the networks it used, keys of RunRecord.evaluators
    reference: str = ""  # what models are compared with: "driving", "source", "truth"; "": nothing, or not recorded
    penalty: float | None = None  # what a failed frame counts as where failures are penalised; None: no such value
    penalty_from: Literal["", "source-copy"] = ""  # "": it is of the definition; else this row's worst value


class EvaluatorInfo(_Strict):
    """A network that a metric used."""

    name: str
    sha256: str  # of its weights file
    licence: str
    source: str = ""  # where the file was published; "": it ships with the package, or is not recorded
    bytes: int = 0  # of the file; 0: not recorded


class ModelInfo(_Strict):
    """The model that was run."""

    name: str
    preset: str
    kind: Literal["model", "calibration"]
    resolution: int | None
    parameters: int
    paper: str
    licence: str
    checkpoint: str
    weights_sha256: str


class DatasetInfo(_Strict):
    """The data it was run on."""

    name: str
    fingerprint: str
    n_clips: int


class ProtocolInfo(_Strict):
    """Task, version and everything that decides which frames are compared."""

    id: str  # "cross-id@1"
    task: str
    pair_list_sha256: str
    n_pairs: int
    size: int  # side in pixels at which frames are compared
    frames_per_clip: int
    limit: int | None  # --limit, None: all pairs
    split: str | None = None  # the only split that pairs were made of; None: all clips
    shots: int = 1  # source images that a model was given, of which it used as many as it can
    failed_frames: FailedFrames = "drop"  # how the ranking takes failed frames


class PreviewInfo(_Strict):
    """Stored JPEG frames of one pair, as paths inside the run folder; driving and output are in the same order."""

    pair_id: str
    source_clip: str
    driving_clip: str
    frames: tuple[int, ...]
    source: str
    driving: tuple[str, ...]
    output: tuple[str, ...]
    grid: str = ""  # of redirection: the output at all angles in one picture
    driving_video: str = ""  # H.264 of all frames that were driven, the n-th shows `video_frames[n]`; "": none
    output_video: str = ""
    video_frames: tuple[int, ...] = ()
    fps: float = 0.0  # of both videos; a clip of which every other frame was driven plays at half its rate


class StillInfo(_Strict):
    """Stored JPEG frames of one moment at which the model did badly, as paths inside the run folder."""

    pair_id: str
    frame: int
    source: str
    driving: str
    output: str
    truth: str = ""  # what a perfect model would give, where it is known


class RunRecord(_Strict):
    """run.json: one model on one protocol and one dataset."""

    schema_version: Literal[1, 2]
    run_id: str
    status: Literal["complete"]
    created: str  # ISO 8601, UTC
    source: Literal["measured", "predictions"]
    command: tuple[str, ...]
    arguments: dict[str, Any]
    git_sha: str | None
    git_dirty: bool | None
    packages: dict[str, str]
    machine: dict[str, Any]
    seed: int
    suite: str
    model: ModelInfo
    dataset: DatasetInfo
    protocol: ProtocolInfo
    metrics: tuple[MetricInfo, ...]
    evaluators: dict[str, EvaluatorInfo]
    seconds: dict[str, float]  # wall seconds by part: "decode", "truth", "model", "evaluators", "metrics", "total"
    frames_driven: int
    previews: tuple[PreviewInfo, ...]
    stills: tuple[StillInfo, ...] = ()
    samples_sha256: str

    def signature(self, metric: MetricInfo) -> str:
        """What to cite beside a value: metric, networks, reference, size, pairs, protocol and dataset.

        Two values may stand in one ranked column only if their signatures are equal. Where failures are penalised, that
        and the penalty are part of it; of a penalty that a row gave it says which row, for that follows from the rest
        up to rounding, which differs between machines.
        """
        used = [self.evaluators[key] for key in metric.evaluators]
        failed = metric.penalty_from or _short(metric.penalty)
        networks = "+".join(f"{network.name}@{network.sha256[:8]}" for network in used)
        return "|".join(
            [
                metric.id,
                networks or "pixels",
                *([f"vs:{metric.reference}"] if metric.reference else []),
                f"{self.protocol.size}px",
                f"pairs:{self.protocol.n_pairs}@{self.protocol.pair_list_sha256[:8]}",
                f"frames:{self.protocol.frames_per_clip}",
                *([f"shots:{self.protocol.shots}"] if self.protocol.shots != 1 else []),
                *([f"failed:{failed}"] if self.protocol.failed_frames == "penalise" else []),
                self.protocol.id,
                f"{self.dataset.name}@{self.dataset.fingerprint[:8]}",
            ]
        )


def _short(penalty: float | None) -> str:
    return "NULL" if penalty is None else f"{penalty:.6g}"


@dataclass(frozen=True)
class Sample:
    """One measured value, or the reason why there is none."""

    pair_id: str | None
    clip_id: str | None
    person: str | None
    frame: int | None
    metric: str
    value: float | None
    status: Literal["ok", "failed", "missing"] = "ok"  # failed: tried without success; missing: could not be tried
    error: str | None = None
    n: int = 1

    def __post_init__(self) -> None:
        ok = self.status == "ok"
        if ok != (self.value is not None) or (not ok and not self.error):
            raise ValueError(f"sample {self}: a value when and only when status is ok, else a reason")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"sample {self}: the value is not finite")
        if len({field is None for field in (self.pair_id, self.clip_id, self.person)}) > 1:
            raise ValueError(f"sample {self}: pair, clip and person are stated together or not at all")


def write_samples(folder: Path, samples: Iterable[Sample]) -> str:
    """Write samples.parquet sorted by pair, metric and frame, the whole set first; gives its SHA-256."""
    rows = sorted(samples, key=lambda s: (s.pair_id or "", s.metric, -1 if s.frame is None else s.frame))
    table = pa.Table.from_pylist([vars(row) for row in rows], schema=SAMPLES_SCHEMA)
    with atomic(folder / SAMPLES_FILE) as partial:
        pq.write_table(table, partial, compression="zstd")
    return sha256_file(folder / SAMPLES_FILE)


def write_record(folder: Path, record: RunRecord) -> None:
    """Write run.json: the last file of a run."""
    write_json(folder / RUN_FILE, json.loads(record.model_dump_json()))


def read_record(folder: Path) -> RunRecord:
    """Read and check a run folder; `UserError` names what is wrong: half-written, altered or of an unknown form."""
    path = folder / RUN_FILE
    if not path.is_file():
        raise UserError(f"{folder} is no finished run (half-written): it has no {RUN_FILE}; run its command again")
    try:
        record = RunRecord.model_validate_json(path.read_bytes())
    except (ValidationError, ValueError) as error:
        first = str(error).splitlines()
        raise UserError(f"{path} is no run record: {' '.join(first[:3])}") from error
    samples = folder / SAMPLES_FILE
    if not samples.is_file():
        raise UserError(f"{folder} has {RUN_FILE} but no {SAMPLES_FILE}: the record is not whole")
    if sha256_file(samples) != record.samples_sha256:
        raise UserError(f"{samples} was altered after the run: its hash is not the one in {RUN_FILE}")
    return record
