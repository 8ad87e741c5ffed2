"""What a worker process does with one video: analyse, select, crop. It writes clips and gives rows for the ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from curate import crop
from curate.analyse import Analysis, analyse
from curate.errors import BadVideo
from curate.files import printable, sha256_file, sha256_text, write_json
from curate.ledger import Item
from curate.listed import Wish, read_headers, select_listed
from curate.perception.interface import Detector
from curate.select import KEPT, ClipPlan, Selection, select
from curate.settings import STAGE_VERSION, AnalysisSettings, SelectionSettings, Settings
from curate.video import Stamps


@dataclass(frozen=True)
class VideoTask:
    """One video to work on."""

    path: Path
    video_id: str
    sha256: str
    out: Path
    settings: Settings
    attempts: int
    wish: Wish | None = None  # what a list wants of it; None: the faces are looked for
    known: Mapping[str, str] = field(default_factory=dict)  # manifest columns that the video's origin tells


@dataclass(frozen=True)
class VideoResult:
    """Rows for the ledger and the manifest."""

    items: tuple[Item, ...]
    clips: tuple[dict[str, Any], ...]
    seconds: float = 0.0  # of the video


@lru_cache(maxsize=1)
def _detector(name: str) -> Detector:
    """The detector of this process, on one thread like all that it computes."""
    import cv2
    import torch

    from curate.perception import load_detector

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return load_detector(name)


def process(task: VideoTask) -> VideoResult:
    """All stages of one video; what was already done before a kill is taken from disk. Input that cannot be read gives
    a `failed` row; an error of the output's disk is raised."""
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        if task.wish is None:
            analysis, stamps = _analysis(task), None
            selection = select(analysis, task.settings.selection)
        else:
            headers = read_headers(task.path, task.video_id)
            analysis, stamps = headers.analysis, headers.stamps
            selection = select_listed(headers, task.wish, task.settings.selection)
        clips = _clips(task, analysis, selection, stamps)
    except BadVideo as error:
        return VideoResult((failure(task, str(error), error.error_class),), ())
    video = _video_item(task, analysis, selection)
    video = replace(video, wall_s=round(time.perf_counter() - wall, 3), cpu_s=round(time.process_time() - cpu, 3))
    seconds = analysis.time_of(analysis.n_frames) - analysis.time_of(0)
    return VideoResult((video, *_items(task, analysis, selection)), tuple(clips), seconds)


def failure(task: VideoTask, reason: str, error_class: str) -> Item:
    """The ledger row of a video that could not be worked on; a reason that begins with the file's name loses it."""
    name = printable(task.path.name)
    return Item(
        item_id=task.video_id,
        kind="video",
        video_id=task.video_id,
        parent_id=None,
        stage="probe",
        verdict="failed",
        reason=printable(reason).removeprefix(f"{name}: "),
        error_class=error_class,
        attempts=task.attempts,
        scores={"file": name},
    )


def _analysis(task: VideoTask) -> Analysis:
    path = task.out / "analysis" / f"{task.video_id}.json"
    wanted: AnalysisSettings = task.settings.analysis
    if path.is_file():
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["settings"] == wanted.fingerprint:
            return Analysis.from_json(stored)
    analysis = analyse(task.path, task.video_id, _detector(wanted.detector), wanted)
    write_json(path, analysis.to_json())
    return analysis


def clip_id(task: VideoTask, plan: ClipPlan) -> str:
    """Name of a clip: video, frames and 8 hex digits over all that decides its content."""
    settings: SelectionSettings = task.settings.selection
    content = [
        task.sha256,
        plan.start,
        plan.end,
        plan.box,
        plan.path,
        settings.written(plan.box),
        settings.crf,
        settings.x264_preset,
        settings.keyint,
        STAGE_VERSION,
    ]
    return f"{task.video_id}_{plan.start:06d}_{plan.end:06d}_{sha256_text(json.dumps(content))[:8]}"


def _clips(task: VideoTask, analysis: Analysis, selection: Selection, stamps: Stamps | None) -> list[dict[str, Any]]:
    kept = [
        (plan, task.out / "clips" / f"{clip_id(task, plan)}.mp4") for plan in selection.clips if plan.verdict == KEPT
    ]
    todo = [(plan, path) for plan, path in kept if not path.is_file()]
    crop.cut(task.path, analysis, todo, task.settings.selection, stamps)
    return [_manifest_row(task, analysis, plan, path) for plan, path in kept]


