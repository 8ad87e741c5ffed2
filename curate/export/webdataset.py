"""WebDataset: tar files in which a clip and its row stand side by side as KEY.mp4 and KEY.json."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from curate.errors import UserError
from curate.export.clips import ExportClip, splits
from curate.export.target import Piece, text_piece
from curate.files import sha256_text


def pieces(clips: Sequence[ExportClip], shard_mb: int) -> Iterator[Piece]:
    """Shards SPLIT-000000.tar of at least one clip and at most about `shard_mb` megabytes, and sizes.json.

    The same clips give the same bytes: members are sorted, with no owner and no time.
    """
    sizes: dict[str, int] = {}
    for split, members in splits(clips).items():
        for number, shard in enumerate(_shards(members, shard_mb * 1_000_000)):
            name = f"{split}-{number:06d}.tar"
            sizes[name] = len(shard)
            yield _shard(name, shard)
    yield text_piece("sizes.json", json.dumps(sizes, indent=1, sort_keys=True) + "\n")


def key(clip: ExportClip) -> str:
    """The clip's id without dots, for readers take what follows the first dot for the ending."""
    return clip.clip_id.replace(".", "_").replace("/", "_")


def _shards(clips: Sequence[ExportClip], most: int) -> Iterator[list[ExportClip]]:
    shard: list[ExportClip] = []
    size = 0
    for clip in sorted(clips, key=key):
        try:
            more = clip.path.stat().st_size
        except FileNotFoundError as error:
            raise UserError(f"{clip.path} is not there; see what else is wrong with: curate verify") from error
        if shard and size + more > most:
            yield shard
            shard, size = [], 0
        shard.append(clip)
        size += more
    if shard:
        yield shard


def _shard(name: str, clips: Sequence[ExportClip]) -> Piece:
    keys = [key(clip) for clip in clips]
    if len(set(keys)) < len(keys):
        raise UserError(f"{name}: two clips would have the key {next(k for k in keys if keys.count(k) > 1)}")
    rows = [json.dumps(clip.row, ensure_ascii=False, sort_keys=True).encode() for clip in clips]

    def write(target: Path) -> None:
        with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
            for name, clip, row in zip(keys, clips, rows, strict=True):
                tar.addfile(_member(f"{name}.json", len(row)), io.BytesIO(row))
                with clip.path.open("rb") as handle:
                    tar.addfile(_member(f"{name}.mp4", clip.path.stat().st_size), handle)

    return Piece(name, sha256_text("\n".join(row.decode() for row in rows)), write)


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, 0, 0o644
    member.uid = member.gid = 0
    return member
