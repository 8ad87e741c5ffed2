"""A folder that Hugging Face `datasets` reads as a videofolder, with its card; ready to be pushed to a hub."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from curate.export.clips import ExportClip, harmless, splits
from curate.export.target import Piece, clip_piece, text_piece
from curate.files import sha256_text
from curate.manifest import COLUMNS

FOLDER = 9_000  # clips that one folder may hold: the hub takes at most 10,000 files in one
_LICENSES = {  # as videos state them -> the hub's identifier
    "mit": "mit",
    "cc-by": "cc-by-3.0",
    "creative commons attribution license (reuse allowed)": "cc-by-3.0",
    "cc0": "cc0-1.0",
}
_HUB = re.compile(r"(cc-by(-sa|-nc|-nd|-nc-sa|-nc-nd)?-[234]\.[05]|cc0-1\.0|mit|apache-2\.0)")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def pieces(clips: Sequence[ExportClip], name: str) -> Iterator[Piece]:
    """data/SPLIT/CLIP.mp4, a metadata.parquet beside them with all manifest columns, and the card README.md."""
    found = splits(clips)
    for split, members in found.items():
        files = [_file(clip, many=len(members) > FOLDER) for clip in members]
        for clip, file in zip(members, files, strict=True):
            yield clip_piece(f"data/{split}/{file}", clip.path, str(clip.row["sha256"]))
        yield _metadata(f"data/{split}/metadata.parquet", members, files)
    yield text_piece("README.md", card(found, name))


def _file(clip: ExportClip, *, many: bool) -> str:
    """Name of a clip in its split's folder; of many, in one of 256 folders there."""
    name = f"{harmless(clip.clip_id)}.mp4"
    return f"{sha256_text(name)[:2]}/{name}" if many else name


def _metadata(path: str, clips: Sequence[ExportClip], files: Sequence[str]) -> Piece:
    """Manifest columns with `file_name` in the place of `path`."""
    rows = [
        {"file_name": file, **{name: value for name, value in clip.row.items() if name != "path"}}
        for clip, file in zip(clips, files, strict=True)
    ]

    def write(target: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        names = list(dict.fromkeys(name for row in rows for name in row))
        schema = pa.schema([(name, getattr(pa, COLUMNS.get(name, "string"))()) for name in names])
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), target, compression="zstd")

    return Piece(path, sha256_text(json.dumps(rows, sort_keys=True)), write)


def card(found: dict[str, list[ExportClip]], name: str) -> str:
    """The dataset card: what the hub reads, then what people read. Names are quoted, so they cannot break either."""
    clips = [clip for members in found.values() for clip in members]
    licenses = Counter(str(clip.row["license"] or "not stated") for clip in clips)
    lines = [
        "---",
        f"pretty_name: {json.dumps(name)}",
        f"license: {_license(licenses)}",
        "task_categories:",
        "- image-to-video",
        "tags:",
        "- talking-head",
        "- face",
        "size_categories:",
        f"- {next((label for most, label in _SIZES if len(clips) < most), 'n>1M')}",
        "configs:",
        "- config_name: default",
        "  data_files:",
    ]
    for split in found:
        lines += [f"  - split: {json.dumps(re.sub('[^A-Za-z0-9_]', '_', split))}", f"    path: data/{split}/**"]
    lines += [
        "---",
        "",
        f"# {_plain(name)}",
        "",
        "Square clips of single faces, cut out of videos. One row a clip; `file_name` is the video.",
        "",
        "| split | clips | people | videos | hours |",
        "|---|---:|---:|---:|---:|",
    ]
    for split, members in found.items():
        people, videos = (len({str(key) for key in keys}) for keys in _counted(members))
        hours = sum(clip.row["end_s"] - clip.row["start_s"] for clip in members) / 3600
        lines.append(f"| {split} | {len(members)} | {people} | {videos} | {hours:.3f} |")
    lines += ["", "People are identities where the dataset knows them, else videos.", ""]
    lines += ["| licence of the video | clips |", "|---|---:|"]
    lines += [f"| {_plain(text)} | {count} |" for text, count in sorted(licenses.items())]
    lines += ["", "The right to a clip follows its video: `source_url`, `license` and `uploader` say whose it is.", ""]
    return "\n".join(lines)


def _counted(clips: Sequence[ExportClip]) -> tuple[list[str], list[str]]:
    return [clip.person for clip in clips], [str(clip.row["video_id"]) for clip in clips]


def _license(licenses: Counter[str]) -> str:
    """One identifier of the hub's if all clips share it, `unknown` if nothing is stated, else `other`."""
    if set(licenses) == {"not stated"}:
        return "unknown"
    named = {_LICENSES.get(text.lower(), text.lower()) for text in licenses}
    only = named.pop() if len(named) == 1 else ""
    return only if _HUB.fullmatch(only) else "other"


def _plain(text: str) -> str:
    return re.sub(r"[^\w .,()'+-]", "_", text)[:120]
