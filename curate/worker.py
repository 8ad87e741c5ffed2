"""What a worker process does with one video: analyse, select, crop. It writes clips and gives rows for the ledger."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from curate import crop
from curate.analyse import Analysis, analyse
from curate.errors import BadVideo
from curate.files import write_json
from curate.held import Held
from curate.listed import read_headers, select_listed
from curate.rows import (
    VideoResult,
    VideoTask,
    clip_id,
    failure,
    items,
    manifest_row,
    traces,
    video_item,
    without_purged,
)
from curate.select import KEPT, Selection, select
from curate.settings import AnalysisSettings

if TYPE_CHECKING:
    from curate.perception.interface import Detector, Identifier
    from curate.video import Stamps


@lru_cache(maxsize=1)
def _detector(name: str) -> Detector:
    """The detector of this process, on one thread like all that it computes."""
    import cv2
    import torch

    from curate.perception import load_detector

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return load_detector(name)


@lru_cache(maxsize=1)
def _identifier(name: str) -> Identifier:
    from curate.perception import load_identifier

    return load_identifier(name)


def process(task: VideoTask) -> VideoResult:
    """All stages of one video; what was already done before a kill is taken from disk. Input that cannot be read gives
    a `failed` row; an error of the output's disk is raised."""
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        held = Held()
        if task.wish is None:
            analysis, stamps = _analysis(task, held), None
            selection = select(analysis, task.settings.selection)
        else:
            headers = read_headers(task.path, task.video_id)
            analysis, stamps = headers.analysis, headers.stamps
            selection = select_listed(headers, task.wish, task.settings.selection)
        selection = without_purged(task, selection)
        clips = _clips(task, analysis, selection, stamps, held)
    except BadVideo as error:
        return VideoResult((failure(task, str(error), error.error_class),), ())
    video = video_item(task, analysis, selection)
    video = replace(video, wall_s=round(time.perf_counter() - wall, 3), cpu_s=round(time.process_time() - cpu, 3))
    seconds = analysis.time_of(analysis.n_frames) - analysis.time_of(0)
    rows = (video, *items(task, analysis, selection))
    return VideoResult(rows, tuple(clips), seconds, tuple(traces(task, analysis, selection)))


def _analysis(task: VideoTask, held: Held) -> Analysis:
    path = task.out / "analysis" / f"{task.video_id}.json"
    wanted: AnalysisSettings = task.settings.analysis
    if path.is_file():
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["settings"] == wanted.fingerprint:
            return Analysis.from_json(stored)
    identifier = None if wanted.identifier is None else _identifier(wanted.identifier)
    analysis = analyse(task.path, task.video_id, _detector(wanted.detector), wanted, identifier, held)
    write_json(path, analysis.to_json())
    return analysis


def _clips(
    task: VideoTask, analysis: Analysis, selection: Selection, stamps: Stamps | None, held: Held
) -> list[dict[str, Any]]:
    kept = [
        (plan, task.out / "clips" / f"{clip_id(task, plan)}.mp4") for plan in selection.clips if plan.verdict == KEPT
    ]
    todo = [(plan, path) for plan, path in kept if not path.is_file()]
    crop.cut(task.path, analysis, todo, task.settings.selection, stamps, held)
    return [manifest_row(task, analysis, plan, path) for plan, path in kept]
