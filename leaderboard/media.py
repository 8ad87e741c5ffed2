"""Preview frames from run folders to a page's folder. A run folder may come from anyone: nothing beside it is read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from curate.files import atomic
from leaderboard.records import PreviewInfo
from leaderboard.standings import Board
from leaderboard.store import Store

LARGEST = 2 << 20  # bytes of one image
MAGIC = {b"\xff\xd8\xff": ".jpg", b"\x89PNG\r\n\x1a\n": ".png"}
PAIRS = 3  # strips per board
FRAMES = 8  # frames per strip


@dataclass(frozen=True)
class StripRow:
    """One row of frames: paths relative to the page, None where a frame is not stored."""

    name: str
    kind: str  # driving, calibration or model
    row: int | None  # index of the run among the board's rows; None: the driving frames
    images: tuple[str | None, ...]


@dataclass(frozen=True)
class Strip:
    """One pair: its source, its driving frames, and what each model made of them."""

    pair_id: str
    source_clip: str
    driving_clip: str
    source: str | None
    frames: tuple[int, ...]
    rows: tuple[StripRow, ...]


@dataclass
class Media:
    """Copies images into `folder` under the hash of their content, so that equal frames are stored once."""

    folder: Path
    warnings: list[str] = field(default_factory=list)

    def add(self, run_folder: Path, name: str) -> str | None:
        """The page-relative path of the image `name` of a run; None, with a warning kept, when it may not be shown."""
        try:
            data = _read(run_folder, name)
            suffix = next((suffix for magic, suffix in MAGIC.items() if data.startswith(magic)), None)
            if suffix is None:
                raise ValueError("it is neither JPEG nor PNG")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self.warnings.append(f"preview {name[:80]!r} of {run_folder.name[:80]!r} is left out: {reason}")
            return None
        path = self.folder / f"{hashlib.sha256(data).hexdigest()[:20]}{suffix}"
        if not path.exists():
            with atomic(path) as partial:
                partial.write_bytes(data)
        return f"{self.folder.name}/{path.name}"


def _read(run_folder: Path, name: str) -> bytes:
    """The bytes of a regular file inside the run folder, links resolved; raises OSError or ValueError otherwise."""
    root = run_folder.resolve()
    path = (root / name).resolve(strict=True)
    if not path.is_relative_to(root) or not path.is_file():
        raise ValueError("it is no file inside the run folder")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 20} MiB")
    return path.read_bytes()


def strips(store: Store, board: Board, media: Media) -> list[Strip]:
    """Frames of the few pairs of a board that most of its runs have stored."""
    shown = {row.run_id for row in board.rows}
    previews: dict[str, dict[str, PreviewInfo]] = {}  # pair -> run -> frames
    for row in store.rows("SELECT * FROM previews ORDER BY ordinal, run_id"):
        run_id, _ = row.pop("run_id"), row.pop("ordinal")
        if run_id in shown:
            previews.setdefault(row["pair_id"], {}).setdefault(run_id, PreviewInfo(**row))
    most = sorted(previews, key=lambda pair: -len(previews[pair]))[:PAIRS]
    return [_strip(board, previews[pair], media) for pair in most]


def _strip(board: Board, previews: dict[str, PreviewInfo], media: Media) -> Strip:
    """The strip of one pair. The topmost run that has stored it gives the source, the driving and which frames."""
    rows = [row for row in board.rows if row.run_id in previews]
    folder, first = Path(rows[0].folder), previews[rows[0].run_id]
    step = max(1, -(-len(first.frames) // FRAMES))
    frames = first.frames[::step]
    driving = dict(zip(first.frames, first.driving, strict=False))
    images = tuple(media.add(folder, driving[frame]) if frame in driving else None for frame in frames)
    made = [StripRow("asked for" if first.grid else "driving", "driving", None, images)]
    for row in rows:
        preview = previews[row.run_id]
        output = dict(zip(preview.frames, preview.output, strict=False))
        images = tuple(media.add(Path(row.folder), output[frame]) if frame in output else None for frame in frames)
        name = row.model if row.kind == "calibration" else f"{row.model} {row.preset}"
        made.append(StripRow(name, row.kind, board.rows.index(row), images))
    source = media.add(folder, first.source)
    return Strip(first.pair_id, first.source_clip, first.driving_clip, source, frames, tuple(made))
