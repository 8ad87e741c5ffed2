"""What is written down of a video: rows for the ledger and the manifest out of its analysis and selection."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from curate.analyse import Analysis
from curate.files import printable, sha256_file, sha256_text
from curate.ledger import Item, Trace
from curate.listed import Wish
from curate.purge import Tombstone
from curate.select import KEPT, ClipPlan, Selection, Verdict
from curate.settings import STAGE_VERSION, SelectionSettings, Settings


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
    facts: Mapping[str, str] = field(default_factory=dict)  # what else is known of the video, for the ledger
    purged: tuple[Tombstone, ...] = ()  # clips of it that must not come back


@dataclass(frozen=True)
class VideoResult:
    """Rows for the ledger and the manifest."""

    items: tuple[Item, ...]
    clips: tuple[dict[str, Any], ...]
    seconds: float = 0.0  # of the video
    traces: tuple[Trace, ...] = ()  # of kept clips whose faces were looked at


def without_purged(task: VideoTask, selection: Selection) -> Selection:
    """A selection in which the clips that a person took out are dropped."""

    def decided(plan: ClipPlan) -> ClipPlan:
        edges = dict(zip(("box_left", "box_top", "box_right", "box_bottom"), plan.box, strict=True))
        row = {"video_id": task.video_id, "start_frame": plan.start, "end_frame": plan.end, **edges}
        tomb = next((tomb for tomb in task.purged if tomb.covers(row)), None)
        return plan if tomb is None else replace(plan, verdict=Verdict("dropped", f"purged: {tomb.reason}"))

    return replace(selection, clips=tuple(decided(plan) for plan in selection.clips)) if task.purged else selection


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


def traces(task: VideoTask, analysis: Analysis, selection: Selection) -> Iterator[Trace]:
    """What tells near-duplicates and persons, of every kept clip."""
    for plan in selection.clips:
        if plan.verdict == KEPT and plan.track is not None:
            track = analysis.tracks[plan.track]
            hashes = tuple(
                (round(analysis.time_of(frame), 3), value)
                for frame, value in zip(track.frames, track.hashes, strict=True)
                if plan.start <= frame < plan.end
            )
            yield Trace(clip_id(task, plan), plan.track, hashes, track.embedding)


def manifest_row(task: VideoTask, analysis: Analysis, plan: ClipPlan, path: Path) -> dict[str, Any]:
    """The manifest row of a clip that was written to `path`."""
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
        "yaw_mean": plan.scores.get("yaw_mean"),
        "yaw_range": plan.scores.get("yaw_range"),
        "pitch_range": plan.scores.get("pitch_range"),
        "sharpness": plan.scores.get("sharpness"),
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


def video_item(task: VideoTask, analysis: Analysis, selection: Selection) -> Item:
    """The ledger row of a video."""
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
    headers |= task.facts
    if analysis.screen is not None:
        screen = asdict(analysis.screen)
        headers |= {name: screen[name] for name in ("letterbox", "overlay", "overlay_corners", "overlay_lower")}
        headers |= {"screen_motion": screen["motion"], "black": screen["black"], "frozen": screen["frozen"]}
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


def items(task: VideoTask, analysis: Analysis, selection: Selection) -> list[Item]:
    """The ledger rows of its shots, tracks and clips."""
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
