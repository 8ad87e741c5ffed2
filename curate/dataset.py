"""A curated dataset as its readers see it: a folder with manifest.parquet and clips, opened read-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate import video
from curate.errors import UserError
from curate.files import sha256_text

MANIFEST = "manifest.parquet"


@dataclass(frozen=True)
class Clip:
    """One row of the manifest: a square, single-face video file."""

    clip_id: str
    path: Path
    sha256: str
    video_id: str
    identity_id: str | None  # None: not known
    split: str | None
    n_frames: int
    fps: float
    width: int
    height: int

    @property
    def person(self) -> str:
        """Who is seen, as far as known: the identity, or else the video (two videos may show one person)."""
        return self.identity_id or self.video_id


@dataclass(frozen=True)
class Dataset:
    """Clips in the order of their ids; `fingerprint` is the SHA-256 over every clip's id and content hash."""

    root: Path
    name: str
    clips: tuple[Clip, ...]
    fingerprint: str

    @classmethod
    def open(cls, root: str | Path) -> Dataset:
        """Open the dataset in folder `root`; `UserError` if there is no manifest or it names no clip."""
        import pyarrow.parquet as pq

        root = Path(root)
        path = root / MANIFEST
        if not path.is_file():
            raise UserError(
                f"{root} is no dataset: it has no {MANIFEST}; make one with: curate build --input VIDEOS --out {root}"
            )
        columns = [
            "clip_id",
            "path",
            "sha256",
            "video_id",
            "identity_id",
            "split",
            "n_frames",
            "fps",
            "width",
            "height",
        ]
        try:
            rows = pq.read_table(path, columns=columns).to_pylist()
        except (OSError, ValueError) as error:
            raise UserError(f"{path} is no readable manifest: {error}") from error
        if not rows:
            raise UserError(f"{path} names no clip; `curate build` says in OUT/ledger.duckdb why each was dropped")
        clips = []
        for row in sorted(rows, key=lambda row: str(row["clip_id"])):
            clip_path = (root / row.pop("path")).resolve()
            if not clip_path.is_relative_to(root.resolve()):
                raise UserError(f"{path}: clip {row['clip_id']!r} lies outside the dataset's folder")
            clips.append(Clip(path=clip_path, **row))
        fingerprint = sha256_text("".join(f"{clip.clip_id} {clip.sha256}\n" for clip in clips))
        return cls(root, root.resolve().name, tuple(clips), fingerprint)

    def frames(self, clip: Clip, indices: Sequence[int], size: int | None = None) -> NDArray[np.uint8]:
        """Frames of a clip as RGB uint8 [T, H, W, 3]; with `size`, resized to size x size (area when shrinking)."""
        frames = video.read_frames(clip.path, indices)
        return frames if size is None else video.resize(frames, size)
