"""The export by its format's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.errors import UserError, unknown
from curate.export import fomm, huggingface, talkinghead1kh, webdataset
from curate.export.clips import ExportClip, clips_of
from curate.export.target import Piece, write_export

FORMATS = ("webdataset", "huggingface", "fomm", "talkinghead1kh")
SHARD_MB = 512


@dataclass(frozen=True)
class Exported:
    """What an export holds."""

    to: Path
    clips: int
    files: int
    written: int  # files that this run had to write


def export(out: Path, kind: str, to: Path, *, shard_mb: int = SHARD_MB) -> Exported:
    """Write the dataset `out` into folder `to` in one of `FORMATS`; run again, it writes only what is missing.

    `UserError` for an unknown format, a dataset without clips, and a folder that holds anything else.
    """
    if kind not in FORMATS:
        raise unknown("format", kind, FORMATS)
    if to.resolve() == out.resolve() or out.resolve().is_relative_to(to.resolve()):
        raise UserError(f"{to} is or holds the dataset; choose another folder with --to")
    clips = clips_of(out)
    if not clips:
        raise UserError(f"{out} has no clip to export; see why with: curate stats {out}")
    pieces = _pieces(clips, kind, out.resolve().name, shard_mb)
    return Exported(to, len(clips), len(pieces), write_export(to, kind, pieces))


def _pieces(clips: Sequence[ExportClip], kind: str, name: str, shard_mb: int) -> list[Piece]:
    if kind == "webdataset":
        return list(webdataset.pieces(clips, shard_mb))
    if kind == "huggingface":
        return list(huggingface.pieces(clips, name))
    return list(fomm.pieces(clips) if kind == "fomm" else talkinghead1kh.pieces(clips))