def _manifest_row(task: VideoTask, analysis: Analysis, plan: ClipPlan, path: Path) -> dict[str, Any]:
    info, (width, height) = analysis.info, task.settings.selection.written(plan.box)
    return {
        "clip_id": path.stem,
        "path": path.relative_to(task.out).as_posix(),
        "sha256": sha256_file(path),
        "video_id": task.video_id,
        "start_s": analysis.time_of(plan.start),
        "end_s": analysis.time_of(plan.end),
        "start_frame": plan.start,
        "end_frame": plan.end,
        "n_frames": plan.end - plan.start,
        "fps": info.fps,
        "native_side": plan.native_side,
        "width": width,
        "height": height,
        "upscale": min(width, height) / plan.native_side,
        "box_left": plan.box[0],
        "box_top": plan.box[1],
        "box_right": plan.box[2],
        "box_bottom": plan.box[3],
        "ref_width": info.width,
        "ref_height": info.height,
        "bitrate": info.bitrate,
        "bits_per_pixel": info.bits_per_pixel,
        "codec": info.codec,
        "has_audio": analysis.has_audio(plan.start, plan.end),
        "face_score": plan.scores.get("face_score"),
        "motion": plan.scores.get("motion"),
        "overlap_tracks": plan.overlap_tracks,
        "list_name": plan.list_name,
        "stage_version": STAGE_VERSION,
        **task.known,
        **_listed(task, plan),
    }


def _listed(task: VideoTask, plan: ClipPlan) -> dict[str, str]:
    """What a list says of the clip, beyond what it says of the video."""
    tubes = task.wish.tubes if task.wish else ()
    tube = next((tube for tube in tubes if tube.name == plan.list_name), None)
    said = {"identity_id": tube.identity_id, "split": tube.split} if tube else {}
    return {column: value for column, value in said.items() if value is not None}


def _video_item(task: VideoTask, analysis: Analysis, selection: Selection) -> Item:
    info = analysis.info
    headers = {
        "file": printable(task.path.name),
        "width": info.width,
        "height": info.height,
        "fps": info.fps,
        "bitrate": info.bitrate,
        "bits_per_pixel": info.bits_per_pixel,
        "codec": info.codec,
        "has_audio": info.has_audio,
    }
    return Item(
        task.video_id,
        "video",
        task.video_id,
        None,
        "select",
        selection.video.verdict,
        selection.video.reason,
        attempts=task.attempts,
        start_frame=0,
        end_frame=analysis.n_frames,
        scores=headers,
    )


def _items(task: VideoTask, analysis: Analysis, selection: Selection) -> list[Item]:
    video, items = task.video_id, []
    with_face = {track.shot for track in analysis.tracks}
    for shot in analysis.shots:
        reason = "blank: one colour" if shot.blank else "" if shot.index in with_face else "no face found"
        verdict = "dropped" if reason else "kept"
        item_id = f"{video}/s{shot.index}"
        shot_item = Item(item_id, "shot", video, video, "shots", verdict, reason)
        items.append(replace(shot_item, start_frame=shot.start, end_frame=shot.end))
    for track, ruling in zip(analysis.tracks, selection.tracks, strict=True):
        items.append(
            Item(
                f"{video}/t{track.index}",
                "track",
                video,
                f"{video}/s{track.shot}",
                "select",
                ruling.verdict,
                ruling.reason,
                start_frame=track.start,
                end_frame=track.end,
                scores={"face_score": track.face_score, "face_rate": track.face_rate, "flat": track.flat},
            )
        )
    for plan in selection.clips:
        items.append(
            Item(
                clip_id(task, plan),
                "clip",
                video,
                video if plan.track is None else f"{video}/t{plan.track}",
                "crop" if plan.verdict == KEPT else "select",
                plan.verdict.verdict,
                plan.verdict.reason,
                start_frame=plan.start,
                end_frame=plan.end,
                scores={
                    **plan.scores,
                    "native_side": plan.native_side,
                    "box": list(plan.box),
                    **{k: v for k, v in (("list_name", plan.list_name), ("warning", plan.warning)) if v},
                },
            )
        )
    return items
