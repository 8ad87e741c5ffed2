"""Other thresholds over the scores that are stored: what is kept, without a frame decoded.

Clips that no longer pass go to the folder `dropped` and come back from there. Clips that would pass now but were never
cut are named; `curate build` with the same thresholds cuts them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from curate import manifest
from curate.analyse import Analysis
from curate.errors import UserError
from curate.files import write_json
from curate.finish import finished
from curate.ledger import LEDGER, Item, Ledger, SourceFile, Trace
from curate.purge import tombstones
from curate.rows import VideoTask, clip_id, items, manifest_row, traces, video_item, without_purged
from curate.select import KEPT, select
from curate.settings import SETTINGS, Settings

CLIPS, DROPPED = "clips", "dropped"


@dataclass(frozen=True)
class Redecided:
    """What other thresholds change."""

    videos: int
    clips: int  # kept now
    before: int
    dropped: tuple[str, ...]  # clips that were kept before
    back: tuple[str, ...]  # clips that were dropped before and are there
    uncut: tuple[str, ...]  # clips that pass but were never cut
    counts: tuple[tuple[str, str, str, int], ...]


def redecide(out: Path, changes: Mapping[str, Any], *, dry_run: bool = False) -> Redecided:
    """Decide on the dataset `out` again with other `SelectionSettings`, by name; `UserError` where that cannot be.

    With `dry_run` nothing is written. A clip keeps the size it was written at.
    """
    if not (out / LEDGER).is_file() or not (out / SETTINGS).is_file():
        raise UserError(
            f"{out} is no dataset of `curate build`; make one with: curate build --input VIDEOS --out {out}"
        )
    old = Settings.model_validate_json((out / SETTINGS).read_text(encoding="utf-8"))
    settings = old.model_copy(update={"selection": _changed(old, changes)})
    with Ledger(out / LEDGER) as ledger:
        before = {str(row["clip_id"]): row for row in ledger.manifest_rows()}
        decided = [_video(out, settings, file, ledger) for file in ledger.sources().values() if not file.is_copy]
        videos = [video for video in decided if video is not None]
        kept = {str(row["clip_id"]) for video in videos for row in video.clips}
        uncut = tuple(sorted(name for video in videos for name in video.uncut))
        known = {video.file.video_id for video in videos}
        others = {name for name, row in before.items() if str(row["video_id"]) not in known}
        if not dry_run:
            for video in videos:
                _move(out, video)
                ledger.replace(video.file, video.items, video.clips, video.traces)
            write_json(out / SETTINGS, settings.model_dump())
            manifest.write(out, finished(ledger.manifest_rows(), ledger.traces(), settings.dataset))
        return Redecided(
            videos=len(decided),
            clips=len(kept) + len(others),
            before=len(before),
            dropped=tuple(sorted(set(before) - kept - others)),
            back=tuple(sorted(kept - set(before))),
            uncut=uncut,
            counts=tuple(ledger.counts()),
        )


def _changed(old: Settings, changes: Mapping[str, Any]) -> Any:
    """The selection settings with the changes; the size that clips were written at is kept."""
    selection = old.selection
    size = selection.size
    if size is None:
        size = "native" if selection.convention.native else selection.min_res
    try:
        return type(selection).model_validate({**selection.model_dump(), "size": size, **changes})
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"--{str(first['loc'][0]).replace('_', '-')} {first['input']}: {first['msg']}") from error


@dataclass(frozen=True)
class _Decided:
    file: SourceFile
    items: tuple[Item, ...]
    clips: tuple[dict[str, Any], ...]
    traces: tuple[Trace, ...]
    uncut: tuple[str, ...]


def _video(out: Path, settings: Settings, file: SourceFile, ledger: Ledger) -> _Decided | None:
    """What becomes of one video; None where there are no scores of it (it failed, or a list named its clips)."""
    path = out / "analysis" / f"{file.video_id}.json"
    if not path.is_file():
        return None
    stored = json.loads(path.read_text(encoding="utf-8"))
    if stored["settings"] != settings.analysis.fingerprint:
        raise UserError(f"{path} was made with other settings; run curate build again")
    analysis = Analysis.from_json(stored)
    purged = tuple(tomb for tomb in tombstones(out).values() if tomb.video_id == file.video_id)
    task = VideoTask(Path(file.path), file.video_id, file.sha256, out, settings, 1, purged=purged)
    selection = without_purged(task, select(analysis, settings.selection))
    rows: list[dict[str, Any]] = []
    uncut: list[str] = []
    for plan in selection.clips:
        if plan.verdict != KEPT:
            continue
        name = clip_id(task, plan)
        places = [path for folder in (CLIPS, DROPPED) if (path := out / folder / f"{name}.mp4").is_file()]
        if not places:
            uncut.append(name)
        else:
            rows.append({**manifest_row(task, analysis, plan, places[0]), "path": f"{CLIPS}/{name}.mp4"})
    attempts, wall_s, cpu_s = ledger.effort(file.video_id)
    video = replace(video_item(task, analysis, selection), attempts=attempts, wall_s=wall_s, cpu_s=cpu_s)
    known = {str(row["clip_id"]) for row in rows}
    done = replace(file, settings="" if uncut else settings.fingerprint)
    return _Decided(
        done,
        (video, *items(task, analysis, selection)),
        tuple(rows),
        tuple(trace for trace in traces(task, analysis, selection) if trace.clip_id in known),
        tuple(uncut),
    )


def _move(out: Path, video: _Decided) -> None:
    """Put the files of a video's clips where they belong now."""
    kept = {str(row["clip_id"]) for row in video.clips}
    for folder in (CLIPS, DROPPED):
        for path in (out / folder).glob(f"{video.file.video_id}_*.mp4"):
            target = out / (CLIPS if path.stem in kept else DROPPED) / path.name
            if target != path:
                target.parent.mkdir(exist_ok=True)
                path.replace(target)
