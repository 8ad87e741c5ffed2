"""The build: finds videos, hands them to the engine, writes the ledger as results come and the manifest at the end."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from curate import engine as engines
from curate import manifest, video
from curate.console import milestone, progress, say
from curate.errors import BadVideo, UserError
from curate.files import DISK_FULL, NO_ACCESS, printable, remove_partials, write_json
from curate.finish import finished
from curate.ledger import LEDGER, Ledger
from curate.lists.tube import VideoList
from curate.rows import VideoResult, VideoTask, failure
from curate.settings import SETTINGS, Settings
from curate.sources import Absent, Present, find_videos, from_folder
from curate.survey import Survey
from curate.worker import process

if TYPE_CHECKING:
    from curate.download.options import Options

LIMIT_S = 6 * 3600.0  # a video on which work takes longer hangs


@dataclass(frozen=True)
class Report:
    """What a build did."""

    videos: int
    done_before: int  # videos on which there was nothing to do
    clips: int
    seconds: float  # of kept clips
    failed: tuple[tuple[str, str], ...]  # file, reason
    manifest: Path
    counts: tuple[tuple[str, str, str, int], ...]  # kind, verdict, reason, how many
    hours_in: float  # of the videos on which this run worked
    wall_s: float


def build(
    source: Path | VideoList,
    out: Path,
    settings: Settings | None = None,
    *,
    workers: int = 1,
    engine: str = "local",
    videos: Path | None = None,
    download: Options | None = None,
) -> Report:
    """Curate the videos of `source` (a folder, a file, or a list) into the dataset `out`.

    What a list names is taken from the folder `videos`, or else downloaded. Run again it does only what is missing;
    after a kill it goes on where it stopped. The manifest's bytes depend on the videos and the settings alone.
    `UserError` where the input has no video or the output cannot be written; videos that cannot be had or read are
    named in the report and in the ledger.
    """
    begun = time.perf_counter()
    settings = settings or Settings()
    if isinstance(source, VideoList):
        from curate.wanted import from_list

        count = len(source.videos)
    else:
        paths = find_videos(source, out)
        count = len(paths)
    out.mkdir(parents=True, exist_ok=True)
    with Ledger(out / LEDGER) as ledger, progress() as bar, ExitStack() as stack:
        remove_partials(out)
        write_json(out / SETTINGS, settings.model_dump())
        survey = Survey(out, settings, ledger)
        if isinstance(source, VideoList):
            origin: Iterable[Present | Absent] = from_list(source, out, videos, download, survey.is_settled)
        else:
            origin = from_folder(paths, source)
        clips = len(ledger.manifest_rows())
        work = bar.add_task("videos", total=count, note="")
        hours, done = 0.0, 0

        def tell(advance: int) -> None:
            nonlocal done
            for _ in range(advance):
                done += 1
                if milestone(done, count):
                    say(f"{done} of {count} videos, {clips} clips")
            speed = hours / max(time.perf_counter() - begun, 1e-9) * 3600
            bar.update(work, completed=done, note=f"{clips} clips, {hours:.2f} h of video, {speed:.1f} h per hour")

        stack.callback(remove_partials, out)  # of workers that were killed
        results = stack.enter_context(closing(engines.run(process, survey.tasks(origin), workers, engine, LIMIT_S)))
        for task, result in results:
            rows = _checked(task, result)
            file = survey.finished(task)
            if rows.items[0].error_class not in (None, BadVideo.error_class):
                file = replace(file, settings="")  # not the video's fault: the next run tries again
            for obsolete in ledger.replace(file, rows.items, rows.clips, rows.traces):
                (out / obsolete).unlink(missing_ok=True)
                clips -= 1
            clips += len(rows.clips)
            hours += rows.seconds / 3600
            tell(1 + survey.write_notes(ledger))
        tell(survey.write_notes(ledger))
        manifest_rows = finished(ledger.manifest_rows(), ledger.traces(), settings.dataset)
        return Report(
            videos=count,
            done_before=survey.done_before,
            clips=len(manifest_rows),
            seconds=sum(row["end_s"] - row["start_s"] for row in manifest_rows),
            failed=tuple(ledger.failures()),
            manifest=manifest.write(out, manifest_rows),
            counts=tuple(ledger.counts()),
            hours_in=hours,
            wall_s=time.perf_counter() - begun,
        )


def _checked(task: VideoTask, result: VideoResult | Exception) -> VideoResult:
    if isinstance(result, VideoResult):
        return result
    if isinstance(result, OSError) and result.errno in (*DISK_FULL, *NO_ACCESS):
        raise result
    if isinstance(result, UserError):  # a prerequisite is missing (weights, say): the same for every video
        raise result
    names = {engines.Crashed: "crash", engines.TimedOut: "timeout"}
    kind = names.get(type(result), type(result).__name__)
    return VideoResult((failure(task, str(result), kind),), ())


@dataclass(frozen=True)
class Plan:
    """What a dry run says."""

    readable: int
    hours: float
    gigabytes: float
    too_small: int  # videos whose frame is below min_res
    unreadable: tuple[tuple[str, str], ...]


def plan(source: Path, out: Path, settings: Settings) -> Plan:
    """Read the headers of all videos; nothing is decoded beyond a first frame, nothing written."""
    paths = find_videos(source, out)
    hours, size, too_small, unreadable = 0.0, 0, 0, []
    with progress() as bar:
        task = bar.add_task("headers", total=len(paths), note="")
        for path in paths:
            try:
                info = video.info(path)
                hours += info.duration_s / 3600
                size += path.stat().st_size
                too_small += min(info.width, info.height) < settings.selection.min_res
            except BadVideo as error:
                name = printable(path.name)
                unreadable.append((name, printable(str(error)).removeprefix(f"{name}: ")))
            bar.advance(task)
    return Plan(len(paths) - len(unreadable), hours, size / 1e9, too_small, tuple(unreadable))
