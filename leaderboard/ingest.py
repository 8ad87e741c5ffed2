"""Run folders into the store: one transaction each, twice is once, what is not whole is refused with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import UserError
from curate.files import sha256_text
from leaderboard.aggregate import aggregate
from leaderboard.records import (
    RUN_FILE,
    SAMPLES_FILE,
    SAMPLES_SCHEMA,
    SAMPLES_SCHEMA_1,
    MetricInfo,
    RunRecord,
    read_record,
)
from leaderboard.store import Store

_INSERT = {  # table -> how the rows of a run, registered as `incoming`, go into it
    "runs": "INSERT INTO runs BY NAME SELECT ? AS run_id, * FROM incoming",
    "metrics": "INSERT INTO metrics BY NAME SELECT ? AS run_id, * FROM incoming",
    "evaluators": "INSERT INTO evaluators BY NAME SELECT ? AS run_id, * FROM incoming",
    "scores": "INSERT INTO scores BY NAME SELECT ? AS run_id, * FROM incoming",
    "previews": "INSERT INTO previews BY NAME SELECT ? AS run_id, * FROM incoming",
    "samples": "INSERT INTO samples BY NAME SELECT ? AS run_id, * FROM incoming",
}
_NOT_COLUMNS = {"driving_video", "output_video", "video_frames", "fps"}  # of previews: the record alone has them
_TWICE = "SELECT pair_id, metric, frame FROM incoming GROUP BY ALL HAVING count(*) > 1 LIMIT 1"


@dataclass
class IngestReport:
    """What became of each run folder."""

    added: list[Path] = field(default_factory=list)
    known: list[Path] = field(default_factory=list)
    refused: dict[Path, str] = field(default_factory=dict)  # folder -> reason


def ingest(store: Store, paths: Sequence[Path]) -> IngestReport:
    """Take in run folders, given as such or as folders of run folders; what is refused stops none of the others."""
    report = IngestReport()
    for folder in find_runs(paths):
        try:
            (report.added if store.ingest(folder) else report.known).append(folder)
        except UserError as error:
            report.refused[folder] = str(error)
    return report


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """The run folders that `paths` name: each is one, or every folder in it counts as one, finished or not."""
    folders: dict[Path, None] = {}
    for path in paths:
        if not path.is_dir():
            raise UserError(f"{path} is no folder: give a run folder or a folder of run folders")
        inside = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
        if (path / RUN_FILE).exists() or (path / SAMPLES_FILE).exists():
            folders[path] = None
        elif any((p / RUN_FILE).exists() or (p / SAMPLES_FILE).exists() for p in inside):
            folders |= dict.fromkeys(inside)
        else:
            raise UserError(f"{path} holds no finished run: neither {RUN_FILE} there nor in a folder inside it")
    return list(folders)


def read_samples(folder: Path, record: RunRecord) -> pa.Table:
    """The samples of a run, columns of `SAMPLES_SCHEMA` with dictionary-encoded texts, checked against its record."""
    path = folder / SAMPLES_FILE
    texts = [column.name for column in SAMPLES_SCHEMA if pa.types.is_string(column.type)]
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
        expected = SAMPLES_SCHEMA_1 if record.schema_version == 1 else SAMPLES_SCHEMA
        if not schema.equals(expected, check_metadata=False):
            raise UserError(f"{path} has other columns than a run record: {', '.join(schema.names)}")
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            table = file.read()
        if record.schema_version == 1:
            table = table.append_column(SAMPLES_SCHEMA.field("n"), pa.array([1] * len(table), pa.int32()))
    except pa.ArrowException as error:
        raise UserError(f"{path} is no readable Parquet file: {str(error).splitlines()[0]}") from error
    if not table["pair_id"].is_null().equals(table["person"].is_null()):
        raise UserError(f"{path} has samples with a pair and no person, or the reverse")
    stated = {metric.id for metric in record.metrics}
    if foreign := sorted(set(table["metric"].unique().to_pylist()) - stated, key=str):
        raise UserError(f"{path} has samples of {foreign[0]!r}, a metric that {RUN_FILE} does not state")
    return table


def ingest_run(store: Store, folder: Path) -> bool:
    """Take in one run folder; False when this very run is already there (its folder is noted anew).

    Raises UserError for a folder that is half-written or altered, contradicts itself, or has another run's id.
    """
    record = read_record(folder)
    text = record.model_dump_json()
    digest = sha256_text(text)
    known = store.rows("SELECT record FROM runs WHERE run_id = ?", [record.run_id])
    if known:
        if RunRecord.model_validate_json(known[0]["record"]) != record:  # an older form says less of the same
            raise UserError(f"{folder} has the id of another run that is already there: {record.run_id[:80]!r}")
        store.connection.execute("UPDATE runs SET folder = ? WHERE run_id = ?", [str(folder.resolve()), record.run_id])
        return False
    samples = read_samples(folder, record)
    try:
        penalties = {metric.id: metric.penalty for metric in record.metrics}
        scores = aggregate(samples, list(penalties), penalties, record.protocol.failed_frames)
    except ValueError as error:
        raise UserError(f"{folder / SAMPLES_FILE}: {error}") from error
    rows = {
        "runs": [_run_row(record, folder) | {"record": text, "record_sha256": digest}],
        "metrics": _metric_rows(record, folder),
        "evaluators": [
            {"key": key, **network.model_dump(include={"name", "sha256", "licence"})}
            for key, network in record.evaluators.items()
        ],
        "scores": [vars(score) for score in scores],
        "previews": [
            {"ordinal": i, **preview.model_dump(exclude=_NOT_COLUMNS)} for i, preview in enumerate(record.previews)
        ],
    }
    try:
        tables = {name: pa.Table.from_pylist(of_run) for name, of_run in rows.items() if of_run} | {"samples": samples}
        _insert(store, record.run_id, tables, folder)
    except (duckdb.DataError, duckdb.IntegrityError, pa.ArrowException, OverflowError) as error:
        raise UserError(f"{folder} does not fit the leaderboard's tables: {str(error).splitlines()[0]}") from error
    return True


def _insert(store: Store, run_id: str, tables: dict[str, pa.Table], folder: Path) -> None:
    """All rows of a run, by table, the samples last, in one transaction."""
    with store.transaction() as connection:
        for name, table in tables.items():
            connection.register("incoming", table)
            connection.execute(_INSERT[name], [run_id])
        twice = connection.execute(_TWICE).fetchall()
        connection.unregister("incoming")
        if twice:
            pair, metric, frame = twice[0]
            raise UserError(f"{folder / SAMPLES_FILE} measures twice: pair {pair!r}, metric {metric!r}, frame {frame}")


def _run_row(record: RunRecord, folder: Path) -> dict[str, Any]:
    try:
        created = datetime.fromisoformat(record.created)
    except ValueError as error:
        raise UserError(f"{folder / RUN_FILE}: created is no ISO 8601 time: {record.created[:40]!r}") from error
    if created.tzinfo is not None:
        created = created.astimezone(UTC).replace(tzinfo=None)
    model, dataset, protocol = record.model, record.dataset, record.protocol
    return {
        "created": created,
        "source": record.source,
        "model": model.name,
        "preset": model.preset,
        "kind": model.kind,
        "resolution": model.resolution,
        "parameters": model.parameters,
        "paper": model.paper,
        "licence": model.licence,
        "checkpoint": model.checkpoint,
        "weights_sha256": model.weights_sha256,
        "dataset": dataset.name,
        "dataset_fingerprint": dataset.fingerprint,
        "n_clips": dataset.n_clips,
        "protocol": protocol.id,
        "task": protocol.task,
        "pair_list_sha256": protocol.pair_list_sha256,
        "n_pairs": protocol.n_pairs,
        "size": protocol.size,
        "frames_per_clip": protocol.frames_per_clip,
        "split": protocol.split,
        "shots": protocol.shots,
        "failed_frames": protocol.failed_frames,
        "suite": record.suite,
        "seconds_model": record.seconds.get("model"),
        "frames_driven": record.frames_driven,
        "samples_sha256": record.samples_sha256,
        "folder": str(folder.resolve()),
    }


def _metric_rows(record: RunRecord, folder: Path) -> list[dict[str, Any]]:
    def row(ordinal: int, metric: MetricInfo) -> dict[str, Any]:
        if lacking := [key for key in metric.evaluators if key not in record.evaluators]:
            raise UserError(f"{folder / RUN_FILE}: {metric.id!r} uses the evaluator {lacking[0]!r}, not stated there")
        signature = record.signature(metric)
        return {
            "metric": metric.id,
            "ordinal": ordinal,
            "unit": metric.unit,
            "higher_is_better": metric.higher_is_better,
            "description": metric.description,
            "networks": signature.split("|")[1],
            "penalty": metric.penalty,
            "signature": signature,
        }

    return [row(i, metric) for i, metric in enumerate(record.metrics)]
