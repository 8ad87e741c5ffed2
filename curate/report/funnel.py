"""The funnel: how many hours go in, what every filter takes, how many come out. Nothing is counted as lost twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from curate.ledger_queries import Entry, grouped, total_seconds


@dataclass(frozen=True)
class Step:
    """What is left at one place of the funnel."""

    name: str
    count: int
    seconds: float


@dataclass(frozen=True)
class Loss:
    """What one filter took. Seconds are 0 where the length was never known (a video that cannot be read)."""

    kind: str
    verdict: str
    reason: str
    count: int
    seconds: float


@dataclass(frozen=True)
class Funnel:
    """Steps from the input to the kept clips, and the losses between them, those of most hours first."""

    steps: tuple[Step, ...]
    losses: tuple[Loss, ...]


def funnel(items: Sequence[Entry]) -> Funnel:
    """Count the hours of a ledger's items.

    A video that is turned away as a whole takes its shots and faces with it: they are not counted again. A face whose
    clips were all dropped is lost there, at its clips. Hours of faces and clips are face hours: two people in view for
    an hour are two.
    """
    tracks_of: dict[str, list[Entry]] = defaultdict(list)
    for entry in items:
        if entry.kind == "track":
            tracks_of[entry.video_id].append(entry)
    videos = [entry for entry in items if entry.kind == "video"]
    cut_up = {entry.video_id for entry in items if entry.kind == "clip"}  # for these it was their clips that decided
    turned_away = {
        video.video_id
        for video in videos
        if not video.kept and video.video_id not in cut_up and _whole(video, tracks_of[video.video_id])
    }
    inside = [entry for entry in items if entry.video_id not in turned_away]
    shots, tracks, clips = ([entry for entry in inside if entry.kind == kind] for kind in ("shot", "track", "clip"))
    with_clips = {clip.parent_id for clip in clips}
    passed = [track for track in tracks if track.kept or track.item_id in with_clips]
    passed_ids = {track.item_id for track in passed}
    steps = (
        _step("videos", videos),
        _step("videos worked on", [video for video in videos if video.video_id not in turned_away]),
        _step("shots with a face", [shot for shot in shots if shot.kept]),
        _step("faces followed", tracks),
        _step("faces that passed", passed),
        _step("clips planned", clips),
        _step("clips kept", [clip for clip in clips if clip.kept]),
    )
    losses = [
        *_losses(video for video in videos if video.video_id in turned_away),
        *_losses(shot for shot in shots if not shot.kept),
        *_losses(track for track in tracks if track.item_id not in passed_ids),
        *_losses(clip for clip in clips if not clip.kept),
        *_trimmed(passed, clips),
    ]
    present = tuple(step for step in steps if step.count or step.name in ("videos", "clips kept"))
    return Funnel(present, tuple(sorted(losses, key=lambda loss: (-loss.seconds, -loss.count, loss.reason))))


def _whole(video: Entry, tracks: Sequence[Entry]) -> bool:
    """Whether it was the video that was turned away, and not each of its faces for reasons of their own."""
    return all(not track.kept and track.reason == video.reason for track in tracks)


def _step(name: str, entries: Sequence[Entry]) -> Step:
    return Step(name, len(entries), total_seconds(entries))


def _losses(entries: Iterable[Entry]) -> list[Loss]:
    """By reason; failures by their class, for their reasons name files."""
    alike = (replace(entry, reason=entry.error_class or entry.reason) for entry in entries)
    return [Loss(g.kind, g.verdict, g.reason, g.count, g.seconds) for g in grouped(alike)]


def _trimmed(tracks: Sequence[Entry], clips: Sequence[Entry]) -> list[Loss]:
    """What lies in no clip of a face that passed: guard frames at cuts."""
    covered: dict[str | None, float] = defaultdict(float)
    for clip in clips:
        covered[clip.parent_id] += clip.seconds or 0.0
    left = [(track.seconds or 0.0) - covered[track.item_id] for track in tracks]
    left = [seconds for seconds in left if seconds > 1e-6]
    return [Loss("track", "trimmed", "frames beside a cut", len(left), sum(left))] if left else []
