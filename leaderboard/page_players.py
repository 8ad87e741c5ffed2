"""Pairs that a page shows: source, driving, outputs and truth, as videos under one scrubber and as rows of frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leaderboard.media import Media
from leaderboard.plots import names
from leaderboard.records import PreviewInfo, RunRecord
from leaderboard.standings import Board, Row
from leaderboard.store import Store

PAIRS = 3  # per board
FRAMES = 8  # in a row of frames
MODELS = 6  # the first ranked rows, beside calibration


@dataclass(frozen=True)
class Shown:
    """One side of a pair: paths relative to the page, None where it is not stored."""

    name: str
    kind: str  # driving, calibration or model
    row: int | None  # its place on the board; None: the driving frames
    images: tuple[str | None, ...]
    video: str | None
    video_frames: tuple[int, ...]  # which driving frame each frame of the video shows
    grid: str | None  # of redirection: all angles in one picture


@dataclass(frozen=True)
class Player:
    """One pair: its source, its driving frames, and what each model made of them."""

    pair_id: str
    source_clip: str
    driving_clip: str
    source: str | None
    frames: tuple[int, ...]
    sides: tuple[Shown, ...]
    fps: float  # of the videos
    left_out: int  # models of the board that have stored this pair and are not shown

    @property
    def videos(self) -> tuple[Shown, ...]:
        """The sides that have one, the driving frames first."""
        return tuple(side for side in self.sides if side.video)

    @property
    def grids(self) -> tuple[Shown, ...]:
        """The sides that have a picture of all angles."""
        return tuple(side for side in self.sides if side.grid)


def read_records(store: Store, boards: list[Board]) -> dict[str, RunRecord]:
    """The whole records of the runs on the boards, by run."""
    runs = [row.run_id for board in boards for row in board.rows]
    rows = store.rows("SELECT run_id, record FROM runs WHERE list_contains(?, run_id)", [runs])
    return {row["run_id"]: RunRecord.model_validate_json(row["record"]) for row in rows}


def players(board: Board, records: Mapping[str, RunRecord], media: Media) -> list[Player]:
    """The few pairs of a board that most of its runs have stored."""
    by_pair: dict[str, dict[str, PreviewInfo]] = {}  # pair -> run -> what it stored
    order: dict[str, int] = {}
    for row in board.rows:
        for place, preview in enumerate(records[row.run_id].previews):
            by_pair.setdefault(preview.pair_id, {}).setdefault(row.run_id, preview)
            order[preview.pair_id] = min(place, order.get(preview.pair_id, place))
    most = sorted(by_pair, key=lambda pair: (-len(by_pair[pair]), order[pair], pair))[:PAIRS]
    return [_player(board, by_pair[pair], media) for pair in most]


def _player(board: Board, previews: Mapping[str, PreviewInfo], media: Media) -> Player:
    """One pair. The topmost run that has stored it gives the source, the driving and which frames."""
    rows = [row for row in board.rows if row.run_id in previews]
    models = [row for row in rows if row.kind == "model"]
    rows = [row for row in rows if row not in models[MODELS:]]
    folder, first = Path(rows[0].folder), previews[rows[0].run_id]
    frames = first.frames[:: max(1, -(-len(first.frames) // FRAMES))]
    sides = [
        Shown(
            name="asked for" if first.grid else "driving",
            kind="driving",
            row=None,
            images=_images(folder, first.frames, first.driving, frames, media),
            video=_video(folder, first.driving_video, first, media),
            video_frames=first.video_frames,
            grid=None,
        )
    ]
    sides += [_side(board, row, previews[row.run_id], frames, media) for row in rows]
    return Player(
        pair_id=first.pair_id,
        source_clip=first.source_clip,
        driving_clip=first.driving_clip,
        source=media.add(folder, first.source),
        frames=frames,
        sides=tuple(sides),
        fps=first.fps,
        left_out=len(models[MODELS:]),
    )


def _side(board: Board, row: Row, preview: PreviewInfo, frames: tuple[int, ...], media: Media) -> Shown:
    folder = Path(row.folder)
    place = board.rows.index(row)
    return Shown(
        name=names(board)[place],
        kind=row.kind,
        row=place,
        images=_images(folder, preview.frames, preview.output, frames, media),
        video=_video(folder, preview.output_video, preview, media),
        video_frames=preview.video_frames,
        grid=media.add(folder, preview.grid) if preview.grid else None,
    )


def _images(
    folder: Path, numbers: tuple[int, ...], names: tuple[str, ...], frames: tuple[int, ...], media: Media
) -> tuple[str | None, ...]:
    stored = dict(zip(numbers, names, strict=False))
    return tuple(media.add(folder, stored[frame]) if frame in stored else None for frame in frames)


def _video(folder: Path, name: str, preview: PreviewInfo, media: Media) -> str | None:
    """A video that can be played beside others: one that says when its frames are."""
    if not name or not preview.video_frames or not 0 < preview.fps <= 1000:
        return None
    path = media.add(folder, name)
    return path if path and path.endswith(".mp4") else None
