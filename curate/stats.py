"""What a dataset holds and what it took, in numbers, out of its ledger."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from curate.ledger_queries import Entry, Group, clip_path, grouped, read, total_seconds


@dataclass(frozen=True)
class Summary:
    """Hours are hours of video; `None` where nothing is known."""

    counts: tuple[Group, ...]
    hours_in: float  # of all videos whose length is known
    hours_kept: float  # of kept clips: a clip counts once, so two people in view at once count twice
    gb_in: float  # of the input files, by their size when they were read
    gb_kept: float  # of the clips that are there
    work_hours: float  # of the worker processes, summed
    cpu_hours: float
    hours_per_work_hour: float | None  # video hours that one worker process gets through in an hour
    hours_per_cpu_hour: float | None
    error_classes: dict[str, int]  # failed videos by what went wrong


def summarise(out: Path) -> Summary:
    """Count a dataset's items; `UserError` where there is no ledger."""
    contents = read(out)
    videos = contents.of("video")
    wall, cpu = (sum(getattr(video, name) or 0.0 for video in videos) for name in ("wall_s", "cpu_s"))
    worked_on = total_seconds(video for video in videos if video.wall_s)
    files = [clip_path(out, row) for row in contents.clips]
    return Summary(
        counts=tuple(grouped(contents.items)),
        hours_in=total_seconds(videos) / 3600,
        hours_kept=sum(row["end_s"] - row["start_s"] for row in contents.clips) / 3600,
        gb_in=sum(source["size"] for source in contents.sources) / 1e9,
        gb_kept=sum(path.stat().st_size for path in files if path.is_file()) / 1e9,
        work_hours=wall / 3600,
        cpu_hours=cpu / 3600,
        hours_per_work_hour=worked_on / wall if wall else None,
        hours_per_cpu_hour=worked_on / cpu if cpu else None,
        error_classes=_error_classes(videos),
    )


def _error_classes(videos: list[Entry]) -> dict[str, int]:
    failed = [video.error_class or "unknown" for video in videos if video.verdict == "failed"]
    return {name: failed.count(name) for name in sorted(set(failed), key=lambda name: (-failed.count(name), name))}
