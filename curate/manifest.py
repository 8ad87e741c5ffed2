"""The manifest: one row a clip, as Parquet and as JSONL, the same bytes whatever order the clips were made in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curate.dataset import MANIFEST
from curate.files import atomic

COLUMNS: dict[str, str] = {
    "clip_id": "string",
    "path": "string",
    "sha256": "string",
    "video_id": "string",
    "source_url": "string",
    "license": "string",
    "uploader": "string",
    "start_s": "float64",
    "end_s": "float64",
    "start_frame": "int64",
    "end_frame": "int64",
    "n_frames": "int64",
    "fps": "float64",
    "native_side": "int64",
    "width": "int64",
    "height": "int64",
    "upscale": "float64",
    "box_left": "int64",
    "box_top": "int64",
    "box_right": "int64",
    "box_bottom": "int64",
    "ref_width": "int64",
    "ref_height": "int64",
    "bitrate": "int64",
    "bits_per_pixel": "float64",
    "codec": "string",
    "has_audio": "bool_",
    "identity_id": "string",
    "split": "string",
    "face_score": "float64",
    "yaw_mean": "float64",
    "yaw_range": "float64",
    "pitch_range": "float64",
    "motion": "float64",
    "sharpness": "float64",
    "overlap_tracks": "int64",
    "duplicate_of": "string",
    "list_name": "string",  # the clip's name in the list that asked for it
    "stage_version": "int64",
}


def write(folder: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write manifest.parquet and manifest.jsonl, sorted by clip id; a column that a row lacks is NULL."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    unknown = {name for row in rows for name in row} - set(COLUMNS)
    if unknown:
        raise ValueError(f"no manifest columns: {sorted(unknown)}")
    ordered = [{name: row.get(name) for name in COLUMNS} for row in sorted(rows, key=lambda row: str(row["clip_id"]))]
    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in COLUMNS.items()])
    path = folder / MANIFEST
    with atomic(path) as partial:
        pq.write_table(pa.Table.from_pylist(ordered, schema=schema), partial, compression="zstd")
    with atomic(path.with_suffix(".jsonl")) as partial, partial.open("w", encoding="utf-8") as lines:
        for row in ordered:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path
